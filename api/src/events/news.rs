//! Wakes the readers: in this process at once, in others by the database where it can. They look once a second anyway,
//! so nothing rests on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::DbBackend;
use tokio::sync::watch;

use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{
        Database, Site,
        notices::{self, Deaf, Notices},
    },
    error::Error,
};

/// The channel on which processes of a PostgreSQL database wake each other.
const CHANNEL: &str = "joblink_events";
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
                Ok(mut connection) => site.alive(notices::notify(&mut connection, CHANNEL, "")).await,
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

/// Why other processes are not heard.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error("{0}")]
    Deaf(#[from] Deaf),
    #[error("{0}")]
    Held(#[from] Error),
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

async fn try_listen(app: &App, site: &Site) -> Result<std::convert::Infallible, Unheard> {
    app.checkpoints.pass(Checkpoint::Listening).await?;
    let mut notices = Notices::of(site, CHANNEL).await?;
    // Others may have told before it listened.
    app.events.news.wake(Look::Whole);
    loop {
        // Without a notice: a new connection after one that was lost, and notices with it.
        let heard = notices.next().await?;
        app.events.news.wake(if heard.is_some() { Look::Recent } else { Look::Whole });
    }
}
