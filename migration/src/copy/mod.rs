//! Copies everything that Joblink keeps from one database to an empty PostgreSQL, and compares both.
//!
//! Rows go from one reading transaction of the source, table by table, as lines that `COPY` takes, in batches whose
//! transactions also say how far the copy is. So it can be killed anywhere and run again. The source is never changed.

mod changes;
mod chunk;
pub mod command;
mod compare;
mod ends;
mod kind;
mod place;
mod select;
mod snapshot;
pub mod tables;
mod text;
mod write;

use std::{collections::BTreeMap, time::Duration};

use sea_orm_migration::sea_orm::DatabaseConnection;

use crate::{
    Access, Error,
    counted::counted,
    lock,
    progress::{Progress, Watch},
};
use changes::Changes;
use compare::compare;
use ends::Ends;
use place::Place;
use snapshot::Snapshot;
use tables::Table;

pub use compare::{Compared, Sum};
pub use place::{TABLE, is_unfinished};

/// Why nobody else may use a database into which a copy has not ended.
pub const UNFINISHED: &str = "a copy into the database has begun and not ended; end it with the `migration copy` that began it, then run this again";

/// What is copied, and how.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The URL of the source.
    pub from: String,
    /// The URL of the target.
    pub to: String,
    /// The PostgreSQL schema to work in.
    pub schema: Option<String>,
    /// The most rows of one transaction.
    pub batch: u64,
    /// How long to wait while another run changes the target.
    pub wait: Duration,
    /// Who is told how far the copying is, and the comparison after it.
    pub watch: [Watch; 2],
}

/// What a copy came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Rows that this run copied.
    pub copied: u64,
    /// What both databases hold, table by table.
    pub compared: Vec<Compared>,
}

/// Copies what is not copied yet, and compares. Fails where both differ in the end: see [`Compared::is_same`].
pub async fn copy(wanted: &Wanted) -> Result<Outcome, Error> {
    let Ends { source, target, name } = ends::open(wanted, Access::Write).await?;
    let work = Box::pin(async {
        let tables = tables::all(&source, &target).await?;
        leave_strangers(&source).await?;
        let mut changes = Changes::of(&source).await?;
        let mut snapshot = Snapshot::of(&source).await?;
        let copied = match begin(&mut snapshot, &target, &name, &tables).await? {
            Some(mut places) => rows(&mut snapshot, &target, &tables, &mut places, wanted, &mut changes).await?,
            None => 0,
        };
        // The comparison looks at both as they are then.
        drop(snapshot);
        let compared = compare(&source, &target, &tables, &wanted.watch[1]).await?;
        changes.none().await?;
        if compared.iter().all(Compared::is_same) {
            place::end(&target).await?;
        }
        Ok(Outcome { copied, compared })
    });
    lock::hold(&target, "migration copy", wanted.wait, work).await
}

/// Compares both databases, and changes neither.
pub async fn verify(wanted: &Wanted) -> Result<Vec<Compared>, Error> {
    let Ends { source, target, .. } = ends::open(wanted, Access::ReadOnly).await?;
    if is_unfinished(&target).await? {
        return Err(Error::Refused(UNFINISHED.to_owned()));
    }
    let tables = tables::all(&source, &target).await?;
    compare(&source, &target, &tables, &wanted.watch[1]).await
}

/// Finds the place of the copy, or begins it; `None` where everything is there already. Refuses where the target holds
/// anything else.
async fn begin(
    source: &mut Snapshot,
    target: &DatabaseConnection,
    name: &str,
    tables: &[Table],
) -> Result<Option<BTreeMap<String, Place>>, Error> {
    let mut there = Snapshot::of(target).await?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for table in tables {
        theirs.push((table, source.count(table).await?));
        ours.push(there.count(table).await?);
    }
    drop(there);
    let all: u64 = theirs.iter().map(|(_, rows)| rows).sum();
    let empty =
        "give an empty database, or empty this one with `migration fresh --database-url TARGET`, then copy again";
    let Some(places) = place::find(target).await? else {
        if ours.iter().all(|rows| *rows == 0) {
            tracing::info!("copying {} of {} from {name}", counted(all, "row"), counted(tables.len(), "table"));
            return Ok(Some(place::begin(target, name, &theirs).await?));
        }
        if theirs.iter().zip(&ours).all(|((_, theirs), ours)| theirs == ours) {
            tracing::info!("the target holds as many rows as the source: comparing them");
            return Ok(None);
        }
        let held = tables.iter().zip(&ours).filter(|(_, rows)| **rows > 0);
        let held: Vec<_> = held.map(|(table, rows)| format!("{}: {rows}", table.name)).collect();
        return Err(Error::Refused(format!(
            "the target holds rows already ({}), and no copy into it is unfinished; {empty}",
            held.join(", ")
        )));
    };
    for ((table, of), ours) in theirs.iter().zip(&ours) {
        let Some(place) = places.get(&table.name) else {
            return Err(Error::Refused(format!(
                "the copy that the target holds knows nothing of {}, as it is of another version; {empty}",
                table.name
            )));
        };
        if place.source != name {
            return Err(Error::Refused(format!(
                "the target holds a part of {}, which is not copied to its end; end that, or {empty}",
                place.source
            )));
        }
        if place.of != *of {
            return Err(Error::Refused(format!(
                "{} of the source had {} when the copy began and has {of} now; stop the server that runs on the source, and {empty}",
                table.name,
                counted(place.of, "row")
            )));
        }
        if place.copied != *ours {
            return Err(Error::Refused(format!(
                "{} of the target has {}, of which {} are copied; {empty}",
                table.name,
                counted(*ours, "row"),
                place.copied
            )));
        }
    }
    let copied: u64 = places.values().map(|place| place.copied).sum();
    tracing::info!("going on with the copy from {name}: {copied} of {} are there", counted(all, "row"));
    Ok(Some(places))
}

/// Copies the rows that are not there yet, and tells how many that were.
async fn rows(
    source: &mut Snapshot,
    target: &DatabaseConnection,
    tables: &[Table],
    places: &mut BTreeMap<String, Place>,
    wanted: &Wanted,
    changes: &mut Changes,
) -> Result<u64, Error> {
    let pool = target.get_postgres_connection_pool();
    let of = places.values().map(|place| place.of).sum();
    let before: u64 = places.values().map(|place| place.copied).sum();
    let mut rows = before;
    for table in tables {
        let Some(place) = places.get_mut(&table.name) else { continue };
        let told = async |some| {
            rows += some;
            wanted.watch[0].tell(&Progress { rows, of, more: format!("copying {}", table.name) });
            changes.none().await
        };
        write::rows(source, pool, table, place, wanted.batch, told).await?;
    }
    for table in tables {
        write::later(source, pool, table).await?;
    }
    for table in tables {
        write::finish(pool, table).await?;
    }
    Ok(rows - before)
}

/// Says what is left, because it is not Joblink's.
async fn leave_strangers(source: &DatabaseConnection) -> Result<(), Error> {
    let strangers = tables::strangers(source).await?;
    if !strangers.is_empty() {
        tracing::info!("not copied, because Joblink does not know them: {}", strangers.join(", "));
    }
    Ok(())
}
