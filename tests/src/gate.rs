//! Holds the program at a point in the course of a write, so that a test decides who goes first.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use api::checkpoint::{Checkpoint, Checkpoints};
use tokio::sync::{Semaphore, mpsc};

use crate::{Engine, World};

/// Where somebody is stopped.
struct Place {
    checkpoint: Checkpoint,
    /// At which of the times that it is passed, from 1.
    times: Range<usize>,
    passed: AtomicUsize,
    arrive: mpsc::UnboundedSender<()>,
    go: Arc<Semaphore>,
}

impl Place {
    fn holds(&self) -> bool {
        self.times.contains(&(self.passed.fetch_add(1, Ordering::SeqCst) + 1))
    }
}

/// Stops whoever passes a checkpoint until the test lets them go on.
pub struct Gate {
    arrived: mpsc::UnboundedReceiver<()>,
    go: Arc<Semaphore>,
}

impl Gate {
    /// A gate at one checkpoint, from the `from`th time on that somebody passes it (from 1).
    pub fn at(checkpoint: Checkpoint, from: usize) -> (Self, Checkpoints) {
        let ([gate], checkpoints) = Self::each([(checkpoint, from)]);
        (gate, checkpoints)
    }

    /// A gate at one checkpoint, for the first `times` that somebody passes it.
    pub fn first(checkpoint: Checkpoint, times: usize) -> (Self, Checkpoints) {
        let ([gate], checkpoints) = Self::made([(checkpoint, 1..times + 1)]);
        (gate, checkpoints)
    }

    /// Gates at several checkpoints, each from the given time on.
    pub fn each<const N: usize>(places: [(Checkpoint, usize); N]) -> ([Self; N], Checkpoints) {
        Self::made(places.map(|(checkpoint, from)| (checkpoint, from..usize::MAX)))
    }

    fn made<const N: usize>(places: [(Checkpoint, Range<usize>); N]) -> ([Self; N], Checkpoints) {
        let made = places.map(|(checkpoint, times)| {
            let (arrive, arrived) = mpsc::unbounded_channel();
            let go = Arc::new(Semaphore::new(0));
            let place = Place { checkpoint, times, passed: AtomicUsize::new(0), arrive, go: go.clone() };
            (Self { arrived, go }, Arc::new(place))
        });
        let places: Vec<_> = made.iter().map(|(_, place)| place.clone()).collect();
        let checkpoints = Checkpoints::hooked(move |at| {
            let place = places.iter().find(|place| place.checkpoint == at && place.holds()).cloned();
            Box::pin(async move {
                if let Some(place) = place {
                    _ = place.arrive.send(());
                    place.go.acquire().await.unwrap().forget();
                }
                Ok(())
            })
        });
        (made.map(|(gate, _)| gate), checkpoints)
    }

    /// Waits until somebody has come.
    pub async fn wait(&mut self) {
        self.arrived.recv().await.unwrap();
    }

    /// Lets one pass.
    pub fn let_one(&self) {
        self.go.add_permits(1);
    }

    /// Lets everybody pass from now on.
    pub fn open(&self) {
        self.go.add_permits(1_000_000);
    }
}

impl World {
    /// Waits until somebody waits for the other side: on PostgreSQL for its lock. On SQLite writers wait in the program.
    pub async fn somebody_waits(&self) {
        if self.engine == Engine::Postgres {
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            self.until(async || (self.count(waiting).await > 0).then_some(())).await;
        }
    }
}
