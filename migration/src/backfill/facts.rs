//! What a decision is made of: plain data, without a database.

use std::collections::HashMap;

use chrono::TimeDelta;
use entity::stored::LinkSource;
pub use entity::stored::UnresolvedReason as Reason;
use sea_orm_migration::sea_orm::prelude::{DateTime, Uuid};

/// The most rows of one transaction.
pub const TRANSACTION_ROWS: u32 = 50;
/// How long a transaction may take at most.
pub const LONGEST_TRANSACTION: TimeDelta = TimeDelta::minutes(1);
/// The most ratios of a row.
pub const MAX_RATIOS: usize = 5;
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
    /// Data rows of its file as it is, where that is used.
    pub listed: Option<u32>,
    /// What its file lists, as long as that is of use.
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
    /// The operator's list names a job that cannot have made it.
    Refused(Uuid),
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
    /// How it stands.
    pub standing: Standing,
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
