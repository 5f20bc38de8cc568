//! PostgreSQL servers of which one follows the other, to be killed, frozen and promoted.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;

/// A PostgreSQL server of the test's own.
pub struct Node {
    folder: TempDir,
    url: String,
}

/// How long a standby may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a program of this folder, which must succeed, and gives what it printed.
pub fn script(name: &str, arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let output = Command::new(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn postgres(arguments: &[&str]) -> String {
    script("postgres", arguments)
}

impl Node {
    /// A server with an empty database.
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let url = postgres(&["start", folder.path().to_str().unwrap()]);
        Self { folder, url }
    }

    /// A standby of this server.
    pub fn standby(&self) -> Self {
        let folder = TempDir::new().unwrap();
        let url = postgres(&["follow", folder.path().to_str().unwrap(), &self.url]);
        Self { folder, url }
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        self.url.split_once('@').unwrap().1.split_once('/').unwrap().0
    }

    /// The URL that names several of them.
    pub fn list(nodes: &[&Self]) -> String {
        let addresses: Vec<_> = nodes.iter().map(|node| node.address()).collect();
        format!("postgres://postgres@{}/postgres", addresses.join(","))
    }

    /// Waits until a standby has all that this server has committed.
    pub async fn followed_by(&self, standby: &Self) {
        let began = Instant::now();
        let here: String = self.one("SELECT pg_current_wal_lsn()::text").await;
        while !standby.one::<bool>(&format!("SELECT pg_last_wal_replay_lsn() >= '{here}'::pg_lsn")).await {
            assert!(began.elapsed() < PATIENCE, "the standby does not follow");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What a query answers on this server, whether it is a standby or not.
    pub async fn one<T: sea_orm::TryGetable>(&self, sql: &str) -> T {
        let db = sea_orm::Database::connect(&self.url).await.unwrap();
        let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
        db.close().await.unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// Makes a standby take changes.
    pub fn promote(&self) {
        postgres(&["promote", self.place()]);
    }

    /// Changes its settings.
    pub async fn set(&self, settings: &[&str]) {
        let db = sea_orm::Database::connect(&self.url).await.unwrap();
        for sql in settings.iter().chain(&["SELECT pg_reload_conf()"]) {
            db.execute_unprepared(sql).await.unwrap();
        }
        db.close().await.unwrap();
    }

    /// Makes a standby follow another primary than before.
    pub async fn follow(&self, primary: &Self) {
        let (host, port) = primary.address().split_once(':').unwrap();
        let sql = format!("ALTER SYSTEM SET primary_conninfo = 'host={host} port={port} user=postgres'");
        self.set(&[&sql]).await;
    }

    /// Whether this standby has received more than another one.
    pub async fn has_more_than(&self, other: &Self) -> bool {
        let there: String = other.one("SELECT pg_last_wal_receive_lsn()::text").await;
        self.one(&format!("SELECT pg_last_wal_receive_lsn() > '{there}'::pg_lsn")).await
    }

    /// Ends it as a loss of power does.
    pub fn kill(&self) {
        postgres(&["kill", self.place()]);
    }

    /// Starts it again.
    pub fn restart(&self) {
        postgres(&["restart", self.place()]);
    }

    /// Lets it accept connections and answer nothing.
    pub fn freeze(&self) {
        postgres(&["freeze", self.place()]);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        postgres(&["thaw", self.place()]);
    }

    fn place(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
