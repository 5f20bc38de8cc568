//! Reading lists from a standby, which shows everything that the primary has written, a little later.
//!
//! Four times a second it is asked how far it has come, and the primary how far it has written. Who has changed something
//! reads from the primary until the standby shows it.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    num::ParseIntError,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use migration::hosts::{self, Line};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, prelude::Uuid};
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep},
};

use super::{
    primary::{Primary, Wanted},
    reader::Reader,
    site::{Host, Site},
};

/// Which database it is: a cluster's hosts are at the same positions in each of its databases, and so may another cluster's be.
macro_rules! database {
    () => {
        "concat_ws(' ', current_database(), (SELECT system_identifier FROM pg_control_system()))"
    };
}

/// How often both are asked.
const PAUSE: Duration = Duration::from_millis(250);
/// How long to look for a standby before the log says that there is none.
const TOLD_AFTER: Duration = Duration::from_secs(5);
/// Where the primary's log is safely on its disk, from which standbys are sent it; in bytes from its beginning.
const WRITTEN: &str = concat!("SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint, ", database!());
/// Whether a host is a standby, how far it has replayed, and what.
const REPLAYED: &str = concat!("SELECT pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0')::bigint, ", database!());

/// Where the primary's log ends, with whatever is committed.
const CHANGED: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";

/// A position in the primary's write-ahead log, in bytes from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(i64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Position {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// Where lists may be read. Cheap to clone.
#[derive(Clone)]
pub(super) struct Standby {
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

impl fmt::Debug for Standby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Standby")
    }
}

/// Up to where everything is that was committed before; `None`: the primary cannot tell.
pub(super) async fn changed(primary: &Reader) -> Option<Position> {
    let statement = Statement::from_string(DbBackend::Postgres, CHANGED);
    let row = primary.query_one_raw(statement).await.ok()??;
    row.try_get_by_index(0).ok().map(Position)
}

#[derive(Debug, Default)]
struct State {
    /// The standby, while it may be read from.
    site: Option<Arc<Site>>,
    /// How far it has come.
    replayed: Option<Position>,
    /// It shows all that was written by then.
    shows: Option<Instant>,
    /// How often both were asked so far.
    looks: u64,
    /// Who waits for the standby to show something.
    waiting: HashMap<Uuid, Shown>,
}

/// When a standby shows what a user has changed, or heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// When it has come to where the primary was at the first look after this one.
    After(u64),
    /// When it has come here.
    At(Position),
}

impl State {
    /// Whether it shows all that this user has changed.
    fn shows(&self, user: Uuid, written: Option<Position>) -> bool {
        let has = |position| self.replayed >= Some(position);
        let changes = match self.waiting.get(&user) {
            None => true,
            Some(Shown::After(_)) => false,
            Some(Shown::At(position)) => has(*position),
        };
        changes && written.is_none_or(has)
    }

    fn wait(&mut self, user: Uuid, position: Option<Position>) {
        let shown = match (position, self.waiting.get(&user)) {
            // A look that is under way may have asked the primary before this.
            (None, _) | (Some(_), Some(Shown::After(_))) => Shown::After(self.looks),
            (Some(position), Some(Shown::At(known))) => Shown::At(position.max(*known)),
            (Some(position), None) => Shown::At(position),
        };
        self.waiting.insert(user, shown);
    }

    /// A look has ended.
    fn looked(&mut self, look: u64, replayed: Option<Position>, written: Option<Position>) {
        self.replayed = replayed.or(self.replayed);
        for shown in self.waiting.values_mut() {
            if let (Shown::After(since), Some(written)) = (&shown, written)
                && *since < look
            {
                *shown = Shown::At(written);
            }
        }
        let replayed = self.replayed;
        self.waiting.retain(|_, shown| !matches!(shown, Shown::At(position) if replayed >= Some(*position)));
    }
}

impl Standby {
    /// Follows one of the hosts that a URL names, which is read from while it is at most so far behind the primary.
    pub(super) fn follow(url: &str, behind: Duration, primary: Primary, wanted: Wanted) -> Result<Self, DbErr> {
        let hosts = hosts::each(url).map_err(|error| DbErr::Custom(error.to_string()))?;
        let state = Arc::<Mutex<State>>::default();
        let site = primary.last();
        let look = Look {
            asked: hosts[0].line(),
            primary: Line::new(site.connect_options()),
            site,
            reasons: vec!["was not asked yet"; hosts.len()],
            hosts,
            current: 0,
            tried: Instant::now(),
            unused: None,
            following: Following::default(),
            behind,
            wanted,
            leader: primary,
            state: state.clone(),
        };
        Ok(Self { state, task: tokio::spawn(look.follow()).abort_handle() })
    }

    /// The standby, if it shows this user all that the user has changed: here, and elsewhere up to `written`.
    pub(super) fn for_user(&self, user: Uuid, written: Option<Position>) -> Option<Arc<Site>> {
        let state = state(&self.state);
        state.site.clone().filter(|_| state.shows(user, written))
    }

    /// How old at most what is read from it is; `None`: nothing is.
    pub(super) fn age(&self) -> Option<Duration> {
        let state = state(&self.state);
        state.shows.filter(|_| state.site.is_some()).map(|at| at.elapsed())
    }

    /// This user has changed something that is committed up to here, or has heard of it just now.
    pub(super) fn wait(&self, user: Uuid, position: Option<Position>) {
        state(&self.state).wait(user, position);
    }

    /// Looks no more, and lets go of its connections.
    pub(super) fn close(&self) {
        self.task.abort();
        if let Some(site) = state(&self.state).site.take() {
            site.end();
        }
    }
}

fn state(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What tells whether a standby follows the primary, and how closely.
#[derive(Debug, Default)]
struct Following {
    /// Where the primary was, and when, of what the standby has not come to yet; the oldest first.
    ahead: VecDeque<(Instant, Position)>,
    /// How far the standby had come at the last look.
    replayed: Option<Position>,
    /// It shows all that was written by then.
    shows: Option<Instant>,
}

impl Following {
    /// `replayed` was asked before `written`.
    fn looked(&mut self, replayed: Option<Position>, written: Option<Position>, now: Instant) {
        let (Some(replayed), Some(written)) = (replayed, written) else { return };
        if self.replayed > Some(replayed) {
            // It was restarted, and reads again what it had read.
            *self = Self::default();
        }
        self.replayed = Some(replayed);
        if replayed > written {
            // What it has is not of this primary: another one has taken over, and it does not follow yet.
            *self = Self::default();
            return;
        }
        while let Some((at, _)) = self.ahead.front().filter(|(_, position)| replayed >= *position) {
            self.shows = Some(*at);
            self.ahead.pop_front();
        }
        self.ahead.push_back((now, written));
    }

    /// Whether it is at most so far behind.
    fn is_within(&self, behind: Duration, now: Instant) -> bool {
        self.shows.is_some_and(|at| now.duration_since(at) <= behind)
    }
}

/// That lists are read from the primary although there should be a standby.
#[derive(Clone, Copy)]
enum Unused {
    Since(Instant),
    /// The log says so.
    Told,
}

struct Look {
    hosts: Vec<hosts::Host>,
    /// Why each was not read from when it was asked last.
    reasons: Vec<&'static str>,
    /// The one that is asked, and since when.
    current: usize,
    tried: Instant,
    asked: Line,
    unused: Option<Unused>,
    /// The primary, and how it is asked.
    site: Arc<Site>,
    primary: Line,
    leader: Primary,
    following: Following,
    behind: Duration,
    wanted: Wanted,
    state: Arc<Mutex<State>>,
}

impl Look {
    async fn follow(mut self) {
        loop {
            self.look().await;
            sleep(PAUSE).await;
        }
    }

    async fn look(&mut self) {
        let look = {
            let mut state = state(&self.state);
            state.looks += 1;
            state.looks
        };
        let answer = self.asked.ask::<(bool, Option<i64>, String)>(REPLAYED).await;
        let leader = self.leader.last();
        if !Arc::ptr_eq(&leader, &self.site) {
            self.primary = Line::new(leader.connect_options());
            self.site = leader;
            self.following = Following::default();
        }
        let primary = self.primary.ask::<(i64, String)>(WRITTEN).await;
        let now = Instant::now();
        let is_other = answer.as_ref().zip(primary.as_ref()).is_some_and(|(standby, primary)| standby.2 != primary.1);
        let written = primary.map(|(at, _)| Position(at));
        let replayed = match answer {
            Some((true, at, _)) if !is_other => at.map(Position),
            _ => None,
        };
        self.following.looked(replayed, written, now);
        let why = match answer {
            None => Some("does not answer"),
            Some((false, ..)) => Some("is no standby"),
            Some(_) if is_other => Some("is of another database"),
            Some(_) if !self.following.is_within(self.behind, now) => Some("is too far behind"),
            Some(_) => None,
        };
        match why {
            None => {
                self.unused = None;
                self.take().await;
            }
            Some(why) => self.leave(why, now),
        }
        {
            let mut state = state(&self.state);
            state.looked(look, replayed, written);
            state.shows = self.following.shows;
        }
        if why.is_some() && self.hosts.len() > 1 && now.duration_since(self.tried) > self.behind.min(PAUSE * 4) {
            self.current = (self.current + 1) % self.hosts.len();
            self.tried = now;
            self.asked = self.hosts[self.current].line();
            self.following = Following::default();
        }
    }

    /// Lets lists be read from it.
    async fn take(&self) {
        if state(&self.state).site.is_some() {
            return;
        }
        let host = &self.hosts[self.current];
        let Wanted { connections, watch } = self.wanted.clone();
        match Site::open(&host.url, connections, Host::Standby, watch).await {
            Ok(site) => {
                tracing::info!("lists are read from the standby {host:?} now");
                state(&self.state).site = Some(Arc::new(site));
            }
            Err(error) => tracing::error!("cannot use the standby {host:?}: {error}"),
        }
    }

    /// Lets lists be read from the primary.
    fn leave(&mut self, why: &'static str, now: Instant) {
        let host = &self.hosts[self.current];
        self.reasons[self.current] = why;
        match state(&self.state).site.take() {
            Some(site) => {
                tracing::warn!("lists are read from the primary: the standby {host:?} {why}");
                site.end();
                self.unused = Some(Unused::Told);
            }
            None => match self.unused {
                None => self.unused = Some(Unused::Since(now)),
                Some(Unused::Since(since)) if now.duration_since(since) > TOLD_AFTER => {
                    let each = self.hosts.iter().zip(&self.reasons).map(|(host, why)| format!("{} {why}", host.name));
                    tracing::warn!(
                        "lists are read from the primary, as no standby follows it: {}",
                        each.collect::<Vec<_>>().join(", ")
                    );
                    self.unused = Some(Unused::Told);
                }
                Some(_) => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_standby_is_as_old_as_the_last_position_that_it_has_come_to() {
        let at = |position| Some(Position(position));
        let (mut following, began) = (Following::default(), Instant::now());
        following.looked(at(90), at(100), began);
        assert!(!following.is_within(10 * SECOND, began), "it has come to nothing yet");
        following.looked(at(100), at(200), began + SECOND);
        assert!(following.is_within(SECOND, began + SECOND));
        // It stands still, and the primary goes on.
        following.looked(at(150), at(300), began + 2 * SECOND);
        assert!(!following.is_within(SECOND, began + 2 * SECOND));
        following.looked(None, at(300), began + 3 * SECOND);
        following.looked(at(300), None, began + 4 * SECOND);
        assert!(!following.is_within(3 * SECOND, began + 4 * SECOND));
        following.looked(at(300), at(300), began + 5 * SECOND);
        assert!(following.is_within(3 * SECOND, began + 5 * SECOND));
    }

    #[test]
    fn what_another_primary_has_written_is_no_sign_of_following() {
        let at = |position| Some(Position(position));
        let (mut following, began) = (Following::default(), Instant::now());
        // It was ahead of the one that was promoted, and stands still while that one passes it.
        for (second, written) in [100, 150, 190, 210, 300].into_iter().enumerate() {
            let now = began + SECOND * u32::try_from(second).unwrap();
            following.looked(at(200), at(written), now);
            assert!(!following.is_within(100 * SECOND, now), "{written}");
        }
        // It was brought back to where both agreed, and follows.
        following.looked(at(120), at(310), began + 5 * SECOND);
        following.looked(at(310), at(310), began + 6 * SECOND);
        assert!(following.is_within(SECOND, began + 6 * SECOND));
    }

    #[test]
    fn a_standby_that_was_restarted_is_as_old_as_what_it_has_come_to_since() {
        let at = |position| Some(Position(position));
        let (mut following, began) = (Following::default(), Instant::now());
        following.looked(at(100), at(100), began);
        following.looked(at(200), at(200), began + SECOND);
        assert!(following.is_within(10 * SECOND, began + SECOND));
        // After a crash it answers as soon as its files agree, and reads again what it had read.
        following.looked(at(150), at(300), began + 2 * SECOND);
        assert!(!following.is_within(10 * SECOND, began + 2 * SECOND));
        following.looked(at(300), at(300), began + 3 * SECOND);
        assert!(following.is_within(10 * SECOND, began + 3 * SECOND));
    }

    #[test]
    fn a_change_is_shown_from_the_first_look_after_it() {
        let at = |position| Some(Position(position));
        let (mut state, user) = (State { looks: 7, ..State::default() }, Uuid::now_v7());
        state.looked(7, at(10), at(10));
        assert!(state.shows(user, None) && state.shows(user, at(10)) && !state.shows(user, at(11)));
        state.wait(user, None);
        // This look may have asked the primary before the change.
        state.looked(7, at(20), at(20));
        assert!(!state.shows(user, None));
        state.looked(8, at(20), at(30));
        assert!(!state.shows(user, None));
        state.looked(9, at(30), at(40));
        assert!(state.shows(user, None) && state.waiting.is_empty());
        state.wait(user, at(50));
        state.wait(user, at(45));
        state.looked(10, at(49), at(60));
        assert!(!state.shows(user, None));
        state.looked(11, at(50), at(60));
        assert!(state.shows(user, None));
        assert!(state.shows(Uuid::now_v7(), None));
    }

    #[test]
    fn a_change_that_comes_while_the_user_waits_for_an_earlier_one_is_waited_for_too() {
        let at = |position| Some(Position(position));
        let (mut state, user) = (State { looks: 7, ..State::default() }, Uuid::now_v7());
        state.wait(user, None);
        // The next look has asked the primary, and is not at its end when the user changes something more.
        state.looks = 8;
        state.wait(user, at(70));
        state.looked(8, at(60), at(60));
        assert!(!state.shows(user, None));
        state.looked(9, at(60), at(75));
        assert!(!state.shows(user, None));
        state.looked(10, at(75), at(80));
        assert!(state.shows(user, None) && state.waiting.is_empty());
    }
}
