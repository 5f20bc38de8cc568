//! Named points in the course of a write at which tests can wait or fail. Without a test nothing happens at them.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use crate::error::Error;

/// Where a test can step in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checkpoint {
    /// A deletion holds the job's row and has checked caller and state.
    DeletionChecked,
    /// A deletion has done everything but the commit.
    DeletionBeforeCommit,
    /// A worker has claimed a job.
    JobClaimed,
    /// A worker is about to begin a batch.
    BatchBegins,
    /// A worker has stored a batch but not committed it.
    BatchBeforeCommit,
    /// A worker has written a job's log and results, and nobody knows of them.
    OutputsWritten,
    /// A worker has ended a job but not committed it.
    JobEndBeforeCommit,
    /// A change of a job, as a cancellation, is done but not committed.
    ChangeBeforeCommit,
    /// A purge is claimed and nothing is removed.
    PurgeClaimed,
    /// A purge has removed everything and not told so.
    PurgeRemoved,
    /// A job's file is in its place and its row is not yet written.
    JobBeforeInsert,
    /// A job's row is written and not committed.
    JobBeforeCommit,
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
