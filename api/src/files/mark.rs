//! Tells the store that holds this database's files from any other.
//!
//! In a store that is not the right one every file is missing: jobs would fail for good, purges would find nothing and be
//! confirmed. So the store bears an id, and the database knows it.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use entity::{artifact, artifact_purge, artifact_store};
use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder, QuerySelect, prelude::Uuid, sea_query::OnConflict};

use crate::{app::App, database::with_ids, error::Error};

/// The only row of the table.
const PLACE: i32 = 1;
/// How long another server may take from its mark in the database to its mark in the store.
const ABOUT_TO_MARK: Duration = Duration::from_secs(2);
/// How many jobs are looked for in a store without a mark.
const SOME: u64 = 1_000;

/// What is found of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is the one that the database uses.
    Right,
    /// It has no mark, and nothing speaks against it: it was not in use since there are marks.
    Unmarked,
    /// It is not the one that the database used: an empty folder, a missing mount.
    Empty,
    /// It holds the files of another database.
    Strange,
}

/// Compares the store with the one that the database uses. Changes nothing.
pub async fn look(app: &App) -> Result<Found, Error> {
    let mark = app.store.mark().await?;
    match (known(app).await?, mark) {
        (Some(known), Some(mark)) if known == mark => Ok(Found::Right),
        (_, Some(_)) => Ok(Found::Strange),
        (None, None) => by_content(app).await,
        // Only the files of its jobs tell that a store without its mark is the one that was used.
        (Some(_), None) if holds_files_of_jobs(app).await? => Ok(Found::Unmarked),
        (Some(_), None) => Ok(Found::Empty),
    }
}

/// The same as [`look`], and marks a store that has no mark where nothing speaks against it.
pub async fn check(app: &App) -> Result<Found, Error> {
    let began = Instant::now();
    loop {
        match look(app).await? {
            Found::Unmarked => {
                // Of several servers that begin at once the first counts, here and there.
                remember(app, Uuid::now_v7(), false).await?;
                app.store.set_mark(known(app).await?.unwrap_or_default()).await?;
            }
            // Another server may be about to mark it.
            Found::Empty if began.elapsed() < ABOUT_TO_MARK => tokio::time::sleep(ABOUT_TO_MARK / 10).await,
            found => return Ok(found),
        }
    }
}

/// Fails where the store has been replaced since it was marked, as where a folder is not mounted any more.
pub async fn still_right(app: &App) -> Result<(), Error> {
    let Some(known) = known(app).await? else { return Ok(()) };
    if app.store.mark().await? == Some(known) { Ok(()) } else { Err(Error::StoreReplaced) }
}

/// Of a store and a database that have no mark: whether one knows the files of the other.
async fn by_content(app: &App) -> Result<Found, Error> {
    if holds_files_of_jobs(app).await? {
        return Ok(Found::Unmarked);
    }
    let stored = stored(app).await?;
    if artifact::Entity::find().one(app.db.reader()).await?.is_some() {
        return Ok(if stored.is_empty() { Found::Empty } else { Found::Strange });
    }
    let some: Vec<Uuid> = stored.into_iter().take(usize::try_from(SOME).unwrap_or(usize::MAX)).collect();
    let purging = with_ids(artifact_purge::Entity::find(), artifact_purge::Column::JobId, &some, app.db.backend());
    let is_own = some.is_empty() || purging.one(app.db.reader()).await?.is_some();
    Ok(if is_own { Found::Unmarked } else { Found::Strange })
}

async fn stored(app: &App) -> Result<HashSet<Uuid>, Error> {
    Ok(app.store.jobs().await?.iter().filter_map(|name| Uuid::try_parse(name).ok()).collect())
}

async fn holds_files_of_jobs(app: &App) -> Result<bool, Error> {
    let stored = stored(app).await?;
    let with_files: Vec<Uuid> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::JobId)
        .order_by_desc(artifact::Column::JobId)
        .limit(SOME)
        .into_tuple()
        .all(app.db.reader())
        .await?;
    Ok(with_files.iter().any(|job| stored.contains(job)))
}

/// Makes this store the one that the database uses from now on, and no other.
pub async fn accept(app: &App) -> Result<(), Error> {
    app.store.set_mark(Uuid::now_v7()).await?;
    let mark = app.store.mark().await?;
    remember(app, mark.unwrap_or_default(), true).await
}

/// The mark of the store that the database uses.
pub async fn known(app: &App) -> Result<Option<Uuid>, Error> {
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
