//! Rows that were committed together, the windows that hold them, and the files that list them.

use std::collections::HashMap;

use sea_orm_migration::sea_orm::prelude::{DateTime, Uuid};

use super::facts::{Cell, LONGEST_TRANSACTION, Line, Listing, Row, Standing, State, TRANSACTION_ROWS, Window};

/// How far two notations of one ratio may be apart, in units of the fourth decimal.
const ROUNDING: i64 = 1;

/// Rows that one writer committed together.
pub struct Transaction {
    pub rows: Vec<usize>,
    pub first: DateTime,
    pub last: DateTime,
    /// When it began, by the clock of the database.
    pub created: Option<DateTime>,
    /// Windows of its owner that hold it.
    pub windows: Vec<usize>,
    /// Windows that ended before its first row, but perhaps not before it began.
    pub late: Vec<usize>,
    /// Windows whose file lists it.
    pub candidates: Vec<(usize, Place)>,
    /// Windows whose file listed it at first.
    pub listed: Vec<usize>,
    /// Its only candidate may have been given the file of another job.
    pub contested: bool,
    pub taken: Taken,
}

/// What rows of the transaction that are linked already say about the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    No,
    By(Uuid),
    Gone,
    Torn,
}

/// Where in a file the rows of a transaction stand. A file may list a period twice, so there are bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The earliest line that its last row can be.
    pub earliest_last: u32,
    /// The latest line that its first row can be.
    pub latest_first: u32,
    /// How many of its rows are lines that the job counted as read, at the most.
    pub counted: u32,
}

impl Transaction {
    pub fn is_alone(&self) -> bool {
        self.rows.len() == 1
    }

    pub fn place(&self, window: usize) -> Option<Place> {
        self.candidates.iter().find(|(candidate, _)| *candidate == window).map(|(_, place)| *place)
    }

    pub fn only_candidate(&self) -> Option<usize> {
        if let [(window, _)] = self.candidates[..] { Some(window) } else { None }
    }
}

pub fn transactions(rows: &[Row]) -> Vec<Transaction> {
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
            created: row.created_at,
            windows: Vec::new(),
            late: Vec::new(),
            candidates: Vec::new(),
            listed: Vec::new(),
            contested: false,
            taken,
        });
    }
    found
}

pub fn find_candidates(transaction: &mut Transaction, windows: &[Window], rows: &[Row]) {
    let organization = rows[transaction.rows[0]].organization;
    for (index, window) in windows.iter().enumerate() {
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
        if transaction.rows.len() > TRANSACTION_ROWS as usize {
            continue;
        }
        let Some(place) = place(listing, transaction, rows, window.counts.processed) else { continue };
        if !transaction.late.contains(&index) {
            transaction.listed.push(index);
        }
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
pub fn place(listing: &Listing, transaction: &Transaction, rows: &[Row], processed: u32) -> Option<Place> {
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

pub fn lists(line: &Line, row: &Row) -> bool {
    let quarter = line.quarter.is_none() || line.quarter == row.quarter;
    quarter
        && (row.edited
            || line.ratios.iter().zip(&row.ratios).all(|(given, stored)| match (given, stored) {
                (Cell::Unknown, _) | (Cell::Missing, None) => true,
                (Cell::Number(given), Some(stored)) => (given - stored).abs() <= ROUNDING,
                _ => false,
            }))
}
