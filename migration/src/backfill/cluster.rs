//! Jobs that were at work at overlapping times, and the rows of that time as they pass.
//!
//! Rows are read once, in the order of time. Of those that are still being gathered all is kept; of a transaction that
//! is complete only the ids and what the files say of it, and nothing where no job of the time can have written it. So
//! a window of many months with millions of rows in it needs little memory.

use std::collections::{BTreeMap, HashMap, VecDeque};

use entity::stored::LinkSource;
use sea_orm_migration::sea_orm::prelude::{DateTime, Uuid};

use super::{
    decide::{decide, leave},
    facts::{LONGEST_TRANSACTION, Reason, Row, Standing, State, TRANSACTION_ROWS, Verdict, Window},
    transaction::{Taken, Transaction, place},
};

/// The most transactions that are remembered after their end: far more than can be open at once.
const REMEMBERED: usize = 200_000;

/// What the rows of a transaction share: their owner and the moment at which it began.
pub type Key = (Option<Uuid>, DateTime);

/// The key of a row's transaction; without one it is alone.
pub fn key(row: &Row) -> Option<Key> {
    row.created_at.map(|at| (row.organization, at))
}

/// Transactions that ended lately: one that goes on nevertheless is not taken for another one.
#[derive(Default)]
pub struct Remembered {
    ended: HashMap<Key, Ended>,
    order: VecDeque<(DateTime, Key)>,
}

#[derive(Clone, Copy)]
struct Ended {
    /// When its first row was written.
    first: DateTime,
    /// When its last row was written.
    last: DateTime,
    /// Its number in the cluster that is being gone through.
    number: Option<usize>,
}

impl Remembered {
    fn add(&mut self, key: Key, ended: Ended) {
        self.order.push_back((ended.last, key));
        self.ended.insert(key, ended);
        while self.order.len() > REMEMBERED
            && let Some((at, key)) = self.order.pop_front_if(|(at, _)| *at + LONGEST_TRANSACTION < ended.last)
        {
            // It may have gone on since.
            if self.ended.get(&key).is_some_and(|ended| ended.last == at) {
                self.ended.remove(&key);
            }
        }
    }

    /// Whether a transaction has ended within the cluster at hand.
    fn is_of_cluster(&self, key: Key) -> bool {
        self.ended.get(&key).is_some_and(|ended| ended.number.is_some())
    }

    /// Numbers say nothing in another cluster.
    fn leave_cluster(&mut self) {
        for ended in self.ended.values_mut() {
            ended.number = None;
        }
    }
}

/// A transaction that may get more rows.
struct Open {
    key: Option<Key>,
    organization: Option<Uuid>,
    /// When its first row of the cluster was written.
    since: DateTime,
    /// Its rows; none where it has more than a job writes at once.
    rows: Vec<Row>,
    transaction: Transaction,
}

/// The jobs of a cluster that have begun, and the rows since.
pub struct Cluster<'a> {
    remembered: &'a mut Remembered,
    accept_time_window: bool,
    windows: Vec<Window>,
    /// The windows that may hold what is open or comes.
    active: Vec<usize>,
    /// By number, in the order of their first rows.
    open: BTreeMap<usize, Open>,
    numbers: HashMap<Key, usize>,
    /// When each got a row, to find those that get no more.
    touched: VecDeque<(DateTime, usize)>,
    next_number: usize,
    /// What the whole cluster decides, by number.
    kept: BTreeMap<usize, Transaction>,
    /// What is decided already.
    pub settled: Vec<(Uuid, Verdict)>,
}

impl<'a> Cluster<'a> {
    /// Before its first job begins. Without any job it is the time between others.
    pub fn new(remembered: &'a mut Remembered, accept_time_window: bool) -> Self {
        Self {
            remembered,
            accept_time_window,
            windows: Vec::new(),
            active: Vec::new(),
            open: BTreeMap::new(),
            numbers: HashMap::new(),
            touched: VecDeque::new(),
            next_number: 0,
            kept: BTreeMap::new(),
            settled: Vec::new(),
        }
    }

    /// Adds a job that has begun before the next row; in the order of their beginning.
    pub fn begin(&mut self, window: Window) {
        self.active.push(self.windows.len());
        self.windows.push(window);
    }

    /// Whether the transaction of a row has begun in this cluster.
    pub fn has_begun(&self, row: &Row) -> bool {
        key(row).is_some_and(|key| self.numbers.contains_key(&key) || self.remembered.is_of_cluster(key))
    }

    /// Adds the next row in the order of time.
    pub fn add(&mut self, row: Row) {
        let at = row.predicted_at;
        self.close_before(at - LONGEST_TRANSACTION);
        let key = key(&row);
        let number = match key.and_then(|key| self.numbers.get(&key).copied()) {
            Some(number) => number,
            None => self.open(key, &row),
        };
        self.touched.push_back((at, number));
        let Some(open) = self.open.get_mut(&number) else { return };
        let transaction = &mut open.transaction;
        transaction.last = at;
        transaction.size += 1;
        transaction.taken = transaction.taken.and(Taken::by(&row));
        match row.standing {
            Standing::Undecided => transaction.undecided.push(row.id),
            Standing::Linked(_) | Standing::Released => self.settled.push((row.id, Verdict::Alone)),
            Standing::Claimed(job) => self.settled.push((row.id, Verdict::Link(job, LinkSource::Manifest))),
            Standing::Refused(job) => self.settled.push((row.id, Verdict::Leave(Reason::Contradicted, vec![job]))),
        }
        if transaction.size <= TRANSACTION_ROWS as usize {
            open.rows.push(row);
        } else {
            open.rows = Vec::new();
        }
    }

    fn open(&mut self, key: Option<Key>, row: &Row) -> usize {
        let at = row.predicted_at;
        let number = self.next_number;
        self.next_number += 1;
        let mut transaction = Transaction {
            undecided: Vec::new(),
            size: 0,
            first: at,
            last: at,
            created: key.map(|(_, created)| created),
            windows: Vec::new(),
            late: Vec::new(),
            candidates: Vec::new(),
            listed: Vec::new(),
            contested: false,
            in_parts: false,
            taken: Taken::No,
        };
        if let Some(key) = key {
            if let Some(before) = self.remembered.ended.get(&key) {
                transaction.first = before.first;
                if let Some(before) = before.number {
                    transaction.in_parts = true;
                    if let Some(kept) = self.kept.get_mut(&before) {
                        kept.in_parts = true;
                        kept.candidates.clear();
                    }
                }
            }
            self.numbers.insert(key, number);
        }
        let open = Open { key, organization: row.organization, since: at, rows: Vec::new(), transaction };
        self.open.insert(number, open);
        number
    }

    /// Closes what got no row since a time.
    fn close_before(&mut self, time: DateTime) {
        while let Some((at, number)) = self.touched.pop_front_if(|(at, _)| *at < time) {
            if self.open.get(&number).is_some_and(|open| open.transaction.last == at) {
                self.close(number);
            }
        }
    }

    fn close(&mut self, number: usize) {
        let Some(Open { key, organization, rows, mut transaction, .. }) = self.open.remove(&number) else { return };
        if let Some(key) = key {
            self.numbers.remove(&key);
            let ended = Ended { first: transaction.first, last: transaction.last, number: Some(number) };
            self.remembered.add(key, ended);
        }
        let last = transaction.last;
        self.find_candidates(&mut transaction, &rows, organization);
        if self.is_for_the_whole(&transaction) {
            transaction.undecided.shrink_to_fit();
            self.kept.insert(number, transaction);
        } else {
            let verdict = leave(&transaction, &self.windows, self.accept_time_window);
            self.settled.extend(transaction.undecided.into_iter().map(|id| (id, verdict.clone())));
        }
        // What is larger than a job writes at once needs no file.
        let oldest = self.open.values().find(|open| !open.rows.is_empty()).map_or(last, |open| open.since);
        self.retire(oldest);
    }

    /// Whether it needs the other transactions of the cluster to decide about it.
    fn is_for_the_whole(&self, transaction: &Transaction) -> bool {
        let by_time = self.accept_time_window && transaction.windows.len() == 1;
        let speaks_against = transaction.in_parts && !transaction.listed.is_empty();
        by_time || speaks_against || !transaction.candidates.is_empty() || !transaction.late.is_empty()
    }

    fn find_candidates(&self, transaction: &mut Transaction, rows: &[Row], organization: Option<Uuid>) {
        for &index in &self.active {
            let window = &self.windows[index];
            if window.organization != organization || transaction.first < window.from {
                continue;
            }
            let broken = window.state == State::Broken;
            if transaction.last <= window.to || (broken && transaction.first <= window.to) {
                transaction.windows.push(index);
            } else if broken && transaction.first <= window.to + LONGEST_TRANSACTION {
                transaction.late.push(index);
            } else {
                continue;
            }
            let Some(listing) = &window.listing else { continue };
            if transaction.size > TRANSACTION_ROWS as usize {
                continue;
            }
            let Some(place) = place(listing, rows, window.counts.processed) else { continue };
            if transaction.late.last() != Some(&index) {
                transaction.listed.push(index);
            }
            if transaction.taken.allows(window.job) && !transaction.in_parts {
                transaction.candidates.push((index, place));
            }
        }
    }

    /// Gives up the files of jobs that can hold nothing that began at a time or later.
    fn retire(&mut self, time: DateTime) {
        let windows = &mut self.windows;
        self.active.retain(|index| {
            let window = &mut windows[*index];
            let may_hold = time <= window.to + LONGEST_TRANSACTION;
            if !may_hold {
                window.listing = None;
            }
            may_hold
        });
    }

    /// All jobs and rows are added: decides about the rest.
    pub fn decide(mut self) -> impl Iterator<Item = (Uuid, Verdict)> {
        while let Some((number, _)) = self.open.first_key_value() {
            let number = *number;
            self.close(number);
        }
        self.remembered.leave_cluster();
        let transactions = self.kept.into_values().collect();
        self.settled.into_iter().chain(decide(transactions, self.windows, self.accept_time_window))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::backfill::facts::{Cell, Counts, Line, Listing, MAX_RATIOS};

    fn at(seconds: i64) -> DateTime {
        DateTime::default() + TimeDelta::seconds(seconds)
    }

    /// A row about a company, written at a time in a transaction that began at another one.
    fn row(company: u32, seconds: i64, began: i64) -> Row {
        Row {
            id: Uuid::new_v4(),
            organization: None,
            subject: company.to_string().into(),
            quarter: None,
            ratios: [None; MAX_RATIOS],
            edited: false,
            predicted_at: at(seconds),
            created_at: Some(at(began)),
            standing: Standing::Undecided,
        }
    }

    /// A completed job whose file lists the companies from 0 on.
    fn job(from: i64, to: i64, rows: u32, counted: u32) -> Window {
        let mut listing = Listing { rows, ..Listing::default() };
        for position in 0..rows {
            let line = Line { position, quarter: None, ratios: [Cell::Missing; MAX_RATIOS] };
            listing.lines.entry(position.to_string().into()).or_default().push(line);
        }
        Window {
            job: Uuid::new_v4(),
            organization: None,
            from: at(from),
            to: at(to),
            state: State::Completed,
            counts: Counts { processed: rows, successful: counted, failed: 0 },
            rows: Some(rows),
            listed: Some(rows),
            listing: Some(listing),
            note: None,
        }
    }

    /// How many rows get a link.
    fn linked(window: Window, rows: impl IntoIterator<Item = Row>) -> usize {
        let mut remembered = Remembered::default();
        let mut cluster = Cluster::new(&mut remembered, false);
        cluster.begin(window);
        for row in rows {
            cluster.add(row);
        }
        cluster.decide().filter(|(_, verdict)| matches!(verdict, Verdict::Link(..))).count()
    }

    #[test]
    fn a_transaction_in_one_piece_is_linked() {
        assert_eq!(linked(job(0, 600, 10, 10), (0..10).map(|row| self::row(row, 10 + i64::from(row), 9))), 10);
    }

    #[test]
    fn a_transaction_that_goes_on_after_a_long_break_is_of_no_job_and_speaks_against_its_own() {
        // Half of it, more than a minute, the other half; then one that is whole.
        let rows = (0..10).map(|row| self::row(row, 10 + i64::from(row) + if row < 5 { 0 } else { 100 }, 9));
        let whole = (10..20).map(|row| self::row(row, 200 + i64::from(row), 199));
        assert_eq!(linked(job(0, 600, 20, 20), rows.chain(whole.clone())), 0);
        assert_eq!(linked(job(0, 600, 20, 20), whole), 10);
    }

    #[test]
    fn a_straggler_of_a_transaction_that_is_over_is_still_seen() {
        let mut remembered = Remembered::default();
        let mut cluster = Cluster::new(&mut remembered, false);
        cluster.begin(job(0, 300, 20, 20));
        for row in [row(0, 10, 9), row(1, 11, 9), row(5, 200, 199)] {
            cluster.add(row);
        }
        let straggler = row(2, 310, 9);
        assert!(cluster.has_begun(&straggler));
        cluster.add(straggler);
        assert_eq!(cluster.decide().filter(|(_, verdict)| matches!(verdict, Verdict::Link(..))).count(), 0);
    }

    #[test]
    fn what_was_seen_lately_is_not_forgotten_with_what_was_seen_before() {
        let (mut remembered, key) = (Remembered::default(), |second: i64| (None, at(second)));
        let ended = |second: i64| Ended { first: at(second), last: at(second), number: None };
        remembered.add(key(-1), ended(0));
        remembered.add(key(-1), ended(100));
        let many = i64::try_from(REMEMBERED).unwrap();
        for second in 0..many - 1 {
            remembered.add(key(second), ended(100));
        }
        remembered.add(key(many), ended(101));
        assert!(remembered.ended.contains_key(&key(-1)));
        assert_eq!(remembered.order.len(), REMEMBERED + 1, "the older entry went");
    }
}
