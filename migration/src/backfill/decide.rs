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

use super::{
    clocks::{drop_late, mark_contested},
    crossing::drop_what_crosses,
    facts::{Reason, Row, Standing, State, TRANSACTION_ROWS, Verdict, Window},
    transaction::{Place, Taken, Transaction, find_candidates, transactions},
};

/// By time alone a job is given rows only where they are so many tenths of what it counted.
const LEAST_TENTHS: usize = 9;
/// By time alone a job is given rows only where at most one row in so many failed.
const MOST_FAILED: u64 = 4;

/// So many jobs are named for a row that is left: more are of no help.
const MOST_CANDIDATES: usize = 10;

/// Decides about the rows of one user and kind, in the order of `predicted_at`, among all windows that could hold them.
pub fn decide(windows: &[Window], rows: &[Row], accept_time_window: bool) -> Vec<Verdict> {
    let mut transactions = transactions(rows);
    for transaction in &mut transactions {
        find_candidates(transaction, windows, rows);
    }
    drop_late(&mut transactions, windows);
    drop_what_crosses(&mut transactions, windows.len());
    mark_contested(&mut transactions, windows);
    let mut chosen: Vec<Option<(usize, LinkSource)>> = vec![None; transactions.len()];
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
    let counted: u32 =
        given.iter().filter_map(|index| transactions[*index].place(window)).map(|place| place.counted).sum();
    if counted > job.counts.successful {
        return Vec::new();
    }
    // Progress is counted with each transaction or row, so at most one transaction is missing from the counts: the one
    // that was under way.
    let uncounted = |index: &usize| {
        let one = &transactions[*index];
        one.place(window).filter(|place| (place.counted as usize) < one.rows.len())
    };
    let missing: Vec<Place> = given.iter().filter_map(uncounted).collect();
    let under_way = match missing[..] {
        [place] => job.state == State::Broken && place.earliest_last < job.counts.processed + TRANSACTION_ROWS,
        _ => false,
    };
    if !under_way {
        given.retain(|index| uncounted(index).is_none());
    }
    let rows: usize = given.iter().map(|index| transactions[*index].rows.len()).sum();
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
///
/// A job of whose rows many are missing has room for those of another one, and a job of whose rows many failed may have
/// read a file whose rows another one had stored before: both are given nothing.
fn by_time(transactions: &[Transaction], window: usize, job: &Window) -> Vec<usize> {
    let mostly_failed = u64::from(job.counts.failed) * MOST_FAILED > u64::from(job.counts.processed);
    if job.state != State::Completed || job.listing.is_some() || mostly_failed {
        return Vec::new();
    }
    let own: Vec<usize> = transactions
        .iter()
        .enumerate()
        .filter(|(_, one)| {
            one.windows == [window]
                && !one.is_alone()
                && one.rows.len() <= TRANSACTION_ROWS as usize
                && (one.taken == Taken::No || one.taken == Taken::By(job.job))
        })
        .map(|(index, _)| index)
        .collect();
    let rows: usize = own.iter().map(|index| transactions[*index].rows.len()).sum();
    let sequential = own.windows(2).all(|pair| transactions[pair[0]].last < transactions[pair[1]].first);
    let successful = job.counts.successful as usize;
    let nearly_all = rows <= successful && rows * 10 >= successful * LEAST_TENTHS;
    if sequential && nearly_all { own } else { Vec::new() }
}

fn leave(transaction: &Transaction, windows: &[Window], accept_time_window: bool) -> Verdict {
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
