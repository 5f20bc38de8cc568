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

use entity::stored::LinkSource;
use sea_orm_migration::sea_orm::prelude::Uuid;

use super::{
    clocks::{drop_late, mark_contested},
    crossing::drop_what_crosses,
    facts::{Reason, State, TRANSACTION_ROWS, Verdict, Window},
    transaction::{Place, Taken, Transaction, Transactions},
};

/// By time alone a job is given rows only where they are so many tenths of what it counted.
const LEAST_TENTHS: usize = 9;
/// By time alone a job is given rows only where at most one row in so many failed.
const MOST_FAILED: u64 = 4;

/// So many jobs are named for a row that is left: more are of no help.
const MOST_CANDIDATES: usize = 10;

/// Decides about what the cluster as a whole decides, and answers the verdict on each row.
pub fn decide(
    transactions: Vec<Transaction>,
    windows: Vec<Window>,
    accept_time_window: bool,
) -> impl Iterator<Item = (Uuid, Verdict)> {
    let mut transactions = Transactions::new(transactions, windows.len());
    drop_late(&mut transactions, &windows);
    drop_what_crosses(&mut transactions, windows.len());
    mark_contested(&mut transactions, &windows);
    let mut chosen: Vec<Option<(usize, LinkSource)>> = vec![None; transactions.all.len()];
    for (window, job) in windows.iter().enumerate() {
        for index in by_file(&transactions, window, job) {
            chosen[index] = Some((window, LinkSource::SourceFile));
        }
        if accept_time_window {
            for index in by_time(&transactions, window, job) {
                chosen[index] = Some((window, LinkSource::TimeWindow));
            }
        }
    }
    transactions.all.into_iter().zip(chosen).flat_map(move |(one, chosen)| {
        let verdict = match chosen {
            Some((window, source)) => Verdict::Link(windows[window].job, source),
            None => leave(&one, &windows, accept_time_window),
        };
        one.undecided.into_iter().map(move |id| (id, verdict.clone()))
    })
}

/// The transactions that a job's file and counts give to it.
fn by_file(transactions: &Transactions, window: usize, job: &Window) -> Vec<usize> {
    if !matches!(job.state, State::Completed | State::Broken) {
        return Vec::new();
    }
    let own = |alone: bool| {
        transactions
            .listed_by(window)
            .filter(move |(_, one, _)| one.is_alone() == alone && one.only_candidate() == Some(window))
    };
    let counted: u32 = own(false).map(|(_, _, place)| place.counted).sum();
    let torn = transactions.near(window).any(|(_, one)| one.in_parts && one.listed.contains(&window));
    if torn || counted > job.counts.successful {
        return Vec::new();
    }
    // Progress is counted with each transaction or row, so at most one transaction is missing from the counts: the one
    // that was under way.
    let is_counted = |one: &Transaction, place: Place| place.counted as usize >= one.size;
    let missing: Vec<Place> =
        own(false).filter(|(_, one, place)| !is_counted(one, *place)).map(|(_, _, place)| place).collect();
    let under_way = match missing[..] {
        [place] => job.state == State::Broken && place.earliest_last < job.counts.processed + TRANSACTION_ROWS,
        _ => false,
    };
    let mut given: Vec<usize> =
        own(false).filter(|(_, one, place)| under_way || is_counted(one, *place)).map(|(index, _, _)| index).collect();
    let rows: usize = given.iter().map(|index| transactions.all[*index].size).sum();
    let alone: Vec<usize> = own(true).map(|(index, _, _)| index).collect();
    // Nothing failed, so no row was left out because somebody had made it by hand before; and nothing that the job
    // stored is missing, so each row is one that it stored.
    let complete =
        job.state == State::Completed && job.counts.failed == 0 && rows + alone.len() == job.counts.successful as usize;
    if complete {
        given.extend(alone);
    }
    given.retain(|index| !transactions.all[*index].contested);
    given
}

/// The transactions that only this job was there to write. Weaker than a file: a job that was deleted without a trace
/// may have written them.
///
/// A job of whose rows many are missing has room for those of another one, and a job of whose rows many failed may have
/// read a file whose rows another one had stored before: both are given nothing.
fn by_time(transactions: &Transactions, window: usize, job: &Window) -> Vec<usize> {
    let mostly_failed = u64::from(job.counts.failed) * MOST_FAILED > u64::from(job.counts.processed);
    if job.state != State::Completed || job.listed.is_some() || mostly_failed {
        return Vec::new();
    }
    let own: Vec<usize> = transactions
        .near(window)
        .filter(|(_, one)| {
            one.windows == [window]
                && !one.is_alone()
                && one.size <= TRANSACTION_ROWS as usize
                && one.taken.allows(job.job)
        })
        .map(|(index, _)| index)
        .collect();
    if transactions.near(window).any(|(_, one)| one.in_parts && one.windows.contains(&window)) {
        return Vec::new();
    }
    let one = |index: &usize| &transactions.all[*index];
    let rows: usize = own.iter().map(|index| one(index).size).sum();
    let sequential = own.windows(2).all(|pair| one(&pair[0]).last < one(&pair[1]).first);
    let successful = job.counts.successful as usize;
    let nearly_all = rows <= successful && rows * 10 >= successful * LEAST_TENTHS;
    if sequential && nearly_all { own } else { Vec::new() }
}

/// The verdict on a transaction that no job is given.
pub fn leave(transaction: &Transaction, windows: &[Window], accept_time_window: bool) -> Verdict {
    let jobs = |indexes: &mut dyn Iterator<Item = usize>| {
        indexes.map(|index| windows[index].job).take(MOST_CANDIDATES).collect::<Vec<_>>()
    };
    let candidates = match &transaction.candidates[..] {
        [] => jobs(&mut transaction.windows.iter().copied()),
        some => jobs(&mut some.iter().map(|(index, _)| *index)),
    };
    let holders = || transaction.windows.iter().map(|index| &windows[*index]);
    let reason = if transaction.taken == Taken::Gone {
        Reason::JobDeleted
    } else if transaction.windows.is_empty() {
        if transaction.is_alone() { Reason::ByHand } else { Reason::JobDeleted }
    } else if transaction.taken == Taken::Torn || transaction.in_parts {
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
    } else if holders().all(|window| window.listed.is_some()) {
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
