//! The host that takes changes: the only one, or the one of several that a cluster's manager has chosen.
//!
//! Of several, each is asked twice a second how it stands. When another one is chosen, what is under way on the last one is
//! broken off, since a host that is frozen never answers; what only reads, and what has not committed yet, is done again on
//! the new one by whoever wants it.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use futures_util::future::join_all;
use migration::hosts::{self, Line, PAUSE, Standing, listed};
use sea_orm::{ConnAcquireErr, DbErr};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    ACQUIRE_WITHIN,
    reader::Watch,
    site::{Host, Site},
};
use crate::error::is_lost;

/// How long the host that takes changes may be silent, with no other in its place, until what is under way there is broken
/// off. A machine under load is silent for a while too.
const SILENT_FOR: Duration = Duration::from_secs(10);
/// How long to wait for another host after a connection was lost, before the same one is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// The host that takes changes. Cheap to clone.
#[derive(Clone)]
pub struct Primary {
    now: watch::Receiver<Now>,
    /// Of several hosts: who looks which one it is.
    follower: Option<Arc<Follower>>,
}

/// The host that takes changes, or the last one that did.
#[derive(Clone, Debug)]
struct Now {
    site: Arc<Site>,
    /// Its place in the list.
    place: usize,
    is_there: bool,
}

struct Follower {
    /// The hosts, for people.
    names: Vec<String>,
    suspicion: Arc<Notify>,
    task: AbortHandle,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Primary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Primary")
    }
}

/// How the connections to it are to be.
#[derive(Clone)]
pub(super) struct Wanted {
    pub connections: u32,
    pub watch: Option<Watch>,
}

impl Primary {
    /// Connects to the only host, or finds the one of several that takes changes.
    pub(super) async fn connect(url: &str, wanted: Wanted) -> Result<Self, DbErr> {
        let hosts = listed(url).map_err(|error| DbErr::Custom(error.to_string()))?;
        let Some(hosts) = hosts else {
            hosts::unless_standby(url, ACQUIRE_WITHIN).await.map_err(|error| DbErr::Custom(error.to_string()))?;
            let site = Site::open(url, wanted.connections, Host::Only, wanted.watch).await?;
            let (_, now) = watch::channel(Now { site: Arc::new(site), place: 0, is_there: true });
            return Ok(Self { now, follower: None });
        };
        let found = hosts::find(&hosts, ACQUIRE_WITHIN).await.map_err(|error| DbErr::Custom(error.to_string()))?;
        let site = Arc::new(open(&hosts[found.0], &wanted).await?);
        tracing::info!("the database host that takes changes is {:?}", hosts[found.0]);
        let (told, now) = watch::channel(Now { site, place: found.0, is_there: true });
        let suspicion = Arc::new(Notify::new());
        let lines = hosts.iter().map(hosts::Host::line).collect();
        let names = hosts.iter().map(|host| host.name.clone()).collect();
        let look = Look { hosts, lines, wanted, found, answered: Instant::now(), told };
        let task = tokio::spawn(look.follow(suspicion.clone())).abort_handle();
        Ok(Self { now, follower: Some(Arc::new(Follower { names, suspicion, task })) })
    }

    /// The host that takes changes, or the last one that did.
    pub fn last(&self) -> Arc<Site> {
        self.now.borrow().site.clone()
    }

    /// Of several hosts each by name, and whether changes go to it now.
    pub fn hosts(&self) -> Vec<(String, bool)> {
        let Some(follower) = &self.follower else { return Vec::new() };
        let now = self.now.borrow();
        let each = follower.names.iter().enumerate();
        each.map(|(place, name)| (name.clone(), now.is_there && place == now.place)).collect()
    }

    /// Whether there is no other host.
    pub(super) const fn is_only(&self) -> bool {
        self.follower.is_none()
    }

    /// The host that takes changes; waits for one until then.
    async fn site(&self, end: Instant) -> Result<Arc<Site>, DbErr> {
        let mut now = self.now.clone();
        let found = timeout_at(end, now.wait_for(|now| now.is_there)).await;
        let found = found.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        found.map(|now| now.site.clone()).map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))
    }

    /// Does what may be done twice; of several hosts, again on the next one where a connection is lost.
    pub(super) async fn run<T, F>(&self, work: impl Fn(Arc<Site>) -> F) -> Result<T, DbErr>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let Some(follower) = &self.follower else { return work(self.last()).await };
        let end = Instant::now() + ACQUIRE_WITHIN;
        loop {
            let site = self.site(end).await?;
            match site.alive(work(site.clone())).await {
                Err(error) if is_lost(&error) && Instant::now() + AGAIN < end => {
                    tracing::debug!("a connection to the database was lost; trying again: {error}");
                    follower.suspicion.notify_one();
                    if let Some(ended) = site.ended() {
                        _ = timeout(AGAIN, ended.cancelled()).await;
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Closes all connections, and looks for no host any more.
    pub(super) async fn close(&self) -> Result<(), DbErr> {
        if let Some(follower) = &self.follower {
            follower.task.abort();
        }
        self.last().close().await
    }
}

async fn open(host: &hosts::Host, wanted: &Wanted) -> Result<Site, DbErr> {
    Site::open(&host.url, wanted.connections, Host::OfSeveral, wanted.watch.clone()).await
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections", self.connections)
    }
}

/// Looks which host takes changes.
struct Look {
    hosts: Vec<hosts::Host>,
    lines: Vec<Line>,
    wanted: Wanted,
    /// The one that takes changes, or the last that did, and the timeline that it was on.
    found: (usize, u32),
    /// When that one answered last.
    answered: Instant,
    told: watch::Sender<Now>,
}

impl Look {
    async fn follow(mut self, suspicion: Arc<Notify>) {
        loop {
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = suspicion.notified() => {}
            }
            let standings = join_all(self.lines.iter_mut().map(Line::standing)).await;
            self.judge(&standings).await;
        }
    }

    async fn judge(&mut self, standings: &[Standing]) {
        let (current, timeline) = self.found;
        let is_there = self.told.borrow().is_there;
        if standings[current].answers() {
            self.answered = Instant::now();
        }
        match hosts::writable(standings, Some(self.found)) {
            Some(found) if found == self.found && is_there => {}
            // Also the same one as before: what was under way there was broken off, or is of an earlier timeline.
            Some(found) => match open(&self.hosts[found.0], &self.wanted).await {
                Ok(site) => {
                    tracing::warn!("changes go to the database host {:?} now", self.hosts[found.0]);
                    self.found = found;
                    self.answered = Instant::now();
                    let last = self.told.send_replace(Now { site: Arc::new(site), place: found.0, is_there: true });
                    last.site.end();
                }
                Err(error) => tracing::error!("cannot use the database host {:?}: {error}", self.hosts[found.0]),
            },
            None if !is_there => {}
            None if !standings[current].answers() && self.answered.elapsed() < SILENT_FOR => {}
            None => {
                let told = hosts::told(&self.hosts, standings, timeline);
                tracing::error!("no database host takes changes, requests wait for one: {told}");
                self.told.send_modify(|now| {
                    now.is_there = false;
                    now.site.end();
                });
            }
        }
    }
}
