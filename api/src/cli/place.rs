//! Where a server's data are: its database and its artifact store.

use artifacts::ArtifactStore;
use clap::Args;

use super::Exit;
use crate::{
    app::{App, Limits},
    checkpoint::Checkpoints,
    database::Database,
    files::mark::{self, Found},
};

/// Connections to the database, of each kind: on PostgreSQL those that read are others than those that change.
const CONNECTIONS: u32 = 16;

/// What every command takes that works on them.
#[derive(Debug, Args)]
pub struct Place {
    /// The database: `sqlite://FILE?mode=rwc` or `postgres://USER:PASSWORD@HOST/NAME`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, default_value = "sqlite://data/joblink.db?mode=rwc")]
    pub database_url: String,
    /// Where the files of jobs are kept: a directory, `file:///…`, or `s3://BUCKET/PREFIX` with the usual `AWS_…` variables
    #[arg(long, env = "JOBLINK_ARTIFACTS", default_value = "data/artifacts")]
    pub artifacts: String,
}

impl Place {
    /// Opens both.
    pub async fn open(&self, limits: &Limits, adopted_timezone: chrono_tz::Tz) -> Result<App, Exit> {
        let db = Database::connect(&self.database_url, CONNECTIONS)
            .await
            .map_err(|error| Exit::failed("cannot use the database", error))?;
        let store = ArtifactStore::open(&self.artifacts)
            .map_err(|error| Exit::failed(&format!("cannot use the artifact store {}", self.artifacts), error))?;
        Ok(App::new(db, store, *limits, adopted_timezone, Checkpoints::default()))
    }

    /// Refuses a store that does not hold the files of this database. `first_use`: marks one that was not in use yet.
    pub async fn check_store(&self, app: &App, first_use: bool) -> Result<(), Exit> {
        let found = if first_use { mark::check(app).await } else { mark::look(app).await };
        let why = match found.map_err(|error| Exit::failed("cannot read the artifact store", error))? {
            Found::Right => return Ok(()),
            Found::Unmarked => "was not used by a server yet",
            Found::Empty => "is not the one that this database used so far: it is empty or not mounted",
            Found::Strange => "holds the files of another database",
        };
        Err(Exit::Refused(format!(
            "the artifact store {} {why}; name the right one with --artifacts, or start `serve` with --accept-artifacts",
            self.artifacts
        )))
    }
}
