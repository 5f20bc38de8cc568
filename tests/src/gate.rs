//! Holds the program at a point in the course of a write, so that a test decides who goes first.

use std::sync::Arc;

use api::checkpoint::{Checkpoint, Checkpoints};
use tokio::sync::{Semaphore, mpsc};

use crate::{Engine, World};

/// Stops whoever passes a checkpoint until the test lets them go on.
pub struct Gate {
    arrived: mpsc::UnboundedReceiver<()>,
    go: Arc<Semaphore>,
}

impl Gate {
    /// A gate at one checkpoint, from the `from`th time on that somebody passes it (from 1).
    pub fn at(checkpoint: Checkpoint, from: usize) -> (Self, Checkpoints) {
        let (arrive, arrived) = mpsc::unbounded_channel();
        let go = Arc::new(Semaphore::new(0));
        let gate = go.clone();
        let passed = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let checkpoints = Checkpoints::hooked(move |at| {
            let (arrive, gate, passed) = (arrive.clone(), gate.clone(), passed.clone());
            Box::pin(async move {
                if at == checkpoint && passed.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 >= from {
                    _ = arrive.send(());
                    gate.acquire().await.unwrap().forget();
                }
                Ok(())
            })
        });
        (Self { arrived, go }, checkpoints)
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
