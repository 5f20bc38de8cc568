//! How often the progress of a job is told: a small batch may take a few milliseconds.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::prelude::Uuid;

/// The shortest time between two events of progress of a job.
pub const PACE: Duration = Duration::from_millis(500);

/// When the progress of jobs that run in this process was told last.
#[derive(Debug, Default)]
pub struct Paces(Mutex<HashMap<Uuid, Pace>>);

#[derive(Debug)]
struct Pace {
    told: Instant,
    /// Rows were committed since that nobody was told of.
    owed: bool,
}

/// When to tell of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// With this batch.
    Now,
    /// Alone, after so long, if nothing is told of the job before.
    Later(Duration),
    /// It is owed already.
    Owed,
}

impl Paces {
    /// Whether this progress of a job is told.
    pub fn step(&self, job: Uuid) -> Turn {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Jobs that were left to another process say no more here.
        paces.retain(|_, pace| pace.owed || pace.told.elapsed() < PACE);
        match paces.get_mut(&job) {
            None => {
                paces.insert(job, Pace { told: Instant::now(), owed: false });
                Turn::Now
            }
            Some(pace) if pace.owed => Turn::Owed,
            Some(pace) => {
                pace.owed = true;
                Turn::Later(PACE.saturating_sub(pace.told.elapsed()))
            }
        }
    }

    /// Whether progress is owed; it is told by whoever asks.
    pub fn take_owed(&self, job: Uuid) -> bool {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match paces.get_mut(&job) {
            Some(pace) if pace.owed => {
                *pace = Pace { told: Instant::now(), owed: false };
                true
            }
            _ => false,
        }
    }

    /// Something is told of a job that says all that is owed.
    pub fn settle(&self, job: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_at_once_is_owed_until_it_is_told() {
        let (paces, job, other) = (Paces::default(), Uuid::now_v7(), Uuid::now_v7());
        assert_eq!(paces.step(job), Turn::Now);
        assert!(!paces.take_owed(job));
        assert!(matches!(paces.step(job), Turn::Later(pause) if pause <= PACE));
        assert_eq!(paces.step(job), Turn::Owed);
        assert_eq!(paces.step(other), Turn::Now);
        assert!(paces.take_owed(job));
        assert!(matches!(paces.step(job), Turn::Later(_)));
        paces.settle(job);
        assert!(!paces.take_owed(job));
        assert_eq!(paces.step(job), Turn::Now);
    }
}
