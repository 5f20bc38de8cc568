//! What can be changed.
//!
//! Each change runs in a task of its own: a client that hangs up changes nothing about it.

use std::{collections::HashMap, future::Future, sync::Arc};

use async_graphql::{Context, ID, Object, Result};
use entity::stored::AuditAction;
use sea_orm::prelude::Uuid;
use tracing::Instrument;

use super::{
    model::{DeletionReceipt, Job, JobRefusal, Refused, RetentionPolicyInput, RetentionRun, UserError},
    payloads::{
        CancelJobPayload, CleanJobPayload, CreateJobInput, CreateJobPayload, DeleteJobPayload, DeleteJobsPayload,
        DeletePredictionsPayload, FileSource, HoldJobPayload, JobExpectation, ReleaseJobHoldPayload, RetryJobPayload,
        RunRetentionPayload,
    },
    query::{MOST_IDS, distinct},
    scalars::{DateTime, Upload},
};
use crate::{
    app::App,
    audit::{self, Caller},
    deletion::{
        execute::{self, DeleteJob, Outcome},
        predictions,
    },
    error::{Error, ErrorCode, Refusal},
    files::ReceivedFile,
    jobs::{
        self, cancel,
        create::{self, NewJob, Source},
        hold, retry,
    },
    retention::{clean, request},
};

/// The files of a request, in the order of its parts.
#[derive(Clone, Debug, Default)]
pub struct Files(pub Arc<Vec<ReceivedFile>>);

/// The root of what can be changed.
#[derive(Debug)]
pub struct Mutation;

/// What can be changed. Expected refusals are in `userErrors`.
#[Object]
impl Mutation {
    /// Sends a file, from which a job makes predictions in the background.
    async fn create_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file and its kind.")] input: CreateJobInput,
    ) -> Option<Result<CreateJobPayload>> {
        let create = async || -> Result<CreateJobPayload> {
            let (app, caller) = acting(ctx)?;
            let refused = |refusal: Refusal| CreateJobPayload { job: None, user_errors: vec![refusal.into()] };
            let source = match source(ctx, input.source)? {
                Ok(source) => source,
                Err(refusal) => {
                    let told = refusal.clone();
                    detached(async move { create::refuse(&app, &caller, &told).await }).await?;
                    return Ok(refused(refusal));
                }
            };
            let wanted = NewJob { kind: input.kind.into(), source, key: input.idempotency_key };
            let created = detached(async move { create::create_job(&app, &caller, &wanted).await }).await?;
            Ok(match created {
                Ok(job) => CreateJobPayload { job: Some(job.into()), user_errors: Vec::new() },
                Err(refusal) => refused(refusal),
            })
        };
        Some(create().await)
    }

    /// Runs the file of a failed or cancelled job once more, as a new job of the same owner.
    async fn retry_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] id: ID,
    ) -> Option<Result<RetryJobPayload>> {
        let retry = async || -> Result<RetryJobPayload> {
            let (app, caller) = acting(ctx)?;
            let id = Uuid::try_parse(&id).ok();
            let (job, user_errors) = shown(detached(async move { retry::retry_job(&app, &caller, id).await }).await?);
            Ok(RetryJobPayload { job, user_errors })
        };
        Some(retry().await)
    }

    /// Stops a job. A running one ends at its next batch; what it has stored stays, linked.
    async fn cancel_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] id: ID,
        #[graphql(desc = "Why; at most 500 characters.", default_with = "Some(cancel::DEFAULT_REASON.to_owned())")]
        reason: Option<String>,
        #[graphql(desc = "What else there is to say; at most 500 characters.")] notes: Option<String>,
    ) -> Option<Result<CancelJobPayload>> {
        let cancel = async || -> Result<CancelJobPayload> {
            let (app, caller) = acting(ctx)?;
            let id = Uuid::try_parse(&id).ok();
            let reason = reason.unwrap_or_else(|| cancel::DEFAULT_REASON.to_owned());
            let cancelled = async move { cancel::cancel_job(&app, &caller, id, &reason, notes.as_deref()).await };
            let (job, user_errors) = shown(detached(cancelled).await?);
            Ok(CancelJobPayload { job, user_errors })
        };
        Some(cancel().await)
    }

    /// Forbids deleting a job, also with `force`, until the hold is lifted. For administrators.
    async fn hold_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] id: ID,
        #[graphql(desc = "Why; whoever wants to delete the job is told. At most 500 characters.")] reason: String,
    ) -> Option<Result<HoldJobPayload>> {
        let hold = async || -> Result<HoldJobPayload> {
            let (app, caller) = acting(ctx)?;
            let id = Uuid::try_parse(&id).ok();
            let held = async move { hold::hold_job(&app, &caller, id, &reason).await };
            let (job, user_errors) = shown(detached(held).await?);
            Ok(HoldJobPayload { job, user_errors })
        };
        Some(hold().await)
    }

    /// Lifts a job's hold. For administrators.
    async fn release_job_hold(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] id: ID,
    ) -> Option<Result<ReleaseJobHoldPayload>> {
        let release = async || -> Result<ReleaseJobHoldPayload> {
            let (app, caller) = acting(ctx)?;
            let id = Uuid::try_parse(&id).ok();
            let (job, user_errors) = shown(detached(async move { hold::release_hold(&app, &caller, id).await }).await?);
            Ok(ReleaseJobHoldPayload { job, user_errors })
        };
        Some(release().await)
    }

    /// Removes the files of a job that has ended and keeps the job, its row errors and its predictions, as the retention policy
    /// does after a time. Cleaning a clean job changes nothing.
    async fn clean_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] id: ID,
    ) -> Option<Result<CleanJobPayload>> {
        let clean = async || -> Result<CleanJobPayload> {
            let (app, caller) = acting(ctx)?;
            let id = Uuid::try_parse(&id).ok();
            let (job, user_errors) = shown(detached(async move { clean::clean_job(&app, &caller, id).await }).await?);
            Ok(CleanJobPayload { job, user_errors })
        };
        Some(clean().await)
    }

    /// Deletes a job, with or without the predictions linked to it, in one transaction.
    async fn delete_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] id: ID,
        #[graphql(
            desc = "Delete the linked predictions too; else they are kept and lose their link for good.",
            default_with = "Some(false)"
        )]
        delete_predictions: Option<bool>,
        #[graphql(desc = "Delete the job even while it is active; that cancels it.", default_with = "Some(false)")]
        force: Option<bool>,
        #[graphql(desc = "Why, for the receipt; at most 500 characters.")] reason: Option<String>,
        #[graphql(
            desc = "How many linked predictions, of both kinds together, the caller was shown: with another number now nothing is deleted."
        )]
        expected_predictions: Option<i32>,
    ) -> Option<Result<DeleteJobPayload>> {
        let wanted = DeleteJob {
            delete_predictions: delete_predictions.unwrap_or(false),
            force: force.unwrap_or(false),
            reason,
            expected_predictions,
        };
        let delete = async || -> Result<DeleteJobPayload> {
            let (app, caller) = acting(ctx)?;
            let id = Uuid::try_parse(&id).ok();
            let deleted = async move {
                match id {
                    Some(id) => execute::delete_job(&app, &caller, id, &wanted).await,
                    None => execute::refuse_no_id(&app, &caller).await,
                }
            };
            let outcome = detached(deleted).await?;
            Ok(match outcome {
                Outcome::Deleted(receipt) => DeleteJobPayload {
                    deleted_job_id: Some(receipt.row.job_id.into()),
                    receipt: Some(DeletionReceipt(*receipt)),
                    ..DeleteJobPayload::default()
                },
                Outcome::Refused(why) => refused(*why),
            })
        };
        Some(delete().await)
    }

    /// Deletes up to 100 jobs, each in a transaction of its own, and reports on each.
    async fn delete_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The jobs; an id given twice counts once.")] ids: Vec<ID>,
        #[graphql(
            desc = "Delete the linked predictions too; else they are kept and lose their links for good.",
            default_with = "Some(false)"
        )]
        delete_predictions: Option<bool>,
        #[graphql(desc = "Delete jobs even while they are active; that cancels them.", default_with = "Some(false)")]
        force: Option<bool>,
        #[graphql(desc = "Why, for the receipts; at most 500 characters.")] reason: Option<String>,
        #[graphql(desc = "What the caller was shown: a job whose number is another one now is not deleted.")]
        expected: Option<Vec<JobExpectation>>,
    ) -> Option<Result<DeleteJobsPayload>> {
        let delete = async || -> Result<DeleteJobsPayload> {
            let (app, caller) = acting(ctx)?;
            if let Some(refusal) = too_many(&ids) {
                audit_whole_call(&app, &caller, AuditAction::DeleteJob, Some(&refusal)).await?;
                return Ok(DeleteJobsPayload { user_errors: vec![refusal.into()], ..DeleteJobsPayload::default() });
            }
            let (known, strangers) = distinct(&ids);
            let expected = match expectations(&ids, expected.as_deref().unwrap_or_default()) {
                Ok(expected) => expected,
                Err(refusal) => {
                    audit_whole_call(&app, &caller, AuditAction::DeleteJob, Some(&refusal)).await?;
                    return Ok(DeleteJobsPayload { user_errors: vec![refusal.into()], ..DeleteJobsPayload::default() });
                }
            };
            if ids.is_empty() {
                audit_whole_call(&app, &caller, AuditAction::DeleteJob, None).await?;
            }
            let wanted = DeleteJob {
                delete_predictions: delete_predictions.unwrap_or(false),
                force: force.unwrap_or(false),
                reason: reason.clone(),
                expected_predictions: None,
            };
            let no_ids = strangers.len();
            let outcomes = detached(async move {
                execute::record_no_ids(&app, &caller, no_ids).await?;
                let mut outcomes = Vec::with_capacity(known.len());
                let mut is_away = false;
                for id in known {
                    if is_away {
                        outcomes.push((id, Err(Error::away())));
                        continue;
                    }
                    let expected_predictions = expected.get(&id).copied();
                    let wanted = DeleteJob { expected_predictions, ..wanted.clone() };
                    // One that fails says so and leaves the rest to go on, unless they would wait as long in vain.
                    let outcome = execute::delete_job(&app, &caller, id, &wanted).await;
                    is_away = outcome.as_ref().is_err_and(|error| error.is_busy() && !error.is_transient());
                    outcomes.push((id, outcome));
                }
                Ok(outcomes)
            })
            .await?;
            let mut payload = DeleteJobsPayload::default();
            for (id, outcome) in outcomes {
                match outcome {
                    Ok(Outcome::Deleted(receipt)) => {
                        payload.deleted_job_ids.push(id.into());
                        payload.receipts.push(DeletionReceipt(*receipt));
                    }
                    Ok(Outcome::Refused(why)) => payload.refused.push(JobRefusal::new(id.into(), *why)),
                    Err(error) => {
                        let error = async_graphql::Error::from(error).into_server_error(ctx.item.pos);
                        ctx.add_error(ctx.set_error_path(error));
                    }
                }
            }
            payload.refused.extend(strangers.into_iter().map(|id| JobRefusal::new(id, execute::gone(None))));
            Ok(payload)
        };
        Some(delete().await)
    }

    /// Begins a run of the retention policy, which goes on in the background. What it would do now is what `retentionPreview`
    /// shows. For operators alone.
    async fn run_retention(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be otherwise than in the server's policy, for this run.")] policy: Option<
            RetentionPolicyInput,
        >,
        #[graphql(
            desc = "The moment that ages are measured at, such as that of the preview that was looked at; now by default, and one that is still to come counts as now."
        )]
        at: Option<DateTime>,
    ) -> Option<Result<RunRetentionPayload>> {
        let run = async || -> Result<RunRetentionPayload> {
            let (app, caller) = acting(ctx)?;
            let policy = app.retention.policy.with(&policy.unwrap_or_default().into());
            let at = request::moment(at.map(|at| at.0));
            Ok(match detached(async move { request::run_retention(&app, &caller, policy, at).await }).await? {
                Ok(run) => RunRetentionPayload { run: Some(RetentionRun(run)), user_errors: Vec::new() },
                Err(refusal) => RunRetentionPayload { run: None, user_errors: vec![refusal.into()] },
            })
        };
        Some(run().await)
    }

    /// Deletes up to 100 single predictions, each for itself.
    async fn delete_predictions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The predictions.")] ids: Vec<ID>,
    ) -> Option<Result<DeletePredictionsPayload>> {
        let delete = async || -> Result<DeletePredictionsPayload> {
            let (app, caller) = acting(ctx)?;
            if let Some(refusal) = too_many(&ids) {
                audit_whole_call(&app, &caller, AuditAction::DeletePredictions, Some(&refusal)).await?;
                return Ok(DeletePredictionsPayload { deleted_ids: Vec::new(), user_errors: vec![refusal.into()] });
            }
            if ids.is_empty() {
                audit_whole_call(&app, &caller, AuditAction::DeletePredictions, None).await?;
            }
            let known: Vec<_> = ids.iter().map(|id| Uuid::try_parse(id).ok()).collect();
            let outcome = detached(async move { predictions::delete_predictions(&app, &caller, &known).await }).await?;
            let place = |(place, refusal): (usize, Refusal)| refusal.at(&["ids", &place.to_string()]).into();
            Ok(DeletePredictionsPayload {
                deleted_ids: outcome.deleted.into_iter().map(Into::into).collect(),
                user_errors: outcome.refused.into_iter().map(place).collect(),
            })
        };
        Some(delete().await)
    }
}

/// Where the file of a new job is.
fn source(ctx: &Context<'_>, given: FileSource) -> Result<std::result::Result<Source, Refusal>> {
    Ok(match given {
        FileSource::File(Upload(number)) => {
            ctx.data::<Files>()?.0.get(number).cloned().map(Source::Sent).ok_or_else(|| {
                Refusal::new(ErrorCode::ValidationFailed, "The request holds no such file.")
                    .at(&["input", "source", "file"])
            })
        }
        FileSource::UploadId(id) => Uuid::try_parse(&id).map(Source::Staged).map_err(|_| create::no_upload()),
    })
}

/// The app and the caller of a request.
fn acting(ctx: &Context<'_>) -> Result<(App, Caller)> {
    Ok((ctx.data::<App>()?.clone(), ctx.data::<Caller>()?.clone()))
}

/// Runs a change to its end, whatever becomes of the request.
async fn detached<T: Send + 'static>(
    change: impl Future<Output = std::result::Result<T, Error>> + Send + 'static,
) -> std::result::Result<T, Error> {
    tokio::spawn(change.instrument(tracing::Span::current())).await?
}

fn shown(outcome: jobs::Outcome) -> (Option<Job>, Vec<UserError>) {
    (outcome.job.map(Job::from), outcome.refusal.into_iter().map(Into::into).collect())
}

fn refused(why: execute::Refused) -> DeleteJobPayload {
    let Refused { error, job, receipt } = why.into();
    DeleteJobPayload { deleted_job_id: None, receipt, job, user_errors: vec![error] }
}

fn too_many(ids: &[ID]) -> Option<Refusal> {
    let message = format!("{} ids were given; at most {MOST_IDS} are allowed.", ids.len());
    (ids.len() > MOST_IDS).then(|| Refusal::new(ErrorCode::ValidationFailed, message).at(&["ids"]))
}

/// Records a call that is refused as a whole, or that is about nothing.
async fn audit_whole_call(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    refusal: Option<&Refusal>,
) -> std::result::Result<(), Error> {
    let (app, caller, refusal) = (app.clone(), caller.clone(), refusal.cloned());
    detached(async move {
        let organization = caller.viewer.organization_id();
        match refusal {
            Some(refusal) => audit::record_refusal(&app, &caller, action, None, organization, &refusal).await,
            None => audit::record_nothing(&app.db, &caller, action).await,
        }
    })
    .await
}

/// How many predictions the caller was shown of each job. One that is for no job of the call, or says two things of one
/// job, would protect nothing, so the call is refused.
fn expectations(ids: &[ID], expected: &[JobExpectation]) -> std::result::Result<HashMap<Uuid, i32>, Refusal> {
    let mut numbers = HashMap::new();
    for (index, JobExpectation { id, predictions }) in expected.iter().enumerate() {
        let job = Uuid::try_parse(id).ok();
        let named = ids.iter().any(|named| named == id || (job.is_some() && Uuid::try_parse(named).ok() == job));
        let before = job.and_then(|job| numbers.insert(job, *predictions));
        let fault = if !named {
            "is for a job that is not among \"ids\""
        } else if before.is_some_and(|before| before != *predictions) {
            "gives a second number for its job"
        } else {
            continue;
        };
        let message = format!("Expectation {index} {fault}; give one number for each job to delete, or none.");
        return Err(Refusal::new(ErrorCode::ValidationFailed, message).at(&["expected", &index.to_string()]));
    }
    Ok(numbers)
}
