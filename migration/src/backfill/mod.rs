//! Finds out which job made each existing prediction, as far as the evidence goes, and never guesses.
//!
//! A wrong link means that somebody later deletes a prediction that was not theirs to delete. So whatever the evidence
//! cannot decide stays without a link, and is listed with the reason.

mod batches;
mod clocks;
mod cluster;
pub mod command;
mod crossing;
mod decide;
mod estimate;
mod evidence;
mod facts;
mod jobs;
mod lease;
mod load;
mod manifest;
mod pace;
mod report;
mod rows;
mod run;
mod transaction;
mod undo;
mod walk;
mod write;

use std::path::PathBuf;

use chrono::{TimeDelta, Utc};
use entity::stored::Kind;
use sea_orm_migration::sea_orm::{DatabaseConnection, DbErr, prelude::DateTimeUtc};

pub use lease::at_work;
pub use pace::Pace;
pub use report::{Decision, Report};
pub use run::{Outcome, run};
pub use undo::{Run, runs, undo};

use evidence::Sources;
use manifest::Manifest;
use pace::Courtesy;
use report::Unresolved;
use walk::{Decided, Evidence, Walk};

use crate::progress::{Progress, Watch};

/// What a plan or a run rests on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A folder with the files that jobs read, each named by its job's id, `ID.csv`, or as it was uploaded.
    pub sources: Option<PathBuf>,
    /// An artifact store that holds them: a folder or a `file://` URL.
    pub artifacts: Option<String>,
    /// The operator's own list: a CSV file with `job_id`, and `prediction_id` or `company_symbol`, `reporting_year` and
    /// `reporting_quarter`.
    pub manifest: Option<PathBuf>,
    /// Whether a job's window alone may decide, where nothing contradicts it.
    pub accept_time_window: bool,
    /// After how long without progress a job counts as crashed.
    pub stale_after: TimeDelta,
    /// Whether others who use the database meanwhile do not count.
    pub full_speed: bool,
    /// Where to write the rows that stay without a link.
    pub unresolved: Option<PathBuf>,
    /// Who is told how far it is.
    pub watch: Watch,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sources: None,
            artifacts: None,
            manifest: None,
            accept_time_window: false,
            stale_after: TimeDelta::hours(24),
            full_speed: false,
            unresolved: None,
            watch: Watch::default(),
        }
    }
}

/// Why a backfill did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing was changed, because it would break a promise.
    #[error("{0}")]
    Refused(String),
    /// A file cannot be read or written.
    #[error("{0}")]
    File(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbErr),
}

impl From<Failure> for crate::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(reason) => Self::Refused(reason),
            Failure::File(reason) => Self::Failed(reason),
            Failure::Database(error) => error.into(),
        }
    }
}

/// What a run would do now. Changes nothing.
pub async fn plan(db: &DatabaseConnection, settings: &Settings) -> Result<Report, Failure> {
    refuse_pending(db).await?;
    let evidence = Evidence::open(db, settings).await?;
    let mut unresolved = open_unresolved(settings)?;
    let mut report = Report::new(&evidence);
    let of = all_rows(db, settings).await?;
    let courtesy = Courtesy::new(db, settings.full_speed).await;
    let walk = Walk { db, settings, evidence: &evidence, courtesy: &courtesy, start: now().naive_utc(), run: None };
    walk.go(async |decided| {
        report.add(&decided);
        settings.watch.tell(&Progress { rows: report.rows, of, more: format!("{} linked", report.total_linked()) });
        list_unresolved(&mut unresolved, settings, &decided)
    })
    .await?;
    finish_unresolved(unresolved, settings)?;
    Ok(report)
}

impl Evidence {
    async fn open(db: &DatabaseConnection, settings: &Settings) -> Result<Self, Failure> {
        let sources = Sources::open(settings.sources.as_deref(), settings.artifacts.as_deref())?;
        let manifest = match &settings.manifest {
            Some(path) => Manifest::read(db, path).await?,
            None => Manifest::default(),
        };
        Ok(Self { sources, manifest })
    }
}

async fn refuse_pending(db: &DatabaseConnection) -> Result<(), Failure> {
    let pending = crate::pending(db).await.map_err(|error| Failure::Refused(error.to_string()))?;
    if pending.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused(format!("migrations are pending ({}): run `migration up` first", pending.join(", "))))
}

/// How many rows there are to look at, where anybody wants to know.
async fn all_rows(db: &DatabaseConnection, settings: &Settings) -> Result<u64, DbErr> {
    if !settings.watch.is_somebody() {
        return Ok(0);
    }
    let mut rows = 0;
    for kind in Kind::ALL {
        rows +=
            crate::catalogue::count(db, &format!("SELECT count(*) FROM {}", rows::table(*kind))).await?.unsigned_abs();
    }
    Ok(rows)
}

fn open_unresolved(settings: &Settings) -> Result<Option<Unresolved>, Failure> {
    settings.unresolved.as_deref().map(Unresolved::create).transpose().map_err(|error| unwritable(settings, &error))
}

fn list_unresolved(file: &mut Option<Unresolved>, settings: &Settings, decided: &Decided) -> Result<(), Failure> {
    match (file, decided) {
        (Some(file), Decided::Rows { kind, rows, .. }) => {
            file.add(*kind, rows).map_err(|error| unwritable(settings, &error))
        }
        _ => Ok(()),
    }
}

fn finish_unresolved(file: Option<Unresolved>, settings: &Settings) -> Result<(), Failure> {
    file.map_or(Ok(()), Unresolved::finish).map_err(|error| unwritable(settings, &error))
}

fn unwritable(settings: &Settings, error: &std::io::Error) -> Failure {
    let path = settings.unresolved.as_deref().unwrap_or(std::path::Path::new("the list"));
    Failure::File(format!("{}: {error}", path.display()))
}

/// The time now, to the microsecond that PostgreSQL keeps.
fn now() -> DateTimeUtc {
    use chrono::SubsecRound;
    Utc::now().trunc_subsecs(6)
}
