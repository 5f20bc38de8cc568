//! Rows that were committed together, the windows that hold them, and the files that list them.

use sea_orm_migration::sea_orm::prelude::{DateTime, Uuid};

use super::facts::{Cell, Line, Listing, Row, Standing};

/// How far two notations of one ratio may be apart, in units of the fourth decimal.
const ROUNDING: i64 = 1;

/// Rows that one writer committed together, without what they say.
#[derive(Debug)]
pub struct Transaction {
    /// Those of its rows about which something is to be decided.
    pub undecided: Vec<Uuid>,
    /// How many rows it has in all.
    pub size: usize,
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
    /// It went on after a longer break than a job's transaction has, and this is a part of it. Its parts are of no job, and
    /// no job whose they may be is told from a stranger.
    pub in_parts: bool,
    /// Its only candidate may have been given the file of another job.
    pub contested: bool,
    pub taken: Taken,
}

/// What rows of the transaction that are linked already say about the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    No,
    By(Uuid),
    Gone,
    Torn,
}

impl Taken {
    /// What one row says.
    pub const fn by(row: &Row) -> Self {
        match row.standing {
            Standing::Undecided | Standing::Refused(_) => Self::No,
            Standing::Claimed(job) | Standing::Linked(job) => Self::By(job),
            Standing::Released => Self::Gone,
        }
    }

    /// What both say together.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, taken) | (taken, Self::No) => taken,
            (one, other) if one == other => one,
            _ => Self::Torn,
        }
    }

    /// Whether a job may have written the whole.
    pub fn allows(self, job: Uuid) -> bool {
        self == Self::No || self == Self::By(job)
    }
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
    pub const fn is_alone(&self) -> bool {
        self.size == 1
    }

    pub fn place(&self, window: usize) -> Option<Place> {
        self.candidates.iter().find(|(candidate, _)| *candidate == window).map(|(_, place)| *place)
    }

    pub fn only_candidate(&self) -> Option<usize> {
        if let [(window, _)] = self.candidates[..] { Some(window) } else { None }
    }

    /// Whether it has several rows, and this candidate alone.
    pub fn is_surely_of(&self, window: usize) -> bool {
        !self.is_alone() && self.only_candidate() == Some(window)
    }
}

/// The transactions of a cluster about which the whole of it decides, in the order of time.
pub struct Transactions {
    pub all: Vec<Transaction>,
    /// Those that each window holds or nearly holds.
    near: Vec<Vec<usize>>,
}

impl Transactions {
    pub fn new(all: Vec<Transaction>, windows: usize) -> Self {
        let mut near = vec![Vec::new(); windows];
        for (index, one) in all.iter().enumerate() {
            for window in one.windows.iter().chain(&one.late) {
                near[*window].push(index);
            }
        }
        Self { all, near }
    }

    /// Those that a window holds or nearly holds, with their indexes.
    pub fn near(&self, window: usize) -> impl Iterator<Item = (usize, &Transaction)> {
        self.near[window].iter().map(|index| (*index, &self.all[*index]))
    }

    /// Those that a window's file lists.
    pub fn listed_by(&self, window: usize) -> impl Iterator<Item = (usize, &Transaction, Place)> {
        self.near(window).filter_map(move |(index, one)| Some((index, one, one.place(window)?)))
    }

    /// Those of several rows that have this candidate alone.
    pub fn surely_of(&self, window: usize) -> impl Iterator<Item = &Transaction> {
        self.near(window).map(|(_, one)| one).filter(move |one| one.is_surely_of(window))
    }
}

/// Finds the rows of a transaction in a file, in its order; `None` where it does not list them all.
pub fn place(listing: &Listing, rows: &[Row], processed: u32) -> Option<Place> {
    let lines = |row: &Row| listing.lines.get(&row.subject).map_or(&[][..], Vec::as_slice);
    let mut next = 0;
    let mut counted = 0;
    for row in rows {
        let line = lines(row).iter().find(|line| line.position >= next && lists(line, row))?;
        counted += u32::from(line.position < processed);
        next = line.position + 1;
    }
    let mut before = u32::MAX;
    for row in rows.iter().rev() {
        before = lines(row).iter().rev().find(|line| line.position < before && lists(line, row))?.position;
    }
    Some(Place { earliest_last: next.saturating_sub(1), latest_first: before, counted })
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
