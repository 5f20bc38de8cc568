//! A run: takes the lease, walks, and writes links in short transactions.
//!
//! Where a run stands is in its links themselves, so nothing can disagree with them: killed anywhere and started again,
//! it decides once more what it decided before, and finds that a part is done.

use std::sync::Arc;

use entity::stored::AuditAction;
use sea_orm_migration::sea_orm::{DatabaseConnection, DbErr, prelude::Uuid};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use super::{
    Failure, Pace, Report, Settings, all_rows,
    batches::Batches,
    finish_unresolved,
    lease::{Lease, audit_failure, beat},
    list_unresolved, open_unresolved,
    pace::Courtesy,
    refuse_pending,
    walk::{Decided, Evidence, Walk},
    write::Writer,
};
use crate::progress::Progress;

/// How many transactions write at once.
const WRITERS: usize = 2;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The run.
    pub run: Uuid,
    /// Whether it went on with a run that had been interrupted.
    pub resumed: bool,
    /// What was decided.
    pub report: Report,
    /// Decided links that were not written, because the row or its job changed or went in the meantime.
    pub overtaken: u64,
}

/// Writes the links that [`super::plan`] would show.
///
/// Goes on with the run that was interrupted, where there is one, with the settings and the time at which that began.
/// Refuses while another one is alive.
pub async fn run(db: &DatabaseConnection, settings: &Settings, pace: Pace) -> Result<Outcome, Failure> {
    refuse_pending(db).await?;
    let begun = async {
        let evidence = Evidence::open(db, settings).await?;
        Ok((evidence, Lease::take(db, settings).await?))
    };
    let (evidence, lease) = match begun.await {
        Ok(begun) => begun,
        Err(failure) => {
            audit_failure(db, AuditAction::BackfillRun, None, &failure).await;
            return Err(failure);
        }
    };
    let beating = tokio::spawn(beat(db.clone(), lease.clone()));
    let outcome = under_lease(db, settings, &evidence, pace, &lease).await;
    beating.abort();
    if let Err(failure) = &outcome {
        audit_failure(db, AuditAction::BackfillRun, Some(lease.run), failure).await;
        // So that the next one need not wait. Where this fails too, it waits.
        let released = lease.give_back(db).await;
        if let Err(error) = released {
            tracing::warn!("the lease of run {} was not given back: {error}", lease.run);
        }
    }
    outcome
}

async fn under_lease(
    db: &DatabaseConnection,
    settings: &Settings,
    evidence: &Evidence,
    pace: Pace,
    lease: &Lease,
) -> Result<Outcome, Failure> {
    let mut unresolved = open_unresolved(settings)?;
    let mut report = Report::new(evidence);
    let of = all_rows(db, settings).await?;
    lease.forget_decisions(db).await?;
    let writer = Writer::new(db.clone(), lease.clone());
    // Full batches go to whoever writes next: two at once keep a server busy that one after the other would not. They are
    // tasks of their own, so that no transaction stands open while much is decided.
    let (sender, receiver) = mpsc::channel(WRITERS);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(writer.clone().write_all(receiver.clone()));
    }
    drop(receiver);
    let walking = async {
        let courtesy = Courtesy::new(db, settings.full_speed).await;
        let mut batches = Batches::new(pace, &courtesy, writer.clone(), sender);
        let (start, run) = (lease.started_at.naive_utc(), Some(lease.run));
        let walk = Walk { db, settings, evidence, courtesy: &courtesy, start, run };
        walk.go(async |decided| {
            batches.add_decisions(report.add(&decided));
            list_unresolved(&mut unresolved, settings, &decided)?;
            if let Decided::Rows { kind, rows, .. } = decided {
                batches.add_rows(kind, rows);
            }
            batches.hand_on(false).await?;
            settings.watch.tell(&Progress { rows: report.rows, of, more: format!("{} linked", writer.written()) });
            Ok(())
        })
        .await?;
        batches.hand_on(true).await
    };
    let writing = async {
        while let Some(ended) = writers.join_next().await {
            ended.map_err(|error| DbErr::Custom(format!("a writer ended: {error}")))??;
        }
        Ok::<_, Failure>(())
    };
    tokio::try_join!(walking, writing)?;
    finish_unresolved(unresolved, settings)?;
    let standing = lease.standing(db).await?;
    lease.finish(db, standing, report.total_unresolved()).await?;
    let overtaken = report.total_linked().saturating_sub(standing);
    Ok(Outcome { run: lease.run, resumed: lease.resumed, report, overtaken })
}
