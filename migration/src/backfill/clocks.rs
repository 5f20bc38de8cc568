//! What the clock of the database adds: when a transaction began, and so which job cannot have written it.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm_migration::sea_orm::prelude::DateTime;

use super::{
    facts::{State, Window},
    transaction::Transaction,
};

/// The transactions of several rows that have this candidate alone.
pub fn sure_of(transactions: &[Transaction], window: usize) -> impl Iterator<Item = &Transaction> {
    transactions.iter().filter(move |one| !one.is_alone() && one.only_candidate() == Some(window))
}

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
pub fn drop_late(transactions: &mut [Transaction], windows: &[Window]) {
    for (index, window) in windows.iter().enumerate() {
        if !transactions.iter().any(|one| one.late.contains(&index)) {
            continue;
        }
        let ahead = least_ahead(sure_of(transactions, index).filter(|one| !one.late.contains(&index)));
        for one in transactions.iter_mut().filter(|one| one.late.contains(&index)) {
            let began = ahead.and_then(|ahead| Some(one.created? - ahead));
            if began.is_none_or(|began| began > window.to) {
                one.candidates.retain(|(candidate, _)| *candidate != index);
            } else {
                one.windows.push(index);
            }
        }
    }
}

/// Marks what another job of the time may have written, if the file that was given for its candidate is that job's.
///
/// The other job's file it cannot be where the other job counted another number of rows, or was not there to write all
/// that the file lists: where one of these transactions began before it or ended after it. Nor where the other job's own
/// file is at hand and shown to be its own in this way.
pub fn mark_contested(transactions: &mut [Transaction], windows: &[Window]) {
    let mut contested = Vec::new();
    let mut known: HashMap<(usize, usize), bool> = HashMap::new();
    for (index, one) in transactions.iter().enumerate() {
        let Some(own) = one.only_candidate() else { continue };
        let rows = windows[own].listing.as_ref().map(|listing| listing.rows);
        let mistaken = one.windows.iter().any(|&other| {
            let may_be_its_file = windows[other].rows.is_none() || windows[other].rows == rows;
            other != own
                && may_be_its_file
                && !one.listed.contains(&other)
                && *known.entry((own, other)).or_insert_with(|| {
                    !shown_by(transactions, own, &windows[other]) && !shown_by(transactions, other, &windows[own])
                })
        });
        if mistaken {
            contested.push(index);
        }
    }
    for index in contested {
        transactions[index].contested = true;
    }
}

/// Whether what a job's file lists shows that another job did not read that file.
pub fn shown_by(transactions: &[Transaction], job: usize, other: &Window) -> bool {
    let ahead = least_ahead(sure_of(transactions, job));
    sure_of(transactions, job).any(|one| {
        let began = ahead.and_then(|ahead| Some(one.created? - ahead)).unwrap_or(one.first);
        let ended_in_time = one.last <= other.to || (other.state == State::Broken && one.first <= other.to);
        began < other.from || !ended_in_time
    })
}
