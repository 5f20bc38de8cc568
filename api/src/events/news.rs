//! Wakes the readers: in this process at once, in others by the database where it can. They look once a second anyway,
//! so nothing rests on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    DbBackend,
    sqlx::{
        self,
        postgres::{PgListener, PgPoolOptions},
    },
};
use tokio::sync::watch;

use crate::{app::App, checkpoint::Checkpoint, database::Database, error::Error};

/// The channel on which processes of a PostgreSQL database wake each other.
const CHANNEL: &str = "joblink_events";
/// How long the first notice, which one sends oneself, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for more that others are to be told of, so that many changes at once are one notice.
const GATHERING: Duration = Duration::from_millis(10);
/// How long to go without notices before trying again.
const PAUSE: Duration = Duration::from_secs(30);

/// Where to look for what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Among the newest: something was committed just now.
    Recent,
    /// Wherever something may be new.
    Whole,
}

/// That something happened.
#[derive(Debug, Default)]
pub struct News {
    happened: watch::Sender<()>,
    /// What happened may be older than what was committed just now.
    older: AtomicBool,
    /// A notice to other processes waits for a connection.
    sending: AtomicBool,
    /// The log says that others are not heard.
    warned: AtomicBool,
}

impl News {
    /// Tells this process, and others on the same database, that an event was committed.
    ///
    /// Others after the commit: transactions that notify themselves commit one after the other.
    pub fn tell(self: &Arc<Self>, db: &Database) {
        self.wake(Look::Recent);
        if db.backend() != DbBackend::Postgres || self.sending.swap(true, Ordering::SeqCst) {
            return;
        }
        let (news, pool) = (self.clone(), db.postgres().clone());
        tokio::spawn(async move {
            tokio::time::sleep(GATHERING).await;
            let connection = pool.acquire().await;
            // What is committed from here on wants a notice of its own.
            news.sending.store(false, Ordering::SeqCst);
            let sent = match connection {
                Ok(mut connection) => notify(&mut *connection).await,
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                tracing::debug!("other servers were not told at once: {error}");
            }
        });
    }

    /// Told again each time that something happens.
    pub fn hear(&self) -> watch::Receiver<()> {
        self.happened.subscribe()
    }

    /// Where to look, for who was told that something happened.
    pub fn take_look(&self) -> Look {
        if self.older.swap(false, Ordering::SeqCst) { Look::Whole } else { Look::Recent }
    }

    fn wake(&self, look: Look) {
        if look == Look::Whole {
            self.older.store(true, Ordering::SeqCst);
        }
        self.happened.send_replace(());
    }
}

async fn notify(db: impl sqlx::PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(db).await.map(|_| ())
}

/// Why notices do not come.
#[derive(Debug, thiserror::Error)]
enum Deaf {
    #[error("{0}")]
    Failed(#[from] sqlx::Error),
    #[error("{0}")]
    Held(#[from] Error),
    #[error("a notice does not arrive; is there a pooler in between?")]
    Silent(#[from] tokio::time::error::Elapsed),
}

/// Hears other processes, for as long as it is not dropped.
pub async fn listen(app: App) {
    if app.db.backend() != DbBackend::Postgres {
        return;
    }
    loop {
        let Err(error) = try_listen(&app).await;
        if !app.events.news.warned.swap(true, Ordering::SeqCst) {
            tracing::warn!("the events of other servers are looked for once a second, not heard at once: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn try_listen(app: &App) -> Result<std::convert::Infallible, Deaf> {
    app.checkpoints.pass(Checkpoint::Listening).await?;
    let pool = app.db.postgres();
    // A connection of its own, which no request has to go without.
    let own = PgPoolOptions::new().max_connections(1).connect_lazy_with((*pool.connect_options()).clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(CHANNEL).await?;
    // A pooler accepts LISTEN and may lend the connection to another one afterwards.
    notify(pool).await?;
    tokio::time::timeout(PATIENCE, listener.recv()).await??;
    // Others may have told before it listened.
    app.events.news.wake(Look::Whole);
    loop {
        // Without a notice: a new connection after one that was lost, and notices with it.
        let look = if listener.try_recv().await?.is_some() { Look::Recent } else { Look::Whole };
        app.events.news.wake(look);
    }
}
