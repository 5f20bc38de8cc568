//! Goes through all predictions once, user by user in the order of time, and decides. `plan` and `run` both walk here.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use chrono::TimeDelta;
use entity::stored::Kind;
use sea_orm_migration::sea_orm::{
    DatabaseConnection,
    prelude::{DateTime, Uuid},
};

use super::{
    Failure, Settings,
    cluster::{Cluster, Remembered},
    evidence::{Sources, listing},
    facts::{LONGEST_TRANSACTION, Reason, Row, Standing, State, Verdict, Window},
    jobs::{self, Job, Overlapping},
    manifest::Manifest,
    pace::Courtesy,
    rows::{self, Rows},
};
use crate::counted::counted;

/// So many rows are handed on at once.
const PART: usize = 5_000;

/// What was decided, as the walk goes on.
#[derive(Debug)]
pub enum Decided {
    /// No job was at work for this long.
    Quiet(TimeDelta),
    /// A job whose rows come next.
    Job(Window),
    /// Rows and what is to be done with them.
    Rows {
        /// Which table.
        kind: Kind,
        /// Each row with its verdict.
        rows: Vec<(Uuid, Verdict)>,
        /// Whether no job was at work at the time.
        outside: bool,
    },
}

/// Where the evidence comes from.
pub struct Evidence {
    /// Files that jobs read.
    pub sources: Sources,
    /// The operator's list.
    pub manifest: Manifest,
}

/// What a plan and a run share.
pub struct Walk<'a> {
    pub db: &'a DatabaseConnection,
    pub settings: &'a Settings,
    pub evidence: &'a Evidence,
    pub courtesy: &'a Courtesy<'a>,
    /// When it began: what was predicted since is left to a later one.
    pub start: DateTime,
    /// Whose links count as not made, so that a run that was interrupted decides again what it decided before.
    pub run: Option<Uuid>,
}

impl Walk<'_> {
    /// Decides about every row, and hands on what was decided.
    pub async fn go(self, mut hand_on: impl AsyncFnMut(Decided) -> Result<(), Failure>) -> Result<(), Failure> {
        for kind in Kind::ALL.iter().copied() {
            let mut user = None;
            while let Some(next) = rows::next_user(self.db, kind, user).await? {
                let jobs = jobs::of_user(self.db, kind, next, self.start, self.settings.stale_after).await?;
                UserWalk::new(&self, kind, next, &jobs).go(jobs, &mut hand_on).await?;
                user = Some(next);
            }
            let mut after = Uuid::nil();
            loop {
                let began = Instant::now();
                let page = rows::nameless(self.db, kind, after).await?;
                self.courtesy.pause(began).await;
                let Some(last) = page.last() else { break };
                after = *last;
                let leave = |id| (id, Verdict::Leave(Reason::NoCandidate, Vec::new()));
                let rows = page.into_iter().map(leave).collect();
                hand_on(Decided::Rows { kind, rows, outside: true }).await?;
            }
        }
        Ok(())
    }
}

/// What is known of a job that the operator's list may name.
#[derive(Clone, Copy)]
struct Claimable {
    organization: Option<Uuid>,
    ended: bool,
}

struct UserWalk<'a> {
    walk: &'a Walk<'a>,
    kind: Kind,
    rows: Rows<'a>,
    /// Rows that were read and belong to what comes next.
    ahead: VecDeque<Row>,
    claimable: HashMap<Uuid, Claimable>,
    remembered: Remembered,
    /// The end of what has been gone through.
    since: Option<DateTime>,
}

impl<'a> UserWalk<'a> {
    fn new(walk: &'a Walk<'a>, kind: Kind, user: Uuid, jobs: &[Job]) -> Self {
        let claimable = jobs.iter().map(|job| {
            let ended = matches!(job.window.state, State::Completed | State::Broken);
            (job.window.job, Claimable { organization: job.window.organization, ended })
        });
        Self {
            walk,
            kind,
            rows: Rows::of_user(walk, kind, user),
            ahead: VecDeque::new(),
            claimable: claimable.collect(),
            remembered: Remembered::default(),
            since: None,
        }
    }

    async fn go(
        mut self,
        jobs: Vec<Job>,
        hand_on: &mut impl AsyncFnMut(Decided) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for cluster in jobs::clusters(jobs) {
            self.between(Some(cluster.from), hand_on).await?;
            self.within(cluster, hand_on).await?;
        }
        self.between(None, hand_on).await
    }

    /// Rows of a time in which no job was at work.
    async fn between(
        &mut self,
        end: Option<DateTime>,
        hand_on: &mut impl AsyncFnMut(Decided) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut remembered = std::mem::take(&mut self.remembered);
        let mut cluster = Cluster::new(&mut remembered, self.walk.settings.accept_time_window);
        let mut last = None;
        while let Some(row) = self.next_before(end).await? {
            self.since = self.since.or(Some(row.predicted_at));
            last = Some(row.predicted_at);
            cluster.add(row);
            self.hand_on_settled(&mut cluster.settled, true, hand_on).await?;
        }
        self.hand_on_all(cluster.decide(), true, hand_on).await?;
        self.remembered = remembered;
        if let (Some(since), Some(until)) = (self.since, end.or(last)) {
            hand_on(Decided::Quiet((until - since).max(TimeDelta::zero()))).await?;
        }
        Ok(())
    }

    /// Rows of the time of some jobs.
    async fn within(
        &mut self,
        overlapping: Overlapping,
        hand_on: &mut impl AsyncFnMut(Decided) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Overlapping { jobs, reach, .. } = overlapping;
        let mut jobs = VecDeque::from(jobs);
        let mut remembered = std::mem::take(&mut self.remembered);
        let mut cluster = Cluster::new(&mut remembered, self.walk.settings.accept_time_window);
        while let Some(row) = self.next_before(Some(reach + TimeDelta::microseconds(1))).await? {
            while let Some(job) = jobs.pop_front_if(|job| job.window.from <= row.predicted_at) {
                let window = self.with_file(job).await;
                hand_on(Decided::Job(Window { listing: None, ..window.clone() })).await?;
                cluster.begin(window);
            }
            cluster.add(row);
            self.hand_on_settled(&mut cluster.settled, false, hand_on).await?;
        }
        // The files of those that left nothing behind are of no interest.
        for job in jobs {
            hand_on(Decided::Job(job.window)).await?;
        }
        for row in self.stragglers(&cluster, reach).await? {
            cluster.add(row);
        }
        self.hand_on_all(cluster.decide(), false, hand_on).await?;
        self.remembered = remembered;
        self.since = Some(reach);
        Ok(())
    }

    /// The next row before a time.
    async fn next_before(&mut self, end: Option<DateTime>) -> Result<Option<Row>, Failure> {
        if self.ahead.is_empty() {
            let next = self.read().await?;
            self.ahead.extend(next);
        }
        Ok(self.ahead.pop_front_if(|row| end.is_none_or(|end| row.predicted_at < end)))
    }

    async fn read(&mut self) -> Result<Option<Row>, Failure> {
        let Some(mut row) = self.rows.next().await? else { return Ok(None) };
        if let Standing::Claimed(job) = row.standing {
            let fits = |known: &Claimable| known.ended && known.organization == row.organization;
            if !self.claimable.get(&job).is_some_and(fits) {
                row.standing = Standing::Refused(job);
            }
        }
        Ok(Some(row))
    }

    /// Rows after the end of a cluster whose transactions began in it: a transaction is judged as a whole.
    async fn stragglers(&mut self, cluster: &Cluster<'_>, end: DateTime) -> Result<VecDeque<Row>, Failure> {
        while self.ahead.back().is_none_or(|last| last.predicted_at <= end + LONGEST_TRANSACTION) {
            let Some(row) = self.read().await? else { break };
            self.ahead.push_back(row);
        }
        let (stragglers, ahead) = std::mem::take(&mut self.ahead).into_iter().partition(|row| cluster.has_begun(row));
        self.ahead = ahead;
        Ok(stragglers)
    }

    async fn hand_on_settled(
        &self,
        settled: &mut Vec<(Uuid, Verdict)>,
        outside: bool,
        hand_on: &mut impl AsyncFnMut(Decided) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if settled.len() >= PART {
            hand_on(Decided::Rows { kind: self.kind, rows: std::mem::take(settled), outside }).await?;
        }
        Ok(())
    }

    async fn hand_on_all(
        &self,
        mut decided: impl Iterator<Item = (Uuid, Verdict)>,
        outside: bool,
        hand_on: &mut impl AsyncFnMut(Decided) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let rows: Vec<(Uuid, Verdict)> = decided.by_ref().take(PART).collect();
            if rows.is_empty() {
                return Ok(());
            }
            hand_on(Decided::Rows { kind: self.kind, rows, outside }).await?;
        }
    }

    async fn with_file(&self, job: Job) -> Window {
        let mut window = job.window;
        if window.state == State::Deleted {
            return window;
        }
        let listing = match self.walk.evidence.sources.of(window.job, &job.file_name).await {
            Ok(None) => return window,
            Ok(Some(source)) => listing(source, self.kind).await,
            Err(error) => Err(error),
        };
        match listing {
            Ok(listing) => match window.rows {
                Some(total) if total != listing.rows => {
                    window.note =
                        Some(format!("its file has {}, the job counted {total}", counted(listing.rows, "row")));
                }
                _ => {
                    window.listed = Some(listing.rows);
                    window.listing = Some(listing);
                }
            },
            Err(error) => window.note = Some(error.to_string()),
        }
        window
    }
}
