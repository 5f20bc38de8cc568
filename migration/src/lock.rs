//! One run at a time changes a database's schema. The lock ends with its holder, however that ended.
//!
//! On PostgreSQL it is a row with a lease that the holder renews on a connection of its own; others look at it again and
//! again, because a session that waits for a lock would hang `CREATE INDEX CONCURRENTLY`. Advisory locks do
//! nothing on some databases that speak PostgreSQL's protocol. On SQLite it is a lock of the operating system on a
//! file beside the database.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend};

use crate::{Error, counted::counted};

mod file;
mod lease;

pub use lease::TABLE;

/// How long a run waits for another one, where nothing else is said.
pub const WAIT: Duration = Duration::from_mins(10);
/// How often a run that waits looks.
const POLL: Duration = Duration::from_millis(250);

/// Does the work while holding the lock; waits for at most so long until another run has ended, and then refuses.
pub async fn hold<T>(
    db: &DatabaseConnection,
    command: &str,
    wait: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let holder = format!("`{command}` of process {} on {}", std::process::id(), host());
    let mut waiting = Waiting { began: Instant::now(), wait, said: false };
    match db.get_database_backend() {
        DbBackend::Sqlite => {
            let _file = file::take(db, &holder, &mut waiting).await?;
            work.await
        }
        _ => lease::Lease::take(db, &holder, &mut waiting).await?.hold(work).await,
    }
}

/// A run that waits for another one.
struct Waiting {
    began: Instant,
    wait: Duration,
    said: bool,
}

impl Waiting {
    /// Pauses before the next look, and says once for whom; refuses when it has waited long enough.
    async fn on(&mut self, holder: &str) -> Result<(), Error> {
        let seconds = counted(self.wait.as_secs(), "second");
        if self.began.elapsed() >= self.wait {
            return Err(Error::Refused(format!(
                "another run is changing the schema: {holder}; it has not ended in {seconds}, run this again when it has"
            )));
        }
        if !self.said {
            self.said = true;
            tracing::warn!("waiting for another run to end, for at most {seconds}: {holder}");
        }
        tokio::time::sleep(POLL.min(self.wait)).await;
        Ok(())
    }
}

/// The name of this machine, for people.
fn host() -> String {
    whoami::hostname().unwrap_or_else(|_| "an unnamed machine".to_owned())
}
