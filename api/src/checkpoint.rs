//! Named points in the course of a write at which tests can wait or fail. Without a test nothing happens at them.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use crate::error::Error;

/// Where a test can step in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checkpoint {
    /// An operation that passed its checks, or the next event of a subscription, is about to be executed.
    Executing,
    /// A file was received, and nobody knows of it.
    FileReceived,
    /// A deletion is about to begin.
    DeletionBegins,
    /// A deletion holds the job's row and has checked caller and state.
    DeletionChecked,
    /// A deletion has done everything but the commit.
    DeletionBeforeCommit,
    /// A deletion is committed and nobody was told.
    DeletionCommitted,
    /// A worker has claimed a job.
    JobClaimed,
    /// A worker is about to begin a batch.
    BatchBegins,
    /// A worker has stored a batch but not committed it.
    BatchBeforeCommit,
    /// A worker is about to write the next piece of a job's results.
    ResultsPiece,
    /// A worker has written a job's log and results, and nobody knows of them.
    OutputsWritten,
    /// A worker has ended a job but not committed it.
    JobEndBeforeCommit,
    /// A worker has ended a job, and not looked for what others left of it.
    JobEnded,
    /// A change of a job is about to begin.
    ChangeBegins,
    /// A change of a job, as a cancellation, is done but not committed.
    ChangeBeforeCommit,
    /// Single predictions are deleted but not committed.
    PredictionsBeforeCommit,
    /// A run of the retention policy is written down but not committed.
    RetentionBeforeBegin,
    /// A run of the retention policy has looked up the next jobs and done nothing to them.
    RetentionBatchBegins,
    /// A run of the retention policy is about to do what it does to a job.
    RetentionJobBegins,
    /// A run of the retention policy has cleaned or deleted a job but not committed it.
    RetentionJobBeforeCommit,
    /// A run of the retention policy has done everything but say so.
    RetentionEnds,
    /// A notification was delivered, or not, and nobody wrote so.
    NotificationSent,
    /// A server has looked at the clock, and waits for the next time of its schedule of retention.
    ScheduleWaits,
    /// A purge is claimed and nothing is removed.
    PurgeClaimed,
    /// A purge has removed everything and not told so.
    PurgeRemoved,
    /// A purge has written what became of it and not committed it.
    PurgeBeforeCommit,
    /// A sweep has removed a file, or a job's files, and not looked at the next.
    SweepRemoved,
    /// A job's file is in its place and its row is not yet written.
    JobBeforeInsert,
    /// A job's row is written and not committed.
    JobBeforeCommit,
    /// A job is made, and neither caller nor worker was told.
    JobCommitted,
    /// A server is about to listen for events of other servers.
    Listening,
}

type Hook = dyn Fn(Checkpoint) -> BoxFuture<'static, Result<(), Error>> + Send + Sync;

/// What happens at the checkpoints.
#[derive(Clone, Default)]
pub struct Checkpoints(Option<Arc<Hook>>);

impl Checkpoints {
    /// Calls `hook` at every checkpoint: what it waits for holds the write up, what it fails with fails it.
    pub fn hooked(hook: impl Fn(Checkpoint) -> BoxFuture<'static, Result<(), Error>> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    /// Passes a checkpoint.
    pub async fn pass(&self, checkpoint: Checkpoint) -> Result<(), Error> {
        match &self.0 {
            Some(hook) => hook(checkpoint).await,
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Checkpoints(hooked)" } else { "Checkpoints" })
    }
}
