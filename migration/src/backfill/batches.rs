//! What was decided, cut into batches, at the pace that was asked for and that others bear.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use entity::stored::{Kind, LinkSource};
use sea_orm_migration::sea_orm::{DatabaseConnection, prelude::Uuid};
use tokio::sync::mpsc::Sender;

use super::{Pace, facts::Reason, load::Load, report::Decision};

/// How often to look at the load of the server.
const LOOK: Duration = Duration::from_secs(1);

/// A link to be written.
pub struct Link {
    pub kind: Kind,
    pub id: Uuid,
    pub job: Uuid,
    pub source: LinkSource,
}

/// A row that stays without a link, and the jobs that were at work at the time.
pub struct Left {
    pub kind: Kind,
    pub id: Uuid,
    pub reason: Reason,
    pub candidates: Vec<Uuid>,
}

/// What is written in one transaction.
#[derive(Default)]
pub struct Batch {
    pub links: VecDeque<Link>,
    pub left: VecDeque<Left>,
    pub decisions: Vec<Decision>,
}

/// Cuts what was decided into batches, and keeps the pace.
pub struct Batches<'a> {
    db: &'a DatabaseConnection,
    pace: Pace,
    sender: Sender<Batch>,
    /// What is not handed on yet.
    pub next: Batch,
    /// The load at the last look; none where the database does not tell.
    load: Option<Load>,
    looked: Instant,
}

impl<'a> Batches<'a> {
    pub async fn new(db: &'a DatabaseConnection, pace: Pace, sender: Sender<Batch>) -> Self {
        Self { db, pace, sender, next: Batch::default(), load: Load::of(db).await, looked: Instant::now() }
    }

    /// Hands on full batches, or all there is.
    pub async fn hand_on(&mut self, all: bool) {
        let size = self.pace.batch_size.max(1);
        loop {
            let Batch { links, left, decisions } = &mut self.next;
            let full = links.len() >= size || left.len() >= size;
            let any = !(links.is_empty() && left.is_empty() && decisions.is_empty());
            if !(full || all && any) {
                return;
            }
            let began = Instant::now();
            let batch = Batch {
                links: links.drain(..size.min(links.len())).collect(),
                left: left.drain(..size.min(left.len())).collect(),
                decisions: std::mem::take(decisions),
            };
            let rows = (batch.links.len() + batch.left.len()) as u64;
            if self.sender.send(batch).await.is_err() {
                // A writer failed, and says why.
                return;
            }
            if let Some(most) = self.pace.max_rows_per_second {
                let due = Duration::from_secs(rows) / most.max(1);
                tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            }
            self.make_way().await;
        }
    }

    /// Waits for as long as others' trouble grows.
    async fn make_way(&mut self) {
        let mut said = false;
        while let Some(before) = self.load
            && self.looked.elapsed() >= LOOK
        {
            self.looked = Instant::now();
            self.load = Load::of(self.db).await;
            let Some(why) = self.load.and_then(|load| load.growing_since(before)) else { return };
            if !said {
                tracing::info!("waiting for others: {why}");
                said = true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
