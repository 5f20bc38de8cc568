//! Runs of the retention policy: a row that says what is wanted, a claim under which one process carries it out, and each job in
//! a transaction of its own, with the item that says what was done.

use std::{panic::AssertUnwindSafe, time::Duration};

use entity::{
    job, retention_run,
    stored::{AuditAction, RetentionTrigger},
};
use futures_util::FutureExt;
use migration::counted::counted;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select,
    prelude::{DateTimeUtc, Uuid},
    sea_query::{LockType, OnConflict},
};
use tokio_util::sync::CancellationToken;

use super::{
    act::{self, Acted},
    due::Walk,
    policy::Policy,
};
use crate::{
    app::App,
    audit::{self, Actor},
    checkpoint::Checkpoint,
    database::{WriteTransaction, locked, locked_if_free, now, retrying, settling},
    deletion::purge,
    error::Error,
    notifications::{event::Event, outbox},
};

/// How often to look for runs that nobody told of.
const POLL: Duration = Duration::from_secs(5);

/// A run that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What sets it off.
    pub trigger: RetentionTrigger,
    /// Who asked for it.
    pub by: Actor,
    /// The time of the schedule that it is for.
    pub scheduled_for: Option<DateTimeUtc>,
    /// By which rules.
    pub policy: Policy,
    /// The moment that ages are measured at.
    pub at: DateTimeUtc,
    /// The process that begins it carries it out; else whichever finds it.
    pub claimed: bool,
}

/// Begins a run; `None` where another process has begun the one for this time of the schedule. Whoever carries its run out itself
/// ends first what such a process left open.
pub async fn begin(app: &App, wanted: &Wanted) -> Result<Option<retention_run::Model>, Error> {
    if wanted.claimed {
        end_abandoned(app).await?;
    }
    let policy = serde_json::to_string(&wanted.policy).map_err(|error| Error::Format(error.to_string()))?;
    let claim = wanted.claimed.then(|| (Uuid::new_v4(), now() + app.limits.lease));
    let row = retention_run::Model {
        id: Uuid::now_v7(),
        started_at: now(),
        finished_at: None,
        triggered_by: wanted.trigger.as_stored().to_owned(),
        user_id: wanted.by.user_id,
        request_id: wanted.by.request_id.clone(),
        scheduled_for: wanted.scheduled_for,
        at: wanted.at,
        policy,
        cleaned: 0,
        deleted: 0,
        failed: 0,
        bytes_freed: 0,
        lease_token: claim.map(|(token, _)| token),
        lease_expires_at: claim.map(|(_, until)| until),
    };
    let begun = settling(|is_open| insert(app, wanted, &row, is_open)).await?;
    if begun {
        tracing::info!(run = %row.id, trigger = row.triggered_by, "retention run begins");
        app.retention.run_waits.notify_one();
    }
    Ok(begun.then_some(row))
}

/// Writes a run down; `false`: another one is there for its moment.
async fn insert(app: &App, wanted: &Wanted, row: &retention_run::Model, is_open: bool) -> Result<bool, Error> {
    let transaction = app.db.begin().await?;
    // What is in its place is that one, or itself, by an attempt before whose commit was not answered.
    let taken = OnConflict::new().do_nothing().to_owned();
    let insert = retention_run::Entity::insert(row.clone().into_active_model().reset_all()).on_conflict(taken);
    if insert.exec_without_returning(&*transaction).await? == 0 {
        return Ok(is_open && retention_run::Entity::find_by_id(row.id).one(&*transaction).await?.is_some());
    }
    // The mutation's entry; the run has its own at its end.
    if wanted.trigger == RetentionTrigger::Request {
        record(&transaction, row, "began by request".to_owned()).await?;
    }
    app.checkpoints.pass(Checkpoint::RetentionBeforeBegin).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn record(transaction: &WriteTransaction, run: &retention_run::Model, detail: String) -> Result<(), Error> {
    let (action, target) = (AuditAction::RetentionRun, Some(run.id));
    let entry = audit::Entry { action, target, organization: None, refusal: None, detail: Some(detail) };
    Ok(audit::record(&**transaction, actor(run), entry).await?)
}

/// Who asked for a run.
pub fn actor(run: &retention_run::Model) -> Actor {
    Actor { user_id: run.user_id, request_id: run.request_id.clone() }
}

/// Carries runs out until `stop`; ends after the job at hand.
pub async fn work(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match claim(&app).await {
            Ok(Some(run)) => {
                let id = run.id;
                match carry_out(&app, run, &stop, Purges::Elsewhere).await {
                    Ok(_) => continue,
                    Err(error) => tracing::error!(run = %id, "a retention run was cut off and goes on later: {error}"),
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!("cannot look for retention runs: {error}"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = app.retention.run_waits.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Runs that are not at their end and that nobody is at, the oldest first.
fn open() -> Select<retention_run::Entity> {
    use retention_run::Column;
    let free = Condition::any().add(Column::LeaseExpiresAt.is_null()).add(Column::LeaseExpiresAt.lt(now()));
    let open = retention_run::Entity::find().filter(Column::FinishedAt.is_null()).filter(free);
    open.order_by_asc(Column::Id).limit(1)
}

/// Of these the ones of commands, which no other command goes on with.
fn abandoned() -> Select<retention_run::Entity> {
    open().filter(retention_run::Column::TriggeredBy.eq(RetentionTrigger::Command.as_stored()))
}

/// Takes a run that waits, or whose process fell silent.
pub async fn claim(app: &App) -> Result<Option<retention_run::Model>, Error> {
    let Some((run, silent)) = take(app, open).await? else { return Ok(None) };
    if silent {
        tracing::warn!(run = %run.id, "a retention run whose process fell silent is taken over");
    }
    Ok(Some(run))
}

/// Ends the runs that killed commands left open, with what they had done: their rules were for then, and the command that is
/// given again goes by its own. The lease tells that nobody is at them.
async fn end_abandoned(app: &App) -> Result<(), Error> {
    while let Some((run, _)) = take(app, abandoned).await? {
        finish(app, &run, End::ProcessGone).await?;
    }
    Ok(())
}

/// Claims the first of these runs, and answers with it whether somebody had claimed it before.
async fn take(
    app: &App,
    which: impl Fn() -> Select<retention_run::Entity>,
) -> Result<Option<(retention_run::Model, bool)>, Error> {
    if which().one(app.db.reader()).await?.is_none() {
        return Ok(None);
    }
    retrying(|| async {
        let transaction = app.db.begin().await?;
        let Some(run) = locked_if_free(which(), app.db.backend(), LockType::Update).one(&*transaction).await? else {
            return Ok(None);
        };
        let silent = run.lease_token.is_some();
        if silent {
            outbox::enqueue(app, &transaction, &Event::run_interrupted(&run)).await?;
        }
        let mut row = run.into_active_model();
        row.lease_token = Set(Some(Uuid::new_v4()));
        row.lease_expires_at = Set(Some(now() + app.limits.lease));
        let run = row.update(&*transaction).await?;
        transaction.commit().await?;
        Ok(Some((run, silent)))
    })
    .await
}

/// The run, locked, if it is still this process's. The lock keeps others from taking it over in the middle of a job.
pub async fn held(
    app: &App,
    transaction: &WriteTransaction,
    run: &retention_run::Model,
) -> Result<Option<retention_run::Model>, Error> {
    let own = retention_run::Entity::find_by_id(run.id)
        .filter(retention_run::Column::LeaseToken.eq(run.lease_token))
        .filter(retention_run::Column::FinishedAt.is_null());
    Ok(locked(own, app.db.backend(), LockType::Update).one(&**transaction).await?)
}

/// Who purges the files of what a run has cleaned and deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purges {
    /// Whoever looks after the queue: a server.
    Elsewhere,
    /// Whoever carries the run out, after each batch.
    Here,
}

/// How it ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All is done that was due.
    Finished(Box<retention_run::Model>),
    /// Another process has it.
    Lost,
    /// It was told to stop; a server's run goes on elsewhere, or later, and a command's has ended.
    Stopped,
}

/// Carries a claimed run out. What was done before it was taken over is not looked at again.
pub async fn carry_out(
    app: &App,
    run: retention_run::Model,
    stop: &CancellationToken,
    purges: Purges,
) -> Result<Outcome, Error> {
    let policy: Policy = serde_json::from_str(&run.policy).map_err(|error| Error::Format(error.to_string()))?;
    let mut walk = Walk::new(policy, run.at);
    let mut store_answers = true;
    while let Some((status, jobs)) = walk.next(app.db.reader(), app.retention.batch_size).await? {
        app.checkpoints.pass(Checkpoint::RetentionBatchBegins).await?;
        for job in jobs {
            if stop.is_cancelled() {
                match purges {
                    // A server that stops leaves it to the others.
                    Purges::Elsewhere => claim_until(app, &run, None).await?,
                    // A person who stops a command wants no more of it, from a server neither.
                    Purges::Here => _ = finish(app, &run, End::Stopped).await?,
                }
                return Ok(Outcome::Stopped);
            }
            if try_job(app, &run, &policy, &job).await? == Acted::Lost {
                tracing::warn!(run = %run.id, "another process took this retention run over");
                return Ok(Outcome::Lost);
            }
        }
        tracing::debug!(run = %run.id, status = status.as_stored(), "a batch of a retention run is done");
        match purges {
            Purges::Elsewhere => app.job_deleted.notify_one(),
            // What the store refuses stays on the queue.
            Purges::Here if store_answers => store_answers = purge_here(app, &run, stop).await?,
            Purges::Here => {}
        }
    }
    // With nothing due too: files may be left of runs before.
    if purges == Purges::Here && store_answers {
        purge_here(app, &run, stop).await?;
    }
    finish(app, &run, End::Whole).await
}

/// Does what is due to one job. What fails of it alone is written down, and the run goes on.
async fn try_job(app: &App, run: &retention_run::Model, policy: &Policy, job: &job::Model) -> Result<Acted, Error> {
    let attempts = async {
        app.checkpoints.pass(Checkpoint::RetentionJobBegins).await?;
        Box::pin(retrying(|| act::attempt(app, run, policy, job))).await
    };
    // What a panic leaves is a transaction that is undone.
    let outcome = AssertUnwindSafe(attempts).catch_unwind().await.unwrap_or_else(|panic| Err(Error::of_panic(&*panic)));
    let action = match &outcome {
        Ok(Acted::Lost | Acted::Left) => return outcome,
        Ok(Acted::Cleaned) => "cleaned",
        Ok(Acted::Deleted) => "deleted",
        // Not this job's fault, or nobody knows: the run begins again, and looks.
        Err(error) if error.is_busy() || matches!(error, Error::CommitUnknown(_)) => return outcome,
        Err(error) => {
            tracing::error!(run = %run.id, job = %job.id, "retention failed for a job: {error}");
            "failed"
        }
    };
    app.metrics.retention_jobs.get_or_create(&[("action", action)]).inc();
    match outcome {
        Err(_) => retrying(|| act::note_failure(app, run, policy, job)).await,
        acted => acted,
    }
}

/// Purges what is due, and keeps the claim meanwhile; answers whether the store took it all. It ends early on `stop`.
async fn purge_here(app: &App, run: &retention_run::Model, stop: &CancellationToken) -> Result<bool, Error> {
    // A task of its own: it goes on while the claim is renewed, for which both may wait for their turn at the database.
    let all = app.clone();
    let mut purging = tokio::spawn(async move { purge::drain(&all).await });
    loop {
        tokio::select! {
            purged = &mut purging => return purged?,
            () = tokio::time::sleep(app.limits.lease / 3) => renew(app, run).await,
            () = stop.cancelled() => return Ok(false),
        }
    }
}

/// Holds the claim for as long again, where the database takes that; the one before may last meanwhile.
async fn renew(app: &App, run: &retention_run::Model) {
    if let Err(error) = claim_until(app, run, Some(now() + app.limits.lease)).await {
        tracing::warn!(run = %run.id, "the claim of a retention run was not renewed: {error}");
    }
}

/// Holds the claim until then, or gives it back.
async fn claim_until(app: &App, run: &retention_run::Model, until: Option<DateTimeUtc>) -> Result<(), Error> {
    retrying(|| async {
        let transaction = app.db.begin().await?;
        let Some(run) = held(app, &transaction, run).await? else { return Ok(()) };
        let mut row = run.into_active_model();
        row.lease_expires_at = Set(until);
        if until.is_none() {
            row.lease_token = Set(None);
        }
        row.update(&*transaction).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}

/// How a run comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All that was due was looked at.
    Whole,
    /// Nobody was at it any more.
    ProcessGone,
    /// A person stopped it.
    Stopped,
}

impl End {
    /// What the audit log and the program's log add to the counts.
    const fn note(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::ProcessGone => "; its process was gone",
            Self::Stopped => "; it was told to stop",
        }
    }
}

/// Ends a run, with its audit entry.
async fn finish(app: &App, run: &retention_run::Model, end: End) -> Result<Outcome, Error> {
    let note = end.note();
    let finished = retrying(|| async {
        let transaction = app.db.begin().await?;
        let Some(run) = held(app, &transaction, run).await? else { return Ok(None) };
        let mut row = run.into_active_model();
        row.finished_at = Set(Some(now()));
        row.lease_token = Set(None);
        row.lease_expires_at = Set(None);
        let run = row.update(&*transaction).await?;
        record(&transaction, &run, in_words(&run) + note).await?;
        let event = match end {
            End::Stopped => Event::run_interrupted(&run),
            End::Whole | End::ProcessGone => Event::run_ended(&*transaction, &run).await?,
        };
        outbox::enqueue(app, &transaction, &event).await?;
        app.checkpoints.pass(Checkpoint::RetentionEnds).await?;
        transaction.commit().await?;
        Ok(Some(run))
    })
    .await?;
    let Some(run) = finished else { return Ok(Outcome::Lost) };
    tracing::info!(run = %run.id, "retention run ended: {}{note}", in_words(&run));
    let outcome = if run.failed > 0 { "failed" } else { "done" };
    app.metrics.retention_runs.get_or_create(&[("outcome", outcome)]).inc();
    Ok(Outcome::Finished(run.into()))
}

fn in_words(run: &retention_run::Model) -> String {
    let retention_run::Model { triggered_by, cleaned, deleted, failed, bytes_freed, .. } = run;
    let (cleaned, freed) = (counted(cleaned, "job"), counted(bytes_freed, "byte"));
    format!("by {triggered_by}: cleaned {cleaned}, deleted {deleted}, failed {failed}, {freed}")
}
