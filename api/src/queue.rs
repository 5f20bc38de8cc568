//! Queues that are tables: what waits there survives any crash, is claimed by one process at a time, done a few at a time, and
//! tried again with growing pauses where it fails. What can be claimed together is, and what has ended meanwhile is written down
//! together.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sea_orm::prelude::Uuid;
use tokio::{
    sync::Notify,
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// How often to look for what nobody told of.
const POLL: Duration = Duration::from_secs(5);

/// A queue, and how its tasks are done. Cheap to clone.
pub trait Queue: Clone + Send + Sync + 'static {
    /// What waits.
    type Task: Send + 'static;
    /// What became of one.
    type Ended: Send + 'static;

    /// What a task is called in the log.
    const TASK: &'static str;

    /// What a task is known by.
    fn id(task: &Self::Task) -> Uuid;

    /// How many are done at a time.
    fn places(&self) -> usize;

    /// Told when one was put on it.
    fn waits(&self) -> &Notify;

    /// Claims up to `most` tasks that are due, but none of `others`: this process is at them, and their claims may run out
    /// meanwhile.
    fn claim(&self, others: &[Uuid], most: usize) -> impl Future<Output = Result<Vec<Self::Task>, Error>> + Send;

    /// Does a claimed task.
    fn carry_out(&self, task: Self::Task) -> impl Future<Output = Result<Self::Ended, Error>> + Send;

    /// Writes down what became of some, in one transaction; answers of each whether it succeeded.
    fn write_down(&self, ended: Vec<Self::Ended>) -> impl Future<Output = Result<Vec<bool>, Error>> + Send;
}

/// Does what is due, until `stop`; ends after what it is at.
pub async fn work<Q: Queue>(queue: &Q, stop: &CancellationToken) {
    let mut running = Running::of(queue);
    while !stop.is_cancelled() {
        if let Err(error) = running.begin_due().await {
            tracing::error!("cannot look for a {}: {error}", Q::TASK);
        }
        let has_place = running.places() > 0;
        tokio::select! {
            () = stop.cancelled() => {}
            () = running.one_ends() => {}
            () = queue.waits().notified(), if has_place => {}
            () = tokio::time::sleep(POLL), if has_place => {}
        }
        running.write_down().await;
    }
    while !running.is_empty() {
        running.one_ends().await;
        running.write_down().await;
    }
}

/// When a drain ends although more is due.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After so many failures in a row.
    pub failures: usize,
    /// After so long.
    pub within: Duration,
}

/// Does all that is due, without a server, and answers whether all succeeded. What it is at is always ended.
pub async fn drain(queue: &impl Queue, patience: Patience) -> Result<bool, Error> {
    let (began, mut running) = (Instant::now(), Running::of(queue));
    let (mut failures, mut all_done, mut looked) = (0, true, Ok(()));
    loop {
        if looked.is_ok() && failures < patience.failures && began.elapsed() < patience.within {
            looked = running.begin_due().await;
        }
        if running.is_empty() {
            return looked.map(|()| all_done && began.elapsed() < patience.within);
        }
        running.one_ends().await;
        for succeeded in running.write_down().await {
            if succeeded {
                failures = 0;
            } else {
                failures += 1;
                all_done = false;
            }
        }
    }
}

/// How long to wait after so many attempts: two seconds after the first, then twice as long each time, up to `longest`.
pub fn pause(attempts: i32, longest: Duration) -> Duration {
    (Duration::from_secs(1) * 2_u32.saturating_pow(attempts.unsigned_abs())).min(longest)
}

/// Tasks of this process that are under way.
struct Running<'a, Q: Queue> {
    queue: &'a Q,
    tasks: JoinSet<Option<Q::Ended>>,
    /// By what they are known.
    ids: HashMap<Id, Uuid>,
    /// Ended, and not written down yet.
    ended: Vec<Joined<Q::Ended>>,
}

/// A task of the runtime that has ended; `None`: what it was to do failed.
type Joined<E> = Result<(Id, Option<E>), JoinError>;

impl<'a, Q: Queue> Running<'a, Q> {
    fn of(queue: &'a Q) -> Self {
        Self { queue, tasks: JoinSet::new(), ids: HashMap::new(), ended: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many more may be begun.
    fn places(&self) -> usize {
        self.queue.places().saturating_sub(self.tasks.len())
    }

    /// Begins what is due, and nobody's, as far as there is place.
    async fn begin_due(&mut self) -> Result<(), Error> {
        while self.places() > 0 {
            let others: Vec<Uuid> = self.ids.values().copied().collect();
            let (places, claimed) = (self.places(), self.queue.claim(&others, self.places()).await?);
            let was_all = claimed.len() < places;
            for task in claimed {
                self.begin(task);
            }
            if was_all {
                break;
            }
        }
        Ok(())
    }

    fn begin(&mut self, task: Q::Task) {
        let (queue, id) = (self.queue.clone(), Q::id(&task));
        let begun = self.tasks.spawn(async move {
            let failed = |error| tracing::error!(%id, "a {} failed and is tried again: {error}", Q::TASK);
            queue.carry_out(task).await.map_err(failed).ok()
        });
        self.ids.insert(begun.id(), id);
    }

    /// Waits for the end of one, for ever where there is none. Nothing is lost where this is not waited for to its end.
    async fn one_ends(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.ended.push(ended),
            None => std::future::pending().await,
        }
    }

    /// Writes down what has ended, and answers of each whether it succeeded.
    async fn write_down(&mut self) -> Vec<bool> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.ended.push(ended);
        }
        let (mut to_write, mut outcomes) = (Vec::new(), Vec::new());
        for ended in self.ended.drain(..) {
            let (task, what) = ended.unwrap_or_else(|error| {
                tracing::error!("a {} panicked and is tried again: {error}", Q::TASK);
                (error.id(), None)
            });
            self.ids.remove(&task);
            match what {
                Some(what) => to_write.push(what),
                None => outcomes.push(false),
            }
        }
        let count = to_write.len();
        if count > 0 {
            outcomes.extend(self.queue.write_down(to_write).await.unwrap_or_else(|error| {
                tracing::error!("cannot write down what became of a {}, which is tried again: {error}", Q::TASK);
                vec![false; count]
            }));
        }
        outcomes
    }
}
