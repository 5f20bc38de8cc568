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
const REMEMBERED: usize = 10_000;

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
    /// Its number in the cluster that is being gone through.
    number: Option<usize>,
}

impl Remembered {
    fn add(&mut self, key: Key, last: DateTime, ended: Ended) {
        self.order.push_back((last, key));
        self.ended.insert(key, ended);
        while self.order.len() > REMEMBERED
            && let Some((_, key)) = self.order.pop_front_if(|(at, _)| *at + LONGEST_TRANSACTION < last)
        {
            self.ended.remove(&key);
        }
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

    /// Whether the transaction of a row has begun and may go on.
    pub fn is_open(&self, row: &Row) -> bool {
        key(row).is_some_and(|key| self.numbers.contains_key(&key))
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
            taken: Taken::No,
        };
        if let Some(key) = key {
            if let Some(before) = self.remembered.ended.get(&key) {
                transaction.first = before.first;
                // It was looked at in parts, so neither of them counts.
                if let Some(before) = before.number {
                    transaction.taken = Taken::Torn;
                    if let Some(kept) = self.kept.get_mut(&before) {
                        kept.taken = Taken::Torn;
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
            let ended = Ended { first: transaction.first, number: Some(number) };
            self.remembered.add(key, transaction.last, ended);
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
        by_time || !transaction.candidates.is_empty() || !transaction.late.is_empty()
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
            if transaction.taken.allows(window.job) {
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
