//! What was decided, cut into batches, at the pace that was asked for and that others bear.
//!
//! Where nobody else uses the database, several batches are written at once while the next ones are decided. Where
//! somebody does, or where that cannot be seen, one small batch is written at a time, with a pause after it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use entity::stored::{Kind, LinkSource};
use sea_orm_migration::sea_orm::prelude::Uuid;
use tokio::sync::mpsc::Sender;

use super::{
    Failure,
    facts::{Reason, Verdict},
    pace::{Courtesy, Pace},
    report::Decision,
    write::Writer,
};

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
    pace: Pace,
    courtesy: &'a Courtesy<'a>,
    writer: Writer,
    /// To those who write while more is decided.
    sender: Sender<Batch>,
    next: Batch,
}

impl<'a> Batches<'a> {
    pub fn new(pace: Pace, courtesy: &'a Courtesy<'a>, writer: Writer, sender: Sender<Batch>) -> Self {
        Self { pace, courtesy, writer, sender, next: Batch::default() }
    }

    /// Adds what was decided about jobs.
    pub fn add_decisions(&mut self, decisions: Vec<Decision>) {
        self.next.decisions.extend(decisions);
    }

    /// Adds what was decided about rows.
    pub fn add_rows(&mut self, kind: Kind, rows: Vec<(Uuid, Verdict)>) {
        for (id, verdict) in rows {
            match verdict {
                Verdict::Link(job, source) => self.next.links.push_back(Link { kind, id, job, source }),
                Verdict::Leave(reason, candidates) => {
                    self.next.left.push_back(Left { kind, id, reason, candidates });
                }
                Verdict::Alone => {}
            }
        }
    }

    /// Hands on full batches, or all there is.
    pub async fn hand_on(&mut self, all: bool) -> Result<(), Failure> {
        loop {
            let size = self.courtesy.rows_written(self.pace.batch_size.max(1)).await;
            let Batch { links, left, decisions } = &mut self.next;
            let most = links.len().max(left.len()).max(decisions.len());
            if most < size && !(all && most > 0) {
                return Ok(());
            }
            let began = Instant::now();
            let batch = Batch {
                links: links.drain(..size.min(links.len())).collect(),
                left: left.drain(..size.min(left.len())).collect(),
                decisions: decisions.drain(..size.min(decisions.len())).collect(),
            };
            let rows = (batch.links.len() + batch.left.len()) as u64;
            if self.courtesy.is_due().await {
                self.writer.write(&batch).await?;
            } else if self.sender.send(batch).await.is_err() {
                // A writer failed, and says why.
                return Ok(());
            }
            self.courtesy.pause(began).await;
            if let Some(most) = self.pace.max_rows_per_second {
                let due = Duration::from_secs(rows) / most.max(1);
                tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            }
        }
    }
}
