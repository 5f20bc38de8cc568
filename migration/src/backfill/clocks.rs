//! What the clock of the database adds: when a transaction began, and so which job cannot have written it.

use chrono::TimeDelta;
use sea_orm_migration::sea_orm::prelude::DateTime;

use super::{
    facts::{State, Window},
    transaction::{Transaction, Transactions},
};

/// How much the clock of the database is ahead of the clock of the worker that wrote these transactions, at the least:
/// each began before its first row. None where that contradicts that each began after the one before it had ended, as
/// where the clock was changed meanwhile or one of them is a stranger.
pub fn least_ahead<'a>(course: impl Iterator<Item = &'a Transaction>) -> Option<TimeDelta> {
    let mut least: Option<TimeDelta> = None;
    let mut most: Option<TimeDelta> = None;
    let mut before: Option<DateTime> = None;
    for one in course {
        let created = one.created?;
        least = least.max(Some(created - one.first));
        if let Some(before) = before {
            let bound = created - before;
            most = Some(most.map_or(bound, |most| most.min(bound)));
        }
        before = Some(one.last);
    }
    least.filter(|least| most.is_none_or(|most| *least <= most))
}

/// Of the transactions whose first row came after their job had broken off, keeps those that had begun before.
///
/// The database's clock tells when, and the job's other transactions tell how that clock goes.
pub fn drop_late(transactions: &mut Transactions, windows: &[Window]) {
    for (index, window) in windows.iter().enumerate() {
        let late: Vec<usize> =
            transactions.near(index).filter(|(_, one)| one.late.contains(&index)).map(|(late, _)| late).collect();
        if late.is_empty() {
            continue;
        }
        let ahead = least_ahead(transactions.surely_of(index).filter(|one| !one.late.contains(&index)));
        for late in late {
            let one = &mut transactions.all[late];
            let began = ahead.and_then(|ahead| Some(one.created? - ahead));
            if began.is_none_or(|began| began > window.to) {
                one.candidates.retain(|(candidate, _)| *candidate != index);
            } else {
                one.windows.push(index);
            }
        }
    }
}

/// The time that the transactions span which a job's file shows to be its own.
struct Span {
    /// When the first of them began.
    began: DateTime,
    /// The latest first row of one.
    first: DateTime,
    /// The latest row of all.
    last: DateTime,
}

impl Span {
    /// None where there are no such transactions.
    fn of(transactions: &Transactions, window: usize) -> Option<Self> {
        let ahead = least_ahead(transactions.surely_of(window));
        let began = |one: &Transaction| ahead.and_then(|ahead| Some(one.created? - ahead)).unwrap_or(one.first);
        Some(Self {
            began: transactions.surely_of(window).map(began).min()?,
            first: transactions.surely_of(window).map(|one| one.first).max()?,
            last: transactions.surely_of(window).map(|one| one.last).max()?,
        })
    }

    /// Whether a job was there to write all of them.
    fn lies_in(&self, other: &Window) -> bool {
        let ended_in_time = self.last <= other.to || (other.state == State::Broken && self.first <= other.to);
        self.began >= other.from && ended_in_time
    }
}

/// Marks what another job of the time may have written, if the file that was given for its candidate is that job's.
///
/// The other job's file it cannot be where the other job counted another number of rows, or was not there to write all
/// that the file lists: where one of these transactions began before it or ended after it. Nor where the other job's own
/// file is at hand and shown to be its own in this way.
pub fn mark_contested(transactions: &mut Transactions, windows: &[Window]) {
    let spans: Vec<Option<Span>> = (0..windows.len()).map(|window| Span::of(transactions, window)).collect();
    let may_be_of = |span: usize, other: usize| spans[span].as_ref().is_none_or(|span| span.lies_in(&windows[other]));
    for one in &mut transactions.all {
        let Some(own) = one.only_candidate() else { continue };
        let rows = windows[own].listed;
        one.contested = one.windows.iter().any(|&other| {
            let counted_as_many = windows[other].rows.is_none() || windows[other].rows == rows;
            other != own
                && counted_as_many
                && !one.listed.contains(&other)
                && may_be_of(own, other)
                && may_be_of(other, own)
        });
    }
}
