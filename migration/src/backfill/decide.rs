//! Which job made which prediction: pure functions on plain data, the same for `plan` and `run`.
//!
//! What is judged is a transaction, never a row alone: rows of one owner that share `created_at` were written by one
//! worker and belong to one job, or to none. Each check rests on a fact of the program that wrote the rows:
//!
//! | check | fact |
//! |---|---|
//! | the transaction lies in the job's window | a worker's clock gives `started_at`, `predicted_at` and `completed_at` |
//! | the file lists each of its rows, with the same ratios | a job stores nothing but rows of its file |
//! | in the order of the file | a worker reads its file from top to bottom |
//! | it has at most 50 rows | rows are committed in transactions of up to 50 |
//! | it neither overlaps nor crosses another transaction of the job, in time or in the file | a worker does one thing at a time |
//! | no other job of the time can have read that file, or another transaction shows whose it is | a source may be given for the wrong job |
//! | what was found is not more than the job counted | `successful_rows` may be too high, never too low |
//! | a row alone counts only where nothing else is possible | people write rows one by one, also during their job |

use std::collections::{HashMap, HashSet};

use entity::stored::LinkSource;
use sea_orm_migration::sea_orm::prelude::{DateTime, Uuid};

/// The most rows of one transaction.
pub const TRANSACTION_ROWS: usize = 50;
/// The most ratios of a row.
pub const MAX_RATIOS: usize = 5;
/// How far two notations of one ratio may be apart, in units of the fourth decimal.
const ROUNDING: i64 = 1;

/// A ratio of a file, in units of the fourth decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Says nothing about what was stored: unreadable, or larger than the column was.
    Unknown,
    /// Nothing was given.
    Missing,
    /// A number.
    Number(i64),
}

/// Company and year, as text that is the same wherever they are.
pub type Subject = Box<str>;

/// One line of a file.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place among the data rows, from 0.
    pub position: u32,
    /// The quarter, where the file gives one.
    pub quarter: Option<Box<str>>,
    /// The ratios.
    pub ratios: [Cell; MAX_RATIOS],
}

/// What a job's file lists.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The lines about each subject, in the order of the file.
    pub lines: HashMap<Subject, Vec<Line>>,
    /// How many data rows it has, good and bad.
    pub rows: u32,
}

/// What can be said of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It came to its end.
    Completed,
    /// It was cancelled or crashed: one transaction may outlast its window and its counts.
    Broken,
    /// It is still at work, so nothing is decided about it.
    AtWork,
    /// It was deleted; its receipt tells when it worked.
    Deleted,
}

/// What a job counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Rows read.
    pub processed: u32,
    /// Rows stored; may be too high.
    pub successful: u32,
    /// Rows that were not stored.
    pub failed: u32,
}

/// A job and the time it worked.
#[derive(Clone, Debug)]
pub struct Window {
    /// The job.
    pub job: Uuid,
    /// The tenant.
    pub organization: Option<Uuid>,
    /// When it started.
    pub from: DateTime,
    /// When it ended or last made progress.
    pub to: DateTime,
    /// What can be said of it.
    pub state: State,
    /// What it counted.
    pub counts: Counts,
    /// Data rows of its file by its own count, where it counted.
    pub rows: Option<u32>,
    /// What its file lists, where it is known.
    pub listing: Option<Listing>,
    /// Why its file is not used, or another remark for the report.
    pub note: Option<String>,
}

/// How a row stands before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Without a link, or with one that this very run made.
    Undecided,
    /// The operator's list names its job.
    Claimed(Uuid),
    /// Linked already; left alone.
    Linked(Uuid),
    /// Its job was deleted; left alone.
    Released,
}

/// A prediction, as far as it matters.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub organization: Option<Uuid>,
    /// Company and year.
    pub subject: Subject,
    /// The quarter.
    pub quarter: Option<Box<str>>,
    /// The ratios in units of the fourth decimal.
    pub ratios: [Option<i64>; MAX_RATIOS],
    /// Whether it was changed after it was written, so that its ratios say nothing.
    pub edited: bool,
    /// The worker's clock.
    pub predicted_at: DateTime,
    /// The beginning of its transaction by the clock of the database.
    pub created_at: Option<DateTime>,
    /// When its transaction's first row was written, where that was before the rows at hand.
    pub began: Option<DateTime>,
    /// How it stands.
    pub standing: Standing,
}

/// Why a row stays without a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Two jobs or more could have made it, or its job or a hand.
    Ambiguous,
    /// Counts, transactions or files disagree.
    Contradicted,
    /// A row alone that no job explains.
    ByHand,
    /// A job that is gone made it.
    JobDeleted,
    /// Nothing names a job.
    NoCandidate,
}

impl Reason {
    /// The word for it in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Contradicted => "contradicted",
            Self::ByHand => "by_hand",
            Self::JobDeleted => "job_deleted",
            Self::NoCandidate => "no_candidate",
        }
    }
}

/// What is to be done with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Link it.
    Link(Uuid, LinkSource),
    /// Leave it without a link, and the jobs that were at work at the time.
    Leave(Reason, Vec<Uuid>),
    /// It was linked or released before; it is none of this run's business.
    Alone,
}

/// Rows that one writer committed together.
struct Transaction {
    rows: Vec<usize>,
    first: DateTime,
    last: DateTime,
    /// Windows of its owner that hold it.
    windows: Vec<usize>,
    /// Windows whose file lists it.
    candidates: Vec<(usize, Place)>,
    /// Windows whose file listed it at first.
    listed: Vec<usize>,
    /// Its only candidate may have been given the file of another job.
    contested: bool,
    taken: Taken,
}

/// What rows of the transaction that are linked already say about the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    No,
    By(Uuid),
    Gone,
    Torn,
}

/// Where in a file the rows of a transaction stand. A file may list a period twice, so there are bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The earliest line that its last row can be.
    earliest_last: u32,
    /// The latest line that its first row can be.
    latest_first: u32,
    /// How many of its rows are lines that the job counted as read, at the least.
    counted: u32,
}

impl Transaction {
    fn is_alone(&self) -> bool {
        self.rows.len() == 1
    }

    fn place(&self, window: usize) -> Option<Place> {
        self.candidates.iter().find(|(candidate, _)| *candidate == window).map(|(_, place)| *place)
    }

    fn only_candidate(&self) -> Option<usize> {
        if let [(window, _)] = self.candidates[..] { Some(window) } else { None }
    }
}

/// Decides about the rows of one user and kind, in the order of `predicted_at`, among all windows that could hold them.
pub fn decide(windows: &[Window], rows: &[Row], accept_time_window: bool) -> Vec<Verdict> {
    let mut transactions = transactions(rows);
    for transaction in &mut transactions {
        find_candidates(transaction, windows, rows);
    }
    drop_what_crosses(&mut transactions, windows.len());
    mark_contested(&mut transactions, windows);
    let mut chosen: Vec<Option<(usize, LinkSource)>> = vec![None; transactions.len()];
    for window in 0..windows.len() {
        for index in by_file(&transactions, window, &windows[window]) {
            chosen[index] = Some((window, LinkSource::SourceFile));
        }
        if accept_time_window {
            for index in by_time(&transactions, window, &windows[window]) {
                chosen[index] = Some((window, LinkSource::TimeWindow));
            }
        }
    }
    let mut verdicts = vec![Verdict::Alone; rows.len()];
    for (transaction, chosen) in transactions.iter().zip(chosen) {
        for &row in &transaction.rows {
            verdicts[row] = match (rows[row].standing, chosen) {
                (Standing::Linked(_) | Standing::Released, _) => Verdict::Alone,
                (Standing::Claimed(job), _) => Verdict::Link(job, LinkSource::Manifest),
                (Standing::Undecided, Some((window, source))) => Verdict::Link(windows[window].job, source),
                (Standing::Undecided, None) => leave(transaction, windows, accept_time_window),
            };
        }
    }
    verdicts
}

fn transactions(rows: &[Row]) -> Vec<Transaction> {
    let mut found: Vec<Transaction> = Vec::new();
    let mut known: HashMap<(Option<Uuid>, DateTime), usize> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let taken = match row.standing {
            Standing::Undecided => Taken::No,
            Standing::Claimed(job) | Standing::Linked(job) => Taken::By(job),
            Standing::Released => Taken::Gone,
        };
        let place = row.created_at.and_then(|at| known.get(&(row.organization, at)).copied());
        if let Some(place) = place {
            let transaction = &mut found[place];
            transaction.rows.push(index);
            transaction.last = row.predicted_at;
            transaction.taken = match (transaction.taken, taken) {
                (Taken::No, taken) | (taken, Taken::No) => taken,
                (one, other) if one == other => one,
                _ => Taken::Torn,
            };
            continue;
        }
        if let Some(at) = row.created_at {
            known.insert((row.organization, at), found.len());
        }
        found.push(Transaction {
            rows: vec![index],
            first: row.began.unwrap_or(row.predicted_at),
            last: row.predicted_at,
            windows: Vec::new(),
            candidates: Vec::new(),
            listed: Vec::new(),
            contested: false,
            taken,
        });
    }
    found
}

fn find_candidates(transaction: &mut Transaction, windows: &[Window], rows: &[Row]) {
    let organization = rows[transaction.rows[0]].organization;
    for (index, window) in windows.iter().enumerate() {
        let begins_in_it = window.from <= transaction.first && transaction.first <= window.to;
        let holds = begins_in_it && (window.state == State::Broken || transaction.last <= window.to);
        if window.organization != organization || !holds {
            continue;
        }
        transaction.windows.push(index);
        let Some(listing) = &window.listing else { continue };
        if transaction.rows.len() > TRANSACTION_ROWS {
            continue;
        }
        let Some(place) = place(listing, transaction, rows, window.counts.processed) else { continue };
        transaction.listed.push(index);
        let allowed = match transaction.taken {
            Taken::No => true,
            Taken::By(job) => job == window.job,
            Taken::Gone | Taken::Torn => false,
        };
        if allowed {
            transaction.candidates.push((index, place));
        }
    }
}

/// Finds the rows of a transaction in a file, in its order; `None` where it does not list them all.
fn place(listing: &Listing, transaction: &Transaction, rows: &[Row], processed: u32) -> Option<Place> {
    let lines = |row: usize| listing.lines.get(&rows[row].subject).map_or(&[][..], Vec::as_slice);
    let mut next = 0;
    let mut counted = 0;
    for &row in &transaction.rows {
        let line = lines(row).iter().find(|line| line.position >= next && lists(line, &rows[row]))?;
        counted += u32::from(line.position < processed);
        next = line.position + 1;
    }
    let mut before = u32::MAX;
    for &row in transaction.rows.iter().rev() {
        before = lines(row).iter().rev().find(|line| line.position < before && lists(line, &rows[row]))?.position;
    }
    Some(Place { earliest_last: next - 1, latest_first: before, counted })
}

fn lists(line: &Line, row: &Row) -> bool {
    let quarter = line.quarter.is_none() || line.quarter == row.quarter;
    quarter
        && (row.edited
            || line.ratios.iter().zip(&row.ratios).all(|(given, stored)| match (given, stored) {
                (Cell::Unknown, _) | (Cell::Missing, None) => true,
                (Cell::Number(given), Some(stored)) => (given - stored).abs() <= ROUNDING,
                _ => false,
            }))
}

/// The transactions of one job in the order of time, to find those that cannot both be its own.
struct Course {
    first: Vec<DateTime>,
    /// The latest end and the furthest line up to each transaction.
    ended: Vec<(DateTime, u32)>,
    /// The earliest beginning and the nearest line from each transaction on.
    begins: Vec<(DateTime, u32)>,
}

impl Course {
    /// `members` in the order of time.
    fn new(transactions: &[Transaction], members: &[(usize, Place)]) -> Self {
        let mut ended = Vec::with_capacity(members.len());
        let mut far: Option<(DateTime, u32)> = None;
        for (index, place) in members {
            let here = (transactions[*index].last, place.earliest_last);
            far = Some(far.map_or(here, |far| (far.0.max(here.0), far.1.max(here.1))));
            ended.extend(far);
        }
        let mut begins = Vec::with_capacity(members.len());
        let mut near: Option<(DateTime, u32)> = None;
        for (index, place) in members.iter().rev() {
            let here = (transactions[*index].first, place.latest_first);
            near = Some(near.map_or(here, |near| (near.0.min(here.0), near.1.min(here.1))));
            begins.extend(near);
        }
        begins.reverse();
        Self { first: members.iter().map(|(index, _)| transactions[*index].first).collect(), ended, begins }
    }

    /// Whether a transaction and another one of the course exclude each other. `own` = its place in the course.
    fn crosses(&self, transaction: &Transaction, place: Place, own: Option<usize>) -> bool {
        let (before, after) = match own {
            Some(own) => (own, own + 1),
            None => {
                let split = self.first.partition_point(|first| *first <= transaction.first);
                (split, split)
            }
        };
        let behind = before.checked_sub(1).map(|index| self.ended[index]);
        let ahead = self.begins.get(after).copied();
        behind.is_some_and(|(time, line)| time >= transaction.first || line >= place.latest_first)
            || ahead.is_some_and(|(time, line)| time <= transaction.last || line <= place.earliest_last)
    }
}

/// Takes candidates away whose transactions overlap or stand in another order than the file's lines.
///
/// Transactions of several rows with one candidate come first: nobody else can have written them. What crosses one of
/// them is not of that job. Among themselves, both are given up, for one of them is not.
fn drop_what_crosses(transactions: &mut [Transaction], windows: usize) {
    let sure: Vec<bool> = transactions.iter().map(|one| !one.is_alone() && one.only_candidate().is_some()).collect();
    for only_sure in [true, false] {
        let mut crossing = HashSet::new();
        for window in 0..windows {
            let places: Vec<(usize, Place)> =
                transactions.iter().enumerate().filter_map(|(index, one)| Some((index, one.place(window)?))).collect();
            let members: Vec<(usize, Place)> = places
                .iter()
                .filter(|(index, _)| if only_sure { sure[*index] } else { transactions[*index].candidates.len() == 1 })
                .copied()
                .collect();
            let course = Course::new(transactions, &members);
            let mut own = 0;
            for (index, place) in places {
                let member = members.get(own).is_some_and(|(member, _)| *member == index);
                // What is not sure speaks against its own kind alone.
                if (only_sure || member) && course.crosses(&transactions[index], place, member.then_some(own)) {
                    crossing.insert((index, window));
                }
                own += usize::from(member);
            }
        }
        for (index, window) in crossing {
            transactions[index].candidates.retain(|(candidate, _)| *candidate != window);
        }
    }
}

/// Marks what another job of the time may have written, if the file that was given for its candidate is that job's.
///
/// A file is shown to be a job's own by a transaction that it lists and that no other job was there to write. Where
/// neither the candidate's file nor the other job's is shown to be its own, the two may have been mistaken for each
/// other, unless the other job counted another number of rows.
fn mark_contested(transactions: &mut [Transaction], windows: &[Window]) {
    let mut shown = vec![false; windows.len()];
    for one in transactions.iter().filter(|one| !one.is_alone() && one.windows.len() == 1) {
        if let Some(window) = one.only_candidate() {
            shown[window] = true;
        }
    }
    for one in transactions.iter_mut() {
        let Some(own) = one.only_candidate().filter(|own| !shown[*own]) else { continue };
        let rows = windows[own].listing.as_ref().map(|listing| listing.rows);
        one.contested = one.windows.iter().any(|&other| {
            let may_be_its_file = windows[other].rows.is_none() || windows[other].rows == rows;
            other != own && may_be_its_file && !shown[other] && !one.listed.contains(&other)
        });
    }
}

/// The transactions that a job's file and counts give to it.
fn by_file(transactions: &[Transaction], window: usize, job: &Window) -> Vec<usize> {
    if !matches!(job.state, State::Completed | State::Broken) {
        return Vec::new();
    }
    let own = |alone: bool| {
        transactions
            .iter()
            .enumerate()
            .filter(move |(_, one)| one.is_alone() == alone && one.only_candidate() == Some(window))
    };
    let mut given: Vec<usize> = own(false).map(|(index, _)| index).collect();
    let rows: usize = given.iter().map(|index| transactions[*index].rows.len()).sum();
    let counted: u32 =
        given.iter().filter_map(|index| transactions[*index].place(window)).map(|place| place.counted).sum();
    let uncounted = given
        .iter()
        .filter(|index| {
            let one = &transactions[**index];
            one.place(window).is_some_and(|place| (place.counted as usize) < one.rows.len())
        })
        .count();
    // Progress is counted with each transaction, so that at most one is missing from the counts.
    if counted > job.counts.successful || uncounted > usize::from(job.state == State::Broken) {
        return Vec::new();
    }
    let alone: Vec<usize> = own(true).map(|(index, _)| index).collect();
    // Nothing failed, so no row was left out because somebody had made it by hand before; and nothing that the job
    // stored is missing, so each row is one that it stored.
    let complete =
        job.state == State::Completed && job.counts.failed == 0 && rows + alone.len() == job.counts.successful as usize;
    if complete {
        given.extend(alone);
    }
    given.retain(|index| !transactions[*index].contested);
    given
}

/// The transactions that only this job was there to write. Weaker than a file: a job that was deleted without a trace
/// may have written them.
fn by_time(transactions: &[Transaction], window: usize, job: &Window) -> Vec<usize> {
    if job.state != State::Completed || job.listing.is_some() {
        return Vec::new();
    }
    let own: Vec<usize> = transactions
        .iter()
        .enumerate()
        .filter(|(_, one)| {
            one.windows == [window]
                && !one.is_alone()
                && one.rows.len() <= TRANSACTION_ROWS
                && (one.taken == Taken::No || one.taken == Taken::By(job.job))
        })
        .map(|(index, _)| index)
        .collect();
    let rows: usize = own.iter().map(|index| transactions[*index].rows.len()).sum();
    let sequential = own.windows(2).all(|pair| transactions[pair[0]].last < transactions[pair[1]].first);
    if sequential && rows <= job.counts.successful as usize { own } else { Vec::new() }
}

fn leave(transaction: &Transaction, windows: &[Window], accept_time_window: bool) -> Verdict {
    let jobs = |indexes: &mut dyn Iterator<Item = usize>| indexes.map(|index| windows[index].job).collect::<Vec<_>>();
    let candidates = match &transaction.candidates[..] {
        [] => jobs(&mut transaction.windows.iter().copied()),
        some => jobs(&mut some.iter().map(|(index, _)| *index)),
    };
    let holders = || transaction.windows.iter().map(|index| &windows[*index]);
    let reason = if transaction.taken == Taken::Gone {
        Reason::JobDeleted
    } else if transaction.windows.is_empty() {
        if transaction.is_alone() { Reason::ByHand } else { Reason::JobDeleted }
    } else if transaction.taken == Taken::Torn {
        Reason::Contradicted
    } else if transaction.contested
        || transaction.candidates.len() > 1
        || (transaction.is_alone() && !transaction.candidates.is_empty())
    {
        Reason::Ambiguous
    } else if !transaction.listed.is_empty() {
        Reason::Contradicted
    } else if holders().all(|window| window.state == State::Deleted) {
        Reason::JobDeleted
    } else if holders().all(|window| window.listing.is_some()) {
        if transaction.is_alone() { Reason::ByHand } else { Reason::Contradicted }
    } else if transaction.windows.len() > 1 {
        Reason::Ambiguous
    } else if accept_time_window {
        Reason::Contradicted
    } else {
        Reason::NoCandidate
    };
    Verdict::Leave(reason, candidates)
}
