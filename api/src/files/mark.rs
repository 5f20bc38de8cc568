//! Tells the store that holds this database's files from any other.
//!
//! In a store that is not the right one every file is missing: jobs would fail for good, purges would find nothing and be
//! confirmed. So the store bears an id, and the database knows it.

use entity::artifact_store;
use sea_orm::{ActiveValue::Set, EntityTrait, prelude::Uuid, sea_query::OnConflict};

use crate::{app::App, error::Error};

/// The only row of the table.
const PLACE: i32 = 1;

/// What the marks say of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is the one that the database used so far, or neither had been used.
    Right,
    /// It has no mark, and the database used another one: an empty folder, a missing mount.
    Empty,
    /// It bears the mark of another database's store.
    Strange,
}

/// Compares the store with the one that the database used so far; marks both at their first use.
pub async fn check(app: &App) -> Result<Found, Error> {
    match (known(app).await?, app.store.mark().await?) {
        (Some(known), Some(mark)) if known == mark => Ok(Found::Right),
        (_, Some(_)) => Ok(Found::Strange),
        (Some(_), None) => Ok(Found::Empty),
        (None, None) => {
            // Of several servers that begin at once the first counts.
            remember(app, Uuid::now_v7(), false).await?;
            let known = known(app).await?.unwrap_or_default();
            app.store.set_mark(known).await?;
            Ok(if app.store.mark().await? == Some(known) { Found::Right } else { Found::Strange })
        }
    }
}

/// Makes this store the one that the database uses from now on.
pub async fn accept(app: &App) -> Result<(), Error> {
    let id = match app.store.mark().await? {
        Some(mark) => mark,
        None => known(app).await?.unwrap_or_else(Uuid::now_v7),
    };
    app.store.set_mark(id).await?;
    remember(app, id, true).await
}

async fn known(app: &App) -> Result<Option<Uuid>, Error> {
    Ok(artifact_store::Entity::find_by_id(PLACE).one(app.db.reader()).await?.map(|row| row.id))
}

async fn remember(app: &App, id: Uuid, replace: bool) -> Result<(), Error> {
    let transaction = app.db.begin().await?;
    let row = artifact_store::ActiveModel { place: Set(PLACE), id: Set(id) };
    let mut conflict = OnConflict::column(artifact_store::Column::Place);
    if replace {
        conflict.update_column(artifact_store::Column::Id);
    } else {
        conflict.do_nothing();
    }
    artifact_store::Entity::insert(row).on_conflict(conflict).exec_without_returning(&*transaction).await?;
    transaction.commit().await?;
    Ok(())
}
