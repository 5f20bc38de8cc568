//! How many links by time alone may be wrong.
//!
//! Such a link is wrong where a job that was deleted without a trace wrote the rows in the window of another job. How
//! often that happens shows outside all windows: rows that were committed together were written by a job, and there it
//! is gone for certain. They are taken to be as frequent inside. Only a job that counted more rows than were found can
//! have been given a stranger's rows, for more rows than it counted are given to none.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use sea_orm_migration::sea_orm::prelude::Uuid;

use super::facts::Window;

/// What the estimate rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Rows of jobs that are gone, outside all windows.
    pub strangers: u64,
    /// The time outside all windows, in seconds.
    quiet: f64,
    /// Of each job its time in seconds, and how many rows more it counted than were given to it by time alone.
    windows: BTreeMap<Uuid, (f64, u64)>,
    /// Jobs to which rows were given by time alone.
    given: BTreeSet<Uuid>,
}

impl Estimate {
    /// Adds time outside all windows.
    pub fn add_quiet(&mut self, time: TimeDelta) {
        self.quiet += seconds(time);
    }

    /// Adds a job.
    pub fn add_window(&mut self, window: &Window) {
        let room = u64::from(window.counts.successful);
        self.windows.insert(window.job, (seconds(window.to - window.from), room));
    }

    /// Adds a row that was given to a job by time alone.
    pub fn add_link(&mut self, job: Uuid) {
        self.given.insert(job);
        if let Some((_, room)) = self.windows.get_mut(&job) {
            *room = room.saturating_sub(1);
        }
    }

    /// How many of the links by time alone are likely to be wrong.
    pub fn wrong(&self) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = if self.quiet > 0.0 { self.strangers as f64 / self.quiet } else { 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let wrong: f64 = self
            .given
            .iter()
            .filter_map(|job| self.windows.get(job))
            .map(|(time, room)| (rate * time).min(*room as f64))
            .sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, far below 2^64")]
        let wrong = wrong.round() as u64;
        wrong
    }
}

fn seconds(time: TimeDelta) -> f64 {
    time.as_seconds_f64().max(0.0)
}
