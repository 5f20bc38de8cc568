//! Where a server's data are: its database and its artifact store.

use std::path::Path;

use artifacts::ArtifactStore;
use clap::Args;
use migration::{counted::counted, hosts};
use reqwest::Url;

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
    /// The database: `sqlite://FILE?mode=rwc` or `postgres://USER:PASSWORD@HOST/NAME`; of a cluster `HOST:PORT,HOST:PORT,…`, of
    /// which the one that takes changes is used
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
            .map_err(|error| Exit::failed("cannot use the database", migration::Error::from(error)))?;
        let store = ArtifactStore::open(&self.artifacts)
            .map_err(|error| Exit::failed(&format!("cannot use the artifact store {}", self.artifacts), error))?;
        Ok(App::new(db, store, *limits, adopted_timezone, Checkpoints::default()))
    }

    /// Opens what is there already: nothing is made, and a database that lacks a migration is refused.
    pub async fn open_existing(&self, limits: &Limits, adopted_timezone: chrono_tz::Tz) -> Result<App, Exit> {
        let file = self.database_url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        let file = file.and_then(|path| path.split('?').next());
        if let Some(file) = file.filter(|file| !Path::new(file).exists()) {
            return Err(Exit::Refused(format!("there is no database at {file}; name it with --database-url")));
        }
        let folder = self.artifacts.strip_prefix("file://").unwrap_or(&self.artifacts);
        if !folder.contains("://") && !Path::new(folder).is_dir() {
            return Err(Exit::Refused(format!("there is no artifact store at {folder}; name it with --artifacts")));
        }
        let app = self.open(limits, adopted_timezone).await?;
        let cannot = |error: migration::Error| Exit::failed("cannot use the database", error);
        if migration::copy::is_unfinished(&app.db.pool()).await.map_err(|error| cannot(error.into()))? {
            return Err(Exit::Refused(migration::copy::UNFINISHED.to_owned()));
        }
        let pending = migration::pending(&app.db.pool()).await;
        match pending.map_err(cannot)?.len() {
            0 => Ok(app),
            lacking => Err(Exit::Refused(format!(
                "the database lacks {}; run `migration up` first",
                counted(lacking, "migration")
            ))),
        }
    }

    /// Which they are, without passwords.
    pub fn in_words(&self) -> String {
        let without_password = |url: &str| {
            let mut url = Url::parse(url).ok()?;
            // A URL without a host has no password.
            _ = url.set_password(None);
            url.set_query(None);
            Some(url.to_string())
        };
        let database = match hosts::listed(&self.database_url) {
            Ok(Some(hosts)) => Some(hosts.into_iter().map(|host| host.name).collect::<Vec<_>>().join(" or ")),
            _ => without_password(&self.database_url),
        };
        format!("database {}, artifact store {}", database.unwrap_or_default(), self.artifacts)
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
