//! Queues that are tables: what waits there survives any crash, is claimed by one process at a time, done a few at a time, and
//! tried again with growing pauses where it fails.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sea_orm::prelude::Uuid;
use tokio::{
    sync::Notify,
    task::{Id, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// How often to look for what nobody told of.
const POLL: Duration = Duration::from_secs(5);

/// A queue, and how its tasks are done. Cheap to clone.
pub trait Queue: Clone + Send + Sync + 'static {
    /// What waits.
    type Task: Send + 'static;

    /// What a task is called in the log.
    const TASK: &'static str;

    /// What a task is known by.
    fn id(task: &Self::Task) -> Uuid;

    /// How many are done at a time.
    fn places(&self) -> usize;

    /// Told when one was put on it.
    fn waits(&self) -> &Notify;

    /// Claims a task that is due, but those of `others`: this process is at them, and their claims may run out meanwhile.
    fn claim(&self, others: &[Uuid]) -> impl Future<Output = Result<Option<Self::Task>, Error>> + Send;

    /// Does a claimed task and writes down what became of it; answers whether it succeeded.
    fn carry_out(&self, task: Self::Task) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// Does what is due, until `stop`; ends after what it is at.
pub async fn work(queue: &impl Queue, stop: &CancellationToken) {
    let mut running = Running::of(queue);
    while !stop.is_cancelled() {
        let has_place = running.tasks.len() < queue.places();
        if has_place {
            match running.begin_next(queue).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::error!("cannot look for a {}: {error}", running.task),
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = running.ended() => {}
            () = queue.waits().notified(), if has_place => {}
            () = tokio::time::sleep(POLL), if has_place => {}
        }
    }
    while !running.tasks.is_empty() {
        running.ended().await;
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
        let goes_on = looked.is_ok() && failures < patience.failures && began.elapsed() < patience.within;
        if goes_on && running.tasks.len() < queue.places() {
            match running.begin_next(queue).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => looked = Err(error),
            }
        }
        if running.tasks.is_empty() {
            return looked.map(|()| all_done && began.elapsed() < patience.within);
        }
        if running.ended().await {
            failures = 0;
        } else {
            failures += 1;
            all_done = false;
        }
    }
}

/// How long to wait after so many attempts: two seconds after the first, then twice as long each time, up to `longest`.
pub fn pause(attempts: i32, longest: Duration) -> Duration {
    (Duration::from_secs(1) * 2_u32.saturating_pow(attempts.unsigned_abs())).min(longest)
}

/// Tasks of this process that are under way, by what they are known by.
struct Running {
    tasks: JoinSet<bool>,
    ids: HashMap<Id, Uuid>,
    task: &'static str,
}

impl Running {
    fn of<Q: Queue>(_: &Q) -> Self {
        Self { tasks: JoinSet::new(), ids: HashMap::new(), task: Q::TASK }
    }

    fn begin<Q: Queue>(&mut self, queue: &Q, task: Q::Task) {
        let (queue, id) = (queue.clone(), Q::id(&task));
        let begun = self.tasks.spawn(async move {
            queue.carry_out(task).await.unwrap_or_else(|error| {
                tracing::error!(%id, "a {} failed and is tried again: {error}", Q::TASK);
                false
            })
        });
        self.ids.insert(begun.id(), id);
    }

    /// Waits for the end of one, for ever where there is none, and answers whether it succeeded.
    async fn ended(&mut self) -> bool {
        let (task, succeeded) = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok(ended)) => ended,
            Some(Err(error)) => {
                tracing::error!("a {} panicked and is tried again: {error}", self.task);
                (error.id(), false)
            }
        };
        self.ids.remove(&task);
        succeeded
    }

    /// Begins one that is due, and nobody's.
    async fn begin_next<Q: Queue>(&mut self, queue: &Q) -> Result<bool, Error> {
        let others: Vec<Uuid> = self.ids.values().copied().collect();
        let next = queue.claim(&others).await?;
        let found = next.is_some();
        if let Some(task) = next {
            self.begin(queue, task);
        }
        Ok(found)
    }
}
