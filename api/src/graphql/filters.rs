//! What lists are narrowed and ordered by.

use async_graphql::{ID, InputObject};
use sea_orm::prelude::Uuid;

use super::{
    model::{
        AuditAction, AuditOutcome, DeletionTrigger, JobOrderField, JobOrigin, JobStatus, LinkSource, OrderDirection,
        PredictionKind, RiskLevel,
    },
    scalars::DateTime,
};
use crate::{audit, deletion::receipt, jobs, predictions};

/// Which jobs are wanted; what is not given does not matter.
#[derive(InputObject, Default)]
pub struct JobFilter {
    /// In one of these states.
    pub status: Option<Vec<JobStatus>>,
    /// Of this kind.
    pub kind: Option<PredictionKind>,
    /// Made by this program.
    pub origin: Option<JobOrigin>,
    /// Created by this user.
    pub created_by: Option<ID>,
    /// Created at this time or later.
    pub created_after: Option<DateTime>,
    /// Created before this time.
    pub created_before: Option<DateTime>,
    /// Ended at this time or later.
    pub finished_after: Option<DateTime>,
    /// Ended before this time.
    pub finished_before: Option<DateTime>,
    /// Part of the file's name, or the beginning of the job's id.
    pub search: Option<String>,
}

/// The order of a list of jobs.
#[derive(InputObject)]
pub struct JobOrder {
    /// By what.
    pub field: JobOrderField,
    /// In which direction.
    pub direction: OrderDirection,
}

/// Which predictions are wanted; what is not given does not matter.
#[derive(InputObject, Default)]
pub struct PredictionFilter {
    /// Linked to this job.
    pub job_id: Option<ID>,
    /// `true`: without a job, released ones too; `false`: with one.
    pub unlinked: Option<bool>,
    /// Linked in one of these ways; `RELEASED` = without a job since their job was deleted.
    pub link_source: Option<Vec<LinkSource>>,
    /// Made by this user or by a job of this user.
    pub created_by: Option<ID>,
    /// Of this company.
    pub company_id: Option<ID>,
    /// Four digits.
    pub reporting_year: Option<String>,
    /// `Q1` to `Q4`.
    pub reporting_quarter: Option<String>,
    /// At one of these levels.
    pub risk_level: Option<Vec<RiskLevel>>,
}

/// Which receipts are wanted; what is not given does not matter.
#[derive(InputObject, Default)]
pub struct DeletionReceiptFilter {
    /// Deleted at this time or later.
    pub deleted_after: Option<DateTime>,
    /// Deleted before this time.
    pub deleted_before: Option<DateTime>,
    /// Deleted by this user.
    pub deleted_by: Option<ID>,
    /// Set off by this.
    pub trigger: Option<DeletionTrigger>,
    /// `true`: the store has not yet confirmed that the files are gone; `false`: nothing is left to purge.
    pub purge_pending: Option<bool>,
    /// Part of the file's name, or the beginning of the job's id.
    pub search: Option<String>,
}

/// Which entries are wanted; what is not given does not matter.
#[derive(InputObject, Default)]
pub struct AuditFilter {
    /// About this job, prediction or run.
    pub target_id: Option<ID>,
    /// One of these.
    pub action: Option<Vec<AuditAction>>,
    /// By this user.
    pub actor_id: Option<ID>,
    /// That ended like this.
    pub outcome: Option<AuditOutcome>,
    /// Written at this time or later.
    pub after: Option<DateTime>,
    /// Written before this time.
    pub before: Option<DateTime>,
}

/// An id as a UUID; what is no UUID is the id of nothing.
fn uuid(id: &ID) -> Uuid {
    Uuid::try_parse(id).unwrap_or(Uuid::nil())
}

impl From<JobFilter> for jobs::list::Filter {
    fn from(filter: JobFilter) -> Self {
        Self {
            status: filter.status.map(|states| states.into_iter().map(Into::into).collect()),
            kind: filter.kind.map(Into::into),
            own: filter.origin.map(|origin| origin == JobOrigin::Joblink),
            created_by: filter.created_by.as_ref().map(uuid),
            created_after: filter.created_after.map(|time| time.0),
            created_before: filter.created_before.map(|time| time.0),
            finished_after: filter.finished_after.map(|time| time.0),
            finished_before: filter.finished_before.map(|time| time.0),
            search: filter.search,
            ..Self::default()
        }
    }
}

impl From<PredictionFilter> for predictions::list::Filter {
    fn from(filter: PredictionFilter) -> Self {
        Self {
            job_id: filter.job_id.as_ref().map(uuid),
            unlinked: filter.unlinked,
            link_source: filter.link_source.map(|sources| sources.into_iter().map(Into::into).collect()),
            created_by: filter.created_by.as_ref().map(uuid),
            company_id: filter.company_id.as_ref().map(uuid),
            reporting_year: filter.reporting_year,
            reporting_quarter: filter.reporting_quarter,
            risk_level: filter.risk_level.map(|levels| levels.into_iter().map(Into::into).collect()),
        }
    }
}

impl From<DeletionReceiptFilter> for receipt::Filter {
    fn from(filter: DeletionReceiptFilter) -> Self {
        Self {
            deleted_after: filter.deleted_after.map(|time| time.0),
            deleted_before: filter.deleted_before.map(|time| time.0),
            deleted_by: filter.deleted_by.as_ref().map(uuid),
            trigger: filter.trigger.map(Into::into),
            purge_pending: filter.purge_pending,
            search: filter.search,
        }
    }
}

impl From<AuditFilter> for audit::Filter {
    fn from(filter: AuditFilter) -> Self {
        Self {
            target: filter.target_id.as_ref().map(uuid),
            actions: filter.action.map(|actions| actions.into_iter().map(Into::into).collect()),
            actor: filter.actor_id.as_ref().map(uuid),
            outcome: filter.outcome.map(Into::into),
            after: filter.after.map(|time| time.0),
            before: filter.before.map(|time| time.0),
        }
    }
}
