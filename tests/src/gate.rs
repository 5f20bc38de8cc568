//! Holds the program at a point in the course of a write, so that a test decides who goes first.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use api::{
    checkpoint::{Checkpoint, Checkpoints},
    database::Database,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, TransactionTrait};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};

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

    /// Sends so many statements to read by these connections, none of which ends before the transaction that is given;
    /// they are at work in PostgreSQL when this returns.
    pub async fn reads_that_wait(&self, db: &Database, many: usize) -> (DatabaseTransaction, Vec<JoinHandle<()>>) {
        let statement = |sql| Statement::from_string(DbBackend::Postgres, sql);
        let gate = self.app.db.pool().begin().await.unwrap();
        gate.execute_unprepared("SELECT pg_advisory_xact_lock(1)").await.unwrap();
        let read = || {
            let db = db.clone();
            // Whether it ends well is nobody's concern.
            async move { _ = db.reader().query_one_raw(statement("SELECT pg_advisory_xact_lock_shared(1)")).await }
        };
        let reads = (0..many).map(|_| tokio::spawn(read())).collect();
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        // Asked by the transaction: there may be no other connection left.
        self.until(async || {
            let row = gate.query_one_raw(statement(waiting)).await.unwrap().unwrap();
            (row.try_get_by_index::<i64>(0).unwrap() == i64::try_from(many).unwrap()).then_some(())
        })
        .await;
        (gate, reads)
    }
}
