//! How many links by time alone may be wrong.
//!
//! Such a link is wrong where a job that was deleted without a trace wrote the rows in the window of another job. How
//! often that happens shows outside all windows: rows that were committed together were written by a job, and there it
//! is gone for certain. They are taken to be as frequent inside. Only a job that counted more rows than were found can
//! have been given a stranger's rows, for more rows than it counted are given to none.

use chrono::TimeDelta;

use super::facts::Window;

/// What the estimate rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Rows of jobs that are gone, outside all windows.
    pub strangers: u64,
    /// The time outside all windows, in seconds.
    quiet: f64,
    /// For each job with links by time and room for more: its time in seconds, and the room in rows.
    windows: Vec<(f64, f64)>,
}

impl Estimate {
    /// Adds time outside all windows, and the rows there that jobs wrote which are gone.
    pub fn add_quiet(&mut self, time: TimeDelta, strangers: u64) {
        self.quiet += seconds(time);
        self.strangers += strangers;
    }

    /// Adds a job to which rows were given by time alone.
    pub fn add_window(&mut self, window: &Window, given: u64) {
        let room = u64::from(window.counts.successful).saturating_sub(given);
        if room > 0 {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            self.windows.push((seconds(window.to - window.from), room as f64));
        }
    }

    /// How many of the links by time alone are likely to be wrong.
    pub fn wrong(&self) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = if self.quiet > 0.0 { self.strangers as f64 / self.quiet } else { 0.0 };
        let wrong: f64 = self.windows.iter().map(|(time, room)| (rate * time).min(*room)).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, far below 2^64")]
        let wrong = wrong.round() as u64;
        wrong
    }
}

fn seconds(time: TimeDelta) -> f64 {
    time.as_seconds_f64().max(0.0)
}
