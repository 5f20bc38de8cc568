//! The worker: claims a job, reads its file, and commits predictions and progress together, batch by batch.
//!
//! The job's row is the only state. A worker that lost its claim, or its job, finds so at its next batch and stops. Whoever
//! goes on skips as many rows of the file as the row says are processed. A job that was cancelled meanwhile ends at the
//! next batch, without it.

mod claim;
mod finish;
mod results;
mod run;

use std::time::{Duration, Instant};

use entity::job;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::claim::Claim;
use crate::{app::App, error::Error, traces::TARGET};

/// How often to look for jobs that nobody told of: of other servers, and of workers that died.
const POLL: Duration = Duration::from_secs(2);

/// How a worker left a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The job has ended.
    Ended,
    /// The job is gone, or another worker has it.
    Lost,
    /// The server stops; another worker goes on.
    Released,
}

impl Left {
    const fn told(self) -> &'static str {
        match self {
            Self::Ended => "the job has ended",
            Self::Lost => "the job is gone, or another worker has it",
            Self::Released => "the server stops, and another worker goes on with the job",
        }
    }
}

/// Runs jobs, one after the other, until `stop`; ends after the batch at hand.
pub async fn work(app: App, stop: CancellationToken) {
    loop {
        let claimed = match claim::claim(&app).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!("cannot look for jobs: {error}");
                None
            }
        };
        let Some(job) = claimed else {
            tokio::select! {
                () = stop.cancelled() => return,
                () = app.job_waits.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
            continue;
        };
        let began = Instant::now();
        let span = tracing::info_span!(target: TARGET, "run job", joblink.job.id = %job.id);
        match run_and_keep(&app, &job, &stop).instrument(span).await {
            Ok(left) => tracing::info!(job = %job.id, took = ?began.elapsed(), "{}", left.told()),
            Err(error) => tracing::error!(
                job = %job.id,
                "a worker failed; the job is tried again from its last committed row when the claim has run out: {error}"
            ),
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Runs a job, and keeps its claim meanwhile.
async fn run_and_keep(app: &App, job: &job::Model, stop: &CancellationToken) -> Result<Left, Error> {
    let claim = Claim::default();
    // A task of its own that is never dropped in the middle of a statement.
    let keeping = tokio::spawn(claim::keep(app.clone(), job.clone(), claim.clone()));
    // Also where the worker panics.
    let done = claim.done.clone().drop_guard();
    let left = run::run(app, job, stop, &claim).await;
    drop(done);
    keeping.await?;
    left
}
