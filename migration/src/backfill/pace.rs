//! How fast it goes: as fast as the server can where nobody else uses it, gently where somebody does.

use std::time::{Duration, Instant};

use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend};
use tokio::sync::Mutex;

use super::load::Load;

/// How often to look at the load of the server.
const LOOK: Duration = Duration::from_secs(1);
/// The most rows that are read at once while others use a PostgreSQL server: about as much work as to write [`FEW_WRITTEN`].
const FEW_READ: usize = 100;
/// The most rows of one transaction while others use a PostgreSQL server. What others wait for is the log of one
/// transaction, and a processor. `tests/bench online` measures what they feel: with 100 rows and pauses as long as the
/// work 99 % of a writer's statements took about 3 times as long as before, with these numbers 1.2 to 1.8 times.
const FEW_WRITTEN: usize = 20;
/// How many times as long as what was done the pause after it is while others use the database.
const PAUSE: u32 = 3;

/// How a run goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The most rows of one transaction.
    pub batch_size: usize,
    /// The most rows a second; none = as fast as the database takes them.
    pub max_rows_per_second: Option<u32>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batch_size: 1_000, max_rows_per_second: None }
    }
}

/// Keeps out of others' way: small pieces one after the other, each followed by a pause.
pub struct Courtesy<'a> {
    db: &'a DatabaseConnection,
    /// Whether others do not count.
    full_speed: bool,
    /// How many times as long as the work a pause is.
    pause: u32,
    seen: Mutex<Seen>,
}

/// What was seen last.
struct Seen {
    /// None where the database does not tell.
    load: Option<Load>,
    at: Instant,
    /// Whether the person was told that it goes gently.
    said: bool,
}

impl<'a> Courtesy<'a> {
    pub async fn new(db: &'a DatabaseConnection, full_speed: bool) -> Self {
        let load = Load::of(db).await;
        if load.is_some_and(|load| load.hidden > 0) {
            tracing::warn!(
                "this role does not see how far standbys are behind, so they are not heeded; grant it pg_monitor"
            );
        }
        // Whoever waits for a SQLite file asks again and again, and needs a gap.
        let pause = if db.get_database_backend() == DbBackend::Postgres { PAUSE } else { 1 };
        Self { db, full_speed, pause, seen: Mutex::new(Seen { load, at: Instant::now(), said: false }) }
    }

    /// Whether others may be disturbed.
    pub async fn is_due(&self) -> bool {
        let mut seen = self.seen.lock().await;
        // Who cannot be seen may be there.
        let due = !self.full_speed && seen.load.is_none_or(|load| load.others > 0);
        if due && seen.load.is_some() && !seen.said {
            tracing::info!("others use the database, so it goes slowly; --full-speed does not heed them");
            seen.said = true;
        }
        due
    }

    /// How many rows are read at once, of as many as wanted.
    pub async fn rows_read(&self, wanted: usize) -> usize {
        self.rows(wanted, FEW_READ).await
    }

    /// How many rows are written at once, of as many as wanted.
    pub async fn rows_written(&self, wanted: usize) -> usize {
        self.rows(wanted, FEW_WRITTEN).await
    }

    async fn rows(&self, wanted: usize, few: usize) -> usize {
        // One writer at a time is all that SQLite has; small transactions would only be more of them.
        let server = self.db.get_database_backend() == DbBackend::Postgres;
        if server && self.is_due().await { wanted.min(few) } else { wanted }
    }

    /// The pause after something that began at a time. Lasts for as long as others' trouble grows.
    pub async fn pause(&self, began: Instant) {
        if self.is_due().await {
            tokio::time::sleep(began.elapsed() * self.pause).await;
        }
        let mut seen = self.seen.lock().await;
        let mut said = false;
        while let Some(before) = seen.load
            && seen.at.elapsed() >= LOOK
        {
            seen.at = Instant::now();
            // One look that fails says nothing.
            let load = Load::of(self.db).await.unwrap_or(before);
            seen.load = Some(load);
            let Some(why) = load.growing_since(before) else { return };
            if !said {
                tracing::info!("waiting for others: {why}");
                said = true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
