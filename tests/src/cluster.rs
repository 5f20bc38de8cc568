//! PostgreSQL servers of which one follows the other, to be killed, frozen and promoted.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;

/// A PostgreSQL server of the test's own.
pub struct Node {
    folder: TempDir,
    url: String,
}

/// How long a standby may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn script(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres");
    let output = Command::new(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Node {
    /// A server with an empty database.
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let url = script(&["start", folder.path().to_str().unwrap()]);
        Self { folder, url }
    }

    /// A standby of this server.
    pub fn standby(&self) -> Self {
        let folder = TempDir::new().unwrap();
        let url = script(&["follow", folder.path().to_str().unwrap(), &self.url]);
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
        script(&["promote", self.place()]);
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
        let first = self.first();
        self.signal(Signal::KILL);
        let began = Instant::now();
        // It cannot be started again while it is still ending.
        while first.is_some_and(runs) {
            assert!(began.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts it again.
    pub fn restart(&self) {
        script(&["restart", self.place()]);
    }

    /// Lets it accept connections and answer nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn place(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// To the server's first process and all that it has started.
    fn signal(&self, signal: Signal) {
        let Some(first) = self.first() else { return };
        // The first one first, so that it starts no more.
        send(first, signal);
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if parent(pid) == Some(first) {
                send(pid, signal);
            }
        }
    }

    /// The server's first process.
    fn first(&self) -> Option<i32> {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        Some(file.lines().next().unwrap().parse().unwrap())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn send(pid: i32, signal: Signal) {
    // It may have ended meanwhile.
    _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

fn parent(pid: i32) -> Option<i32> {
    stat(pid)?.1.parse().ok()
}

/// Whether it has not ended yet; what nobody has asked the outcome of has.
fn runs(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

/// A process's state and its parent.
fn stat(pid: i32) -> Option<(String, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // They come after the name of the program, which is in brackets and may hold any others.
    let mut after = stat.rsplit_once(')')?.1.split_whitespace();
    Some((after.next()?.to_owned(), after.next()?.to_owned()))
}
