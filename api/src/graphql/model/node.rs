//! Anything that has an id.

use std::collections::HashMap;

use async_graphql::{ID, Interface, Result};
use entity::{
    annual_prediction, artifact, audit_entry, backfill_run, company, deletion_receipt, job, organization,
    quarterly_prediction, retention_run, user,
};
use sea_orm::{EntityTrait, QueryFilter, prelude::Uuid};

use super::{
    audit::AuditEntry,
    backfill::BackfillRun,
    company::Company,
    deletion::DeletionReceipt,
    job::{Artifact, Job},
    prediction::{AnnualPrediction, QuarterlyPrediction},
    retention::RetentionRun,
    viewer::{Organization, User},
};
use crate::{
    app::App,
    audit,
    auth::{Action, Viewer},
    database::with_ids,
    deletion::receipt,
};

/// Anything that has an id, which is unique across all types.
#[derive(Interface, Clone)]
#[graphql(field(name = "id", ty = "ID", desc = "UUID."))]
pub enum Node {
    /// A job.
    Job(Job),
    /// An annual prediction.
    AnnualPrediction(AnnualPrediction),
    /// A quarterly prediction.
    QuarterlyPrediction(QuarterlyPrediction),
    /// A company.
    Company(Company),
    /// A receipt.
    DeletionReceipt(DeletionReceipt),
    /// A file.
    Artifact(Artifact),
    /// An entry of the audit log; for administrators and operators.
    AuditEntry(AuditEntry),
    /// A run of the backfill; for operators alone.
    BackfillRun(BackfillRun),
    /// A run of the retention policy; for operators alone.
    RetentionRun(RetentionRun),
    /// A user.
    User(User),
    /// An organization.
    Organization(Organization),
}

/// The nodes with these ids, of those that the viewer sees; one statement a table.
pub async fn find(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<HashMap<Uuid, Node>> {
    let (db, backend) = (app.db.reader(), app.db.backend());
    let mut nodes = HashMap::new();
    macro_rules! add {
        ($table:ident, $visible:expr, $node:expr) => {
            let rows =
                with_ids($table::Entity::find(), $table::Column::Id, ids, backend).filter($visible).all(db).await?;
            nodes.extend(rows.into_iter().map(|row| (row.id, $node(row))));
        };
    }
    macro_rules! owned {
        ($table:ident) => {
            viewer.sees($table::Column::OrganizationId, $table::Column::CreatedBy)
        };
    }
    add!(job, viewer.sees_job(), |row: job::Model| Node::Job(row.into()));
    add!(annual_prediction, owned!(annual_prediction), |row: annual_prediction::Model| Node::AnnualPrediction(
        row.into()
    ));
    add!(quarterly_prediction, owned!(quarterly_prediction), |row: quarterly_prediction::Model| {
        Node::QuarterlyPrediction(row.into())
    });
    add!(company, viewer.sees_company(), |row: company::Model| Node::Company(row.into()));
    add!(artifact, viewer.sees_job_of(artifact::Column::JobId), |row| Node::Artifact(Artifact(row)));
    if viewer.may_at_all(Action::ReadBackfillRuns) {
        add!(backfill_run, viewer.sees_backfill_runs(), |row| Node::BackfillRun(BackfillRun(row)));
    }
    if viewer.may_at_all(Action::Retention) {
        add!(retention_run, viewer.sees_retention(), |row| Node::RetentionRun(RetentionRun(row)));
    }
    if viewer.may_at_all(Action::ReadAuditLog) {
        add!(audit_entry, audit::visible(viewer), |row| Node::AuditEntry(AuditEntry(row)));
    }
    add!(user, viewer.sees_user(), |row: user::Model| Node::User(row.into()));
    add!(organization, viewer.sees_organization(), |row| Node::Organization(Organization(row)));
    let receipts = receipt::find_many(db, viewer, deletion_receipt::Column::Id, ids).await?;
    nodes.extend(receipts.into_iter().map(|receipt| (receipt.row.id, Node::DeletionReceipt(DeletionReceipt(receipt)))));
    Ok(nodes)
}
