//! Transactions that cannot both be of one job: a worker does one thing at a time, and reads its file from top to bottom.

use std::collections::HashSet;

use sea_orm_migration::sea_orm::prelude::DateTime;

use super::transaction::{Place, Transaction, Transactions};

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
        let split = || self.first.partition_point(|first| *first <= transaction.first);
        let (before, after) = own.map_or_else(|| (split(), split()), |own| (own, own + 1));
        let behind = before.checked_sub(1).map(|index| self.ended[index]);
        let ahead = self.begins.get(after).copied();
        behind.is_some_and(|(time, line)| time >= transaction.first || line >= place.latest_first)
            || ahead.is_some_and(|(time, line)| time <= transaction.last || line <= place.earliest_last)
    }
}

/// Takes candidates away whose transactions overlap or stand in another order than the file's lines.
///
/// Transactions of several rows with one candidate come first: what crosses one of them is not of that job. Where two
/// of them cross, one is not of that job although its file lists it, so the file does not tell the job's rows from
/// those of another one that is gone, as when a file was uploaded twice: nothing is left to that job.
pub fn drop_what_crosses(transactions: &mut Transactions, windows: usize) {
    let sure: Vec<bool> =
        transactions.all.iter().map(|one| !one.is_alone() && one.only_candidate().is_some()).collect();
    for only_sure in [true, false] {
        let mut crossing = Vec::new();
        let mut confused = HashSet::new();
        for window in 0..windows {
            let places: Vec<(usize, Place)> =
                transactions.listed_by(window).map(|(index, _, place)| (index, place)).collect();
            let is_member = |index: usize| {
                if only_sure { sure[index] } else { transactions.all[index].candidates.len() == 1 }
            };
            let members: Vec<(usize, Place)> = places.iter().filter(|(index, _)| is_member(*index)).copied().collect();
            let course = Course::new(&transactions.all, &members);
            let mut own = 0;
            for (index, place) in places {
                let member = members.get(own).is_some_and(|(member, _)| *member == index);
                // What is not sure speaks against its own kind alone.
                let is_judged = only_sure || member;
                if is_judged && course.crosses(&transactions.all[index], place, member.then_some(own)) {
                    crossing.push((index, window));
                    if sure[index] {
                        confused.insert(window);
                    }
                }
                own += usize::from(member);
            }
        }
        for (index, window) in crossing {
            transactions.all[index].candidates.retain(|(candidate, _)| *candidate != window);
        }
        for one in &mut transactions.all {
            one.candidates.retain(|(candidate, _)| !confused.contains(candidate));
        }
    }
}
