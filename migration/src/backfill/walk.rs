//! Goes through all predictions once, cluster of jobs by cluster of jobs, and decides. `plan` and `run` both walk here.

use std::collections::{HashMap, HashSet, VecDeque};

use chrono::TimeDelta;
use entity::stored::Kind;
use sea_orm_migration::sea_orm::{
    DatabaseConnection,
    prelude::{DateTime, Uuid},
};

use super::{
    Failure, Settings,
    decide::decide,
    evidence::{Sources, listing},
    facts::{LONGEST_TRANSACTION, Reason, Row, Standing, State, Verdict, Window},
    jobs::{self, Job},
    manifest::Manifest,
    rows::{self, Rows},
};

/// The most transactions that are remembered from before a cluster: far more than can be open at once.
const REMEMBERED: usize = 10_000;
/// The most rows outside all windows that are handed on at once.
const OUTSIDE: usize = 5_000;

/// Rows and what is to be done with them.
#[derive(Debug)]
pub struct Decided {
    /// Which table.
    pub kind: Kind,
    /// The jobs that were at work, without their files.
    pub jobs: Vec<Window>,
    /// Each row with its verdict.
    pub rows: Vec<(Uuid, Verdict)>,
    /// The time before these jobs in which no job was at work, or that rows outside all windows span.
    pub quiet: TimeDelta,
}

/// Where the evidence comes from.
pub struct Evidence {
    /// Files that jobs read.
    pub sources: Sources,
    /// The operator's list.
    pub manifest: Manifest,
}

/// Decides about every row that was predicted before `start`, and hands on what was decided.
///
/// Links that `run` made count as not made, so that a run that was interrupted decides again what it decided before.
pub async fn walk(
    db: &DatabaseConnection,
    settings: &Settings,
    evidence: &Evidence,
    start: DateTime,
    run: Option<Uuid>,
    mut hand_on: impl AsyncFnMut(Decided) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for kind in Kind::ALL.iter().copied() {
        let mut user = None;
        while let Some(next) = rows::next_user(db, kind, user).await? {
            let mut walk = UserWalk::new(db, settings, evidence, kind, next, start, run).await?;
            while let Some(decided) = walk.next().await? {
                hand_on(decided).await?;
            }
            user = Some(next);
        }
        let mut after = Uuid::nil();
        loop {
            let page = rows::nameless(db, kind, after).await?;
            let Some(last) = page.last() else { break };
            after = *last;
            let leave = |id| (id, Verdict::Leave(Reason::NoCandidate, Vec::new()));
            let rows = page.into_iter().map(leave).collect();
            hand_on(Decided { kind, jobs: Vec::new(), rows, quiet: TimeDelta::zero() }).await?;
        }
    }
    Ok(())
}

/// What is known of a job that the operator's list may name.
#[derive(Clone, Copy)]
struct Claimable {
    organization: Option<Uuid>,
    ended: bool,
}

struct UserWalk<'a> {
    settings: &'a Settings,
    evidence: &'a Evidence,
    kind: Kind,
    rows: Rows<'a>,
    /// Rows that were read and belong to what comes next.
    ahead: VecDeque<Row>,
    clusters: std::vec::IntoIter<Vec<Job>>,
    next_cluster: Option<Vec<Job>>,
    claimable: HashMap<Uuid, Claimable>,
    /// The end of what has been gone through.
    since: Option<DateTime>,
    /// When transactions began of which a part has been handed on.
    began: HashMap<(Option<Uuid>, DateTime), DateTime>,
}

impl<'a> UserWalk<'a> {
    async fn new(
        db: &'a DatabaseConnection,
        settings: &'a Settings,
        evidence: &'a Evidence,
        kind: Kind,
        user: Uuid,
        start: DateTime,
        run: Option<Uuid>,
    ) -> Result<Self, Failure> {
        let jobs = jobs::of_user(db, kind, user, start, settings.stale_after).await?;
        let claimable = jobs.iter().map(|job| {
            let ended = matches!(job.window.state, State::Completed | State::Broken);
            (job.window.job, Claimable { organization: job.window.organization, ended })
        });
        let claimable = claimable.collect();
        let mut clusters = jobs::clusters(jobs).into_iter();
        let next_cluster = clusters.next();
        let mut rows = Rows::of_user(db, &evidence.manifest, kind, user, run, start);
        let ahead = rows.next().await?.into_iter().collect();
        Ok(Self {
            settings,
            evidence,
            kind,
            rows,
            ahead,
            clusters,
            next_cluster,
            claimable,
            since: None,
            began: HashMap::new(),
        })
    }

    /// The rows before the next cluster, or of it.
    async fn next(&mut self) -> Result<Option<Decided>, Failure> {
        let Some(at) = self.ahead.front().map(|row| row.predicted_at) else {
            return Ok(self.next_cluster.take().map(|jobs| self.without_rows(jobs)));
        };
        let begins = self.next_cluster.as_ref().and_then(|jobs| jobs.first()).map(|job| job.window.from);
        if begins.is_none_or(|begins| at < begins) {
            return Ok(Some(self.take(begins, Vec::new()).await?));
        }
        let jobs = std::mem::replace(&mut self.next_cluster, self.clusters.next()).unwrap_or_default();
        let end = jobs.iter().map(|job| job.reach).max().unwrap_or(at);
        if at > end {
            return Ok(Some(self.without_rows(jobs)));
        }
        let mut windows = Vec::with_capacity(jobs.len());
        for job in jobs {
            windows.push(self.with_file(job).await);
        }
        return Ok(Some(self.take(Some(end + TimeDelta::microseconds(1)), windows).await?));
    }

    /// Jobs that left nothing behind; their files are of no interest.
    fn without_rows(&mut self, jobs: Vec<Job>) -> Decided {
        if self.ahead.is_empty() {
            self.next_cluster = self.clusters.next();
        }
        let quiet = self.quiet_until(jobs.first().map(|job| job.window.from));
        self.since = jobs.iter().map(|job| job.reach).max().or(self.since);
        Decided { kind: self.kind, jobs: jobs.into_iter().map(|job| job.window).collect(), rows: Vec::new(), quiet }
    }

    /// The time since what has been gone through; goes on from there.
    fn quiet_until(&mut self, time: Option<DateTime>) -> TimeDelta {
        let quiet = self.since.zip(time).map_or(TimeDelta::zero(), |(since, time)| time - since);
        self.since = self.since.max(time);
        quiet.max(TimeDelta::zero())
    }

    async fn with_file(&self, job: Job) -> Window {
        let mut window = job.window;
        if window.state == State::Deleted {
            return window;
        }
        let listing = match self.evidence.sources.of(window.job, &job.file_name).await {
            Ok(None) => return window,
            Ok(Some(source)) => listing(source, self.kind).await,
            Err(error) => Err(error),
        };
        match listing {
            Ok(listing) => match window.rows {
                Some(total) if total != listing.rows => {
                    window.note = Some(format!("its file has {} rows, the job counted {total}", listing.rows));
                }
                _ => window.listing = Some(listing),
            },
            Err(error) => window.note = Some(error.to_string()),
        }
        window
    }

    /// Reads rows up to a time, and decides about them.
    async fn take(&mut self, end: Option<DateTime>, mut jobs: Vec<Window>) -> Result<Decided, Failure> {
        let mut rows = Vec::new();
        let mut refused = Vec::new();
        let mut stragglers = self.stragglers(end, &jobs).await?;
        loop {
            let next = match self.ahead.pop_front_if(|row| end.is_none_or(|end| row.predicted_at < end)) {
                Some(row) => {
                    if self.ahead.is_empty() {
                        self.ahead.extend(self.rows.next().await?);
                    }
                    Some(row)
                }
                None => stragglers.pop_front(),
            };
            let Some(mut row) = next else { break };
            if let Standing::Claimed(job) = row.standing {
                let fits = |known: &Claimable| known.ended && known.organization == row.organization;
                if !self.claimable.get(&job).is_some_and(fits) {
                    row.standing = Standing::Undecided;
                    refused.push((rows.len(), job));
                }
            }
            row.began = row.created_at.and_then(|at| self.began.get(&(row.organization, at)).copied());
            rows.push(row);
            if jobs.is_empty() && rows.len() >= OUTSIDE {
                break;
            }
        }
        self.remember(&rows);
        let mut verdicts = decide(&jobs, &rows, self.settings.accept_time_window);
        for (row, job) in refused {
            verdicts[row] = Verdict::Leave(Reason::Contradicted, vec![job]);
        }
        for job in &mut jobs {
            job.listing = None;
        }
        let quiet = if let Some(first) = jobs.first() {
            let quiet = self.quiet_until(Some(first.from));
            self.since = end.or(self.since);
            quiet
        } else {
            self.since = self.since.or(rows.first().map(|row| row.predicted_at));
            self.quiet_until(rows.last().map(|row| row.predicted_at))
        };
        let rows = rows.iter().map(|row| row.id).zip(verdicts).collect();
        Ok(Decided { kind: self.kind, jobs, rows, quiet })
    }

    /// Rows after the end of a cluster whose transactions began in it: a transaction is judged as a whole.
    async fn stragglers(&mut self, end: Option<DateTime>, jobs: &[Window]) -> Result<VecDeque<Row>, Failure> {
        let Some(end) = end.filter(|_| !jobs.is_empty()) else { return Ok(VecDeque::new()) };
        while self.ahead.back().is_none_or(|last| last.predicted_at <= end + LONGEST_TRANSACTION) {
            let Some(row) = self.rows.next().await? else { break };
            self.ahead.push_back(row);
        }
        let key = |row: &Row| row.created_at.map(|at| (row.organization, at));
        let within: HashSet<_> = self.ahead.iter().filter(|row| row.predicted_at < end).filter_map(key).collect();
        let is_late = |row: &Row| row.predicted_at >= end && key(row).is_some_and(|key| within.contains(&key));
        let (stragglers, ahead) = std::mem::take(&mut self.ahead).into_iter().partition(is_late);
        self.ahead = ahead;
        Ok(stragglers)
    }

    fn remember(&mut self, rows: &[Row]) {
        let recent = rows.len().saturating_sub(REMEMBERED);
        if self.began.len() > REMEMBERED {
            let oldest = rows.first().map(|row| row.predicted_at - LONGEST_TRANSACTION);
            self.began.retain(|_, began| oldest.is_none_or(|oldest| *began >= oldest));
        }
        for row in &rows[recent..] {
            if let Some(at) = row.created_at {
                self.began.entry((row.organization, at)).or_insert(row.began.unwrap_or(row.predicted_at));
            }
        }
    }
}
