//! Deletes single predictions, named one by one.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use entity::{annual_prediction, job, quarterly_prediction, stored::AuditAction};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Uuid, sea_query::LockType};

use crate::{
    app::App,
    audit::{self, Caller, RefusedTarget},
    auth::Action,
    checkpoint::Checkpoint,
    database::{any_of, locked, settling, with_ids},
    error::{Error, ErrorCode, Refusal},
    jobs::{hold, status::JobStatus},
};

/// What became of the ids.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Deleted.
    pub deleted: Vec<Uuid>,
    /// Refused, by the place in the list.
    pub refused: Vec<(usize, Refusal)>,
    /// The organizations of those that are refused although the caller sees them.
    organizations: HashMap<usize, Option<Uuid>>,
}

#[derive(Clone, Copy)]
struct Found {
    owner: Option<Uuid>,
    organization: Option<Uuid>,
    job: Option<Uuid>,
}

/// Deletes predictions, each for itself: one that is refused does not keep the others. An id that is `None` is no UUID.
pub async fn delete_predictions(app: &App, caller: &Caller, ids: &[Option<Uuid>]) -> Result<Outcome, Error> {
    // Chosen now: where a commit is not answered it tells whether that was done.
    let (entry, tried) = (Uuid::now_v7(), Mutex::default());
    let attempts = settling(|is_open| attempt(app, caller, ids, Trial { entry, is_open, tried: &tried }));
    let outcome = audit::noting_failure(&app.db, caller, AuditAction::DeletePredictions, None, attempts).await?;
    let own = caller.viewer.organization_id();
    let refused = outcome.refused.iter().map(|(place, refusal)| {
        let organization = outcome.organizations.get(place).copied().unwrap_or(own);
        RefusedTarget { id: ids[*place], organization, refusal }
    });
    let refused: Vec<_> = refused.collect();
    // The deletion is committed: that it was is the answer, whatever becomes of these entries.
    if let Err(error) = audit::record_refusals(app, caller, AuditAction::DeletePredictions, &refused).await {
        tracing::error!(?refused, "refusals are missing in the audit log: {error}");
    }
    tracing::info!(deleted = outcome.deleted.len(), refused = outcome.refused.len(), "predictions deleted");
    Ok(outcome)
}

/// What attempts know of each other.
struct Trial<'a> {
    /// The id of the audit entry of the first prediction that goes.
    entry: Uuid,
    /// An attempt before may have been committed.
    is_open: bool,
    /// What that one was about to answer.
    tried: &'a Mutex<Option<Outcome>>,
}

async fn attempt(app: &App, caller: &Caller, ids: &[Option<Uuid>], trial: Trial<'_>) -> Result<Outcome, Error> {
    let transaction = app.db.begin().await?;
    let known: Vec<Uuid> = ids.iter().copied().flatten().collect();
    // It waits for an attempt before, whose commit was not answered.
    let found = find(app, caller, &*transaction, &known).await?;
    if trial.is_open && audit::is_recorded(&*transaction, trial.entry).await? {
        let tried = trial.tried.lock().unwrap_or_else(PoisonError::into_inner).take();
        return Ok(tried.unwrap_or_default());
    }
    let jobs = jobs(caller, &*transaction, &found).await?;

    let mut outcome = Outcome::default();
    for (place, id) in ids.iter().enumerate() {
        match id.and_then(|id| Some((id, found.get(&id)?))) {
            None => outcome.refused.push((place, Refusal::new(ErrorCode::NotFound, "Prediction not found"))),
            Some((id, prediction)) => match guard(caller, prediction, &jobs) {
                Some(refusal) => {
                    outcome.refused.push((place, refusal));
                    outcome.organizations.insert(place, prediction.organization);
                }
                None if outcome.deleted.contains(&id) => {}
                None => outcome.deleted.push(id),
            },
        }
    }
    let backend = app.db.backend();
    macro_rules! delete {
        ($table:ident) => {
            $table::Entity::delete_many()
                .filter(any_of($table::Column::Id, outcome.deleted.clone(), backend))
                .filter(caller.viewer.sees($table::Column::OrganizationId, $table::Column::CreatedBy))
                .exec(&*transaction)
                .await?
        };
    }
    delete!(annual_prediction);
    delete!(quarterly_prediction);
    for (place, id) in outcome.deleted.iter().enumerate() {
        let entry = audit::Entry {
            action: AuditAction::DeletePredictions,
            target: Some(*id),
            organization: found.get(id).and_then(|prediction| prediction.organization),
            refusal: None,
            detail: None,
        };
        let entry_id = if place == 0 { trial.entry } else { Uuid::now_v7() };
        audit::record_as(&*transaction, entry_id, caller, entry).await?;
    }
    *trial.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
    app.checkpoints.pass(Checkpoint::PredictionsBeforeCommit).await?;
    transaction.commit().await?;
    Ok(outcome)
}

fn guard(caller: &Caller, prediction: &Found, jobs: &HashMap<Uuid, job::Model>) -> Option<Refusal> {
    if !caller.viewer.may(Action::Delete, prediction.owner) {
        let message = "Only the prediction's creator or an administrator of the organization may delete it.";
        return Some(Refusal::new(ErrorCode::Forbidden, message));
    }
    let job = prediction.job.and_then(|job| jobs.get(&job))?;
    if let Some(refusal) = hold::refusal(job) {
        return Some(refusal);
    }
    let message = "The prediction's job is still at work; wait for its end.";
    (!JobStatus::of(job).is_terminal()).then(|| Refusal::new(ErrorCode::JobInProgress, message))
}

/// The predictions that are the caller's to see, locked.
async fn find(
    app: &App,
    caller: &Caller,
    db: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Found>, Error> {
    let mut found = HashMap::new();
    macro_rules! find {
        ($table:ident) => {
            let query = with_ids($table::Entity::find(), $table::Column::Id, ids, app.db.backend())
                .filter(caller.viewer.sees($table::Column::OrganizationId, $table::Column::CreatedBy))
                .order_by_asc($table::Column::Id)
                .select_only()
                .columns([
                    $table::Column::Id,
                    $table::Column::CreatedBy,
                    $table::Column::OrganizationId,
                    $table::Column::JobId,
                ]);
            let rows: Vec<(Uuid, Option<Uuid>, Option<Uuid>, Option<Uuid>)> =
                locked(query, app.db.backend(), LockType::Update).into_tuple().all(db).await?;
            found.extend(
                rows.into_iter().map(|(id, owner, organization, job)| (id, Found { owner, organization, job })),
            );
        };
    }
    find!(annual_prediction);
    find!(quarterly_prediction);
    Ok(found)
}

/// Their jobs, those that the caller sees: another tenant's has no say, and its hold is not told.
async fn jobs(
    caller: &Caller,
    db: &impl ConnectionTrait,
    found: &HashMap<Uuid, Found>,
) -> Result<HashMap<Uuid, job::Model>, Error> {
    let ids: Vec<Uuid> = found.values().filter_map(|prediction| prediction.job).collect();
    let backend = db.get_database_backend();
    let jobs = with_ids(job::Entity::find(), job::Column::Id, &ids, backend).filter(caller.viewer.sees_job());
    let jobs = jobs.order_by_asc(job::Column::Id);
    // Nobody puts one on hold until the predictions are gone.
    let jobs = locked(jobs, backend, LockType::KeyShare).all(db).await?;
    Ok(jobs.into_iter().map(|job| (job.id, job)).collect())
}
