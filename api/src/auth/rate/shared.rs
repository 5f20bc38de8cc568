//! What callers ask of all servers of a PostgreSQL database together: each tells the others five times a second how many requests
//! of whom it has taken, and counts what it hears as if it had taken them itself.
//!
//! So a limit holds for all of them but for what comes at several within that time, and that is owed: who sent more waits longer.

use std::{convert::Infallible, sync::Arc, time::Duration};

use sea_orm::{DbBackend, prelude::Uuid};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{Caller, Limiter};
use crate::database::{
    Database, Site,
    notices::{Deaf, Notices},
};

/// The channel on which servers tell each other.
const CHANNEL: &str = "joblink_rates";
/// How often they do.
const EVERY: Duration = Duration::from_millis(200);
/// Callers in one notice, each of at most 52 bytes: PostgreSQL takes less than 8,000.
const IN_ONE: usize = 128;
/// How long to wait for another host.
const SOON: Duration = Duration::from_millis(500);
/// How long to go without notices before trying again.
const PAUSE: Duration = Duration::from_secs(30);

/// What one server tells the others.
#[derive(Debug, Serialize, Deserialize)]
struct Notice {
    /// Which server.
    from: Uuid,
    /// The requests that it has taken since it last told.
    taken: Vec<(Caller, u32)>,
}

/// Shares the counts with other servers until it is told to stop; nothing on SQLite, which has one server.
pub async fn work(db: Database, limiter: Arc<Limiter>, stop: CancellationToken) {
    if db.backend() != DbBackend::Postgres {
        return;
    }
    let own = Uuid::new_v4();
    tokio::select! {
        () = stop.cancelled() => {}
        () = hear(&db, &limiter, own) => {}
        () = tell(&db, &limiter, own) => {}
    }
}

async fn tell(db: &Database, limiter: &Limiter, own: Uuid) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let taken: Vec<_> = limiter.take_untold().into_iter().collect();
        for taken in taken.chunks(IN_ONE) {
            let notice = Notice { from: own, taken: taken.to_vec() };
            let told = match serde_json::to_string(&notice) {
                Ok(text) => db.site().notify(CHANNEL, &text).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = told {
                tracing::debug!("other servers were not told what callers asked here: {error}");
            }
        }
    }
}

async fn hear(db: &Database, limiter: &Limiter, own: Uuid) {
    let mut warned = false;
    loop {
        let site = db.site();
        let Err(error) = try_hear(&site, limiter, own).await;
        if site.is_over() {
            sleep(SOON).await;
            continue;
        }
        if !warned {
            tracing::warn!("the limits of requests count what is asked of this server alone: {error}");
            warned = true;
        }
        sleep(PAUSE).await;
    }
}

async fn try_hear(site: &Site, limiter: &Limiter, own: Uuid) -> Result<Infallible, Deaf> {
    let mut notices = Notices::of(site, CHANNEL).await?;
    loop {
        // That with which the listening begins has no text.
        let Some(text) = notices.next().await?.filter(|text| !text.is_empty()) else { continue };
        match serde_json::from_str::<Notice>(&text) {
            Ok(notice) if notice.from == own => {}
            Ok(notice) => {
                for (caller, requests) in notice.taken {
                    limiter.count_elsewhere(caller, requests);
                }
            }
            Err(error) => tracing::debug!("not understood what another server counted: {error}"),
        }
    }
}
