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
    DbBackend, DbErr, RuntimeErr,
    sqlx::{
        self, PgConnection,
        postgres::{PgListener, PgPoolOptions},
    },
};
use tokio::sync::watch;

use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{Database, Site},
    error::Error,
};

/// The channel on which processes of a PostgreSQL database wake each other.
const CHANNEL: &str = "joblink_events";
/// How long the first notice, which one sends oneself, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for more that others are to be told of, so that many changes at once are one notice.
const GATHERING: Duration = Duration::from_millis(10);
/// How long to wait for another host.
const SOON: Duration = Duration::from_millis(500);
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
        let (news, site) = (self.clone(), db.site());
        tokio::spawn(async move {
            tokio::time::sleep(GATHERING).await;
            let connection = site.alive(site.connection()).await;
            // What is committed from here on wants a notice of its own.
            news.sending.store(false, Ordering::SeqCst);
            let sent = match connection {
                Ok(mut connection) => site.alive(notify(&mut connection)).await,
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

async fn notify(connection: &mut PgConnection) -> Result<(), DbErr> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(connection).await.map(|_| ()).map_err(failed)
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// Why notices do not come.
#[derive(Debug, thiserror::Error)]
enum Deaf {
    #[error("{0}")]
    Failed(#[from] DbErr),
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
        let site = app.db.site();
        let Err(error) = try_listen(&app, &site).await;
        if site.is_over() {
            // Another host takes changes, or soon will. Until it is heard, the readers look once a second.
            app.events.news.wake(Look::Whole);
            tokio::time::sleep(SOON).await;
            continue;
        }
        if !app.events.news.warned.swap(true, Ordering::SeqCst) {
            tracing::warn!("the events of other servers are looked for once a second, not heard at once: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn try_listen(app: &App, site: &Site) -> Result<std::convert::Infallible, Deaf> {
    app.checkpoints.pass(Checkpoint::Listening).await?;
    // A connection of its own, which no request has to go without.
    let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(site.connect_options());
    let mut listener = site
        .alive(async {
            let mut listener = PgListener::connect_with(&own).await.map_err(failed)?;
            listener.listen(CHANNEL).await.map_err(failed)?;
            // A pooler accepts LISTEN and may lend the connection to another one afterwards.
            notify(&mut *site.connection().await?).await?;
            Ok(listener)
        })
        .await?;
    tokio::time::timeout(PATIENCE, site.alive(async { listener.recv().await.map_err(failed) })).await??;
    // Others may have told before it listened.
    app.events.news.wake(Look::Whole);
    loop {
        // Without a notice: a new connection after one that was lost, and notices with it.
        let heard = site.alive(async { listener.try_recv().await.map_err(failed) }).await?;
        app.events.news.wake(if heard.is_some() { Look::Recent } else { Look::Whole });
    }
}
