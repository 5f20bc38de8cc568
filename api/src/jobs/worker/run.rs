//! The rows of a job: read and scored ahead in a task of their own, committed batch by batch with the progress they make.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use entity::{job, stored::JobEventType};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    Left,
    claim::{self, Claim, Held},
    finish::{self, End},
};
use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{now, retrying},
    error::Error,
    events,
    jobs::{
        input::{self, Input},
        log,
        status::{self, JobStatus},
    },
    predictions::{
        row::{Row, RowFault},
        store::{self, Companies},
    },
};

/// Rows of the first batch; from then on as many as take about as long as [`PACE`] allows.
const FIRST_BATCH: usize = 2_000;
/// The fewest rows of a batch.
const SMALLEST_BATCH: usize = 100;
/// How long a batch takes at best: progress is seen, and a cancellation honoured, at least once a second.
const PACE: std::ops::Range<Duration> = Duration::from_millis(200)..Duration::from_millis(700);

type Batch = Vec<Result<Row, RowFault>>;

/// How many rows are read for the next batch.
#[derive(Clone)]
struct BatchSize(Arc<AtomicUsize>);

impl BatchSize {
    fn new(most: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(FIRST_BATCH.min(most))))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Adapts it to how long a batch took.
    fn adapt(&self, took: Duration, most: usize) {
        let rows = self.get();
        let next = if took < PACE.start {
            rows * 2
        } else if took > PACE.end {
            rows / 2
        } else {
            rows
        };
        self.0.store(next.max(SMALLEST_BATCH).min(most), Ordering::Relaxed);
    }
}

/// Takes a job from where it stands to its end.
pub async fn run(app: &App, job: &job::Model, stop: &CancellationToken, claim: &Claim) -> Result<Left, Error> {
    let end = if JobStatus::of(job) == JobStatus::Cancelling {
        ControlFlow::Continue(End::Cancelled)
    } else {
        rows(app, job, stop, claim).await?
    };
    match end {
        ControlFlow::Continue(end) => finish::finish(app, job, claim, end).await,
        ControlFlow::Break(left) => Ok(left),
    }
}

/// Stores the rows of a job from where it stands; how it ends, or how the worker left it before.
async fn rows(
    app: &App,
    job: &job::Model,
    stop: &CancellationToken,
    claim: &Claim,
) -> Result<ControlFlow<Left, End>, Error> {
    // A workbook is looked through first, which takes a while.
    let opened = tokio::select! {
        opened = input::of_job(app, job) => opened?,
        () = claim.cancelled.cancelled() => return Ok(ControlFlow::Continue(End::Cancelled)),
        () = claim.lost.cancelled() => return Ok(ControlFlow::Break(Left::Lost)),
    };
    let input = match opened {
        Ok(input) => input,
        Err(why) => return Ok(ControlFlow::Continue(End::Failed(why))),
    };
    let unread = input.unread();
    let size = BatchSize::new(app.limits.batch_rows);
    let (mut batches, reading) = read_ahead(input, job.processed_rows.unwrap_or_default(), size.clone());
    let mut known = Companies::new();
    loop {
        let next = tokio::select! {
            next = batches.recv() => next,
            () = claim.cancelled.cancelled() => return Ok(ControlFlow::Continue(End::Cancelled)),
            () = claim.lost.cancelled() => return Ok(ControlFlow::Break(Left::Lost)),
        };
        let Some(batch) = next else { break };
        let began = Instant::now();
        match commit(app, job, &unread, &mut known, &batch).await? {
            ControlFlow::Break(Held::Cancelling(_)) => return Ok(ControlFlow::Continue(End::Cancelled)),
            ControlFlow::Break(_) => return Ok(ControlFlow::Break(Left::Lost)),
            ControlFlow::Continue(()) => {}
        }
        size.adapt(began.elapsed(), app.limits.batch_rows);
        claim.steps.fetch_add(1, Ordering::Relaxed);
        if stop.is_cancelled() {
            claim::release(app, job).await?;
            return Ok(ControlFlow::Break(Left::Released));
        }
    }
    // Only now it is known that the rows came to their end because the file did.
    match reading.await? {
        Ok(()) => Ok(ControlFlow::Continue(End::Done)),
        Err(Error::Unreadable(why)) => Ok(ControlFlow::Continue(End::Failed(why))),
        Err(error) => Err(error),
    }
}

/// Reads rows behind those that are processed, a batch ahead of whoever takes them.
fn read_ahead(input: Input, processed: i32, size: BatchSize) -> (Receiver<Batch>, JoinHandle<Result<(), Error>>) {
    let (batches, taken) = mpsc::channel(1);
    (taken, tokio::spawn(read(input, processed, size, batches)))
}

async fn read(mut input: Input, processed: i32, size: BatchSize, batches: Sender<Batch>) -> Result<(), Error> {
    let columns = input.columns.clone();
    let mut to_skip = processed;
    let mut batch = Batch::with_capacity(size.get());
    let end = loop {
        let record = match input.next().await {
            Ok(Some(record)) => record,
            Ok(None) => break Ok(()),
            // The rows before are good.
            Err(error @ Error::Unreadable(_)) => break Err(error),
            Err(error) => return Err(error),
        };
        if to_skip > 0 {
            to_skip -= 1;
            continue;
        }
        batch.push(columns.read(record.line, record.cells));
        if batch.len() >= size.get() {
            let full = std::mem::replace(&mut batch, Batch::with_capacity(size.get()));
            if batches.send(full).await.is_err() {
                // Whoever took them has left the job.
                return Ok(());
            }
        }
    };
    if !batch.is_empty() {
        // As above.
        _ = batches.send(batch).await;
    }
    end
}

/// Commits a batch with the progress it makes, and with the first one what of the file is `unread`; nothing of it where the
/// job is lost or was cancelled.
async fn commit(
    app: &App,
    job: &job::Model,
    unread: &[String],
    known: &mut Companies,
    batch: &[Result<Row, RowFault>],
) -> Result<ControlFlow<Held>, Error> {
    app.checkpoints.pass(Checkpoint::BatchBegins).await?;
    let found = &*known;
    let committed = retrying(|| async {
        let transaction = app.db.begin().await?;
        let held = match claim::hold(app, &transaction, job).await? {
            Held::Running(held) => held,
            other => return Ok(ControlFlow::Break(other)),
        };
        let stored = store::store(&*transaction, &held, status::kind(&held), found, batch).await?;
        let from = held.processed_rows.unwrap_or_default();
        let to = from + i32::try_from(batch.len()).unwrap_or(i32::MAX);
        for told in unread.iter().filter(|_| from == 0) {
            log::write(&*transaction, job.id, told).await?;
        }
        let rows = if from + 1 == to { format!("Row {to}") } else { format!("Rows {} to {to}", from + 1) };
        let told = format!("{rows}: {} stored, {} with errors.", stored.succeeded, stored.failed);
        log::write(&*transaction, job.id, told).await?;
        let mut row = held.clone().into_active_model();
        row.processed_rows = Set(Some(to));
        row.successful_rows = Set(Some(held.successful_rows.unwrap_or_default() + stored.succeeded));
        row.failed_rows = Set(Some(held.failed_rows.unwrap_or_default() + stored.failed));
        row.updated_at = Set(Some(now().naive_utc()));
        row.lease_expires_at = Set(Some(now() + app.limits.lease));
        let job = row.update(&*transaction).await?;
        events::record(app, &transaction, &job, JobEventType::Progress).await?;
        app.checkpoints.pass(Checkpoint::BatchBeforeCommit).await?;
        transaction.commit().await?;
        Ok(ControlFlow::Continue(stored.companies))
    })
    .await?;
    Ok(match committed {
        ControlFlow::Continue(companies) => {
            known.extend(companies);
            ControlFlow::Continue(())
        }
        ControlFlow::Break(held) => ControlFlow::Break(held),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_while_they_are_quick_and_shrink_where_progress_would_be_seen_too_seldom() {
        let (most, size) = (10_000, BatchSize::new(10_000));
        let after = |millis| {
            size.adapt(Duration::from_millis(millis), most);
            size.get()
        };
        assert_eq!([after(50), after(50), after(50)], [4_000, 8_000, most]);
        assert_eq!([after(300), after(900), after(900)], [most, 5_000, 2_500]);
        assert_eq!([2_000; 10].map(after).last(), Some(&SMALLEST_BATCH));
        assert_eq!(BatchSize::new(10).get(), 10);
    }
}
