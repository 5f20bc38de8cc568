//! Retention: what is done to jobs some time after their end, by which rules, and what was done.

mod act;
pub mod age;
pub mod clean;
pub mod due;
pub mod policy;
pub mod request;
pub mod run;
pub mod runs;
pub mod schedule;

use std::sync::Arc;

use tokio::sync::Notify;

use self::{policy::Policy, schedule::Schedule};

/// Jobs that a run looks up at a time.
pub const BATCH_SIZE: u64 = 100;

/// What a process knows of retention besides the tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The policy, where a run is not asked for with another one.
    pub policy: Policy,
    /// Jobs that a run looks up at a time; their files are purged before the next ones.
    pub batch_size: u64,
    /// When a server begins runs by itself; `None` = never.
    pub schedule: Option<Schedule>,
    /// Wakes whoever carries runs out.
    pub run_waits: Arc<Notify>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { policy: Policy::default(), batch_size: BATCH_SIZE, schedule: None, run_waits: Arc::default() }
    }
}
