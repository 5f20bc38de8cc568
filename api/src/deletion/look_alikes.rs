//! Predictions without a link that look as if a job had made them: rows of an existing installation that no backfill
//! has linked.

use std::collections::HashMap;

use entity::{annual_prediction, job, quarterly_prediction, stored::Kind};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoSimpleExpr, QueryFilter, QuerySelect, QueryTrait,
    prelude::Uuid,
    sea_query::{ExprTrait, Func, SelectStatement, SimpleExpr},
};

use crate::{database::with_ids, jobs::status};

/// How many look as if made by each of these jobs, in one statement a kind. None where Joblink made the job, which wrote
/// its rows with their links.
pub async fn counts(db: &impl ConnectionTrait, jobs: &HashMap<Uuid, job::Model>) -> Result<HashMap<Uuid, u64>, DbErr> {
    let mut counts = HashMap::new();
    for kind in Kind::ALL.iter().copied() {
        let adopted = jobs.values().filter(|job| status::kind(job) == kind && !status::is_own(job));
        let ids: Vec<Uuid> = adopted.map(|job| job.id).collect();
        if ids.is_empty() {
            continue;
        }
        let look_alikes = SimpleExpr::SubQuery(None, Box::new(of_one_job(kind).into()));
        let found: Vec<(Uuid, i64)> = with_ids(job::Entity::find(), job::Column::Id, &ids, db.get_database_backend())
            .select_only()
            .column(job::Column::Id)
            .expr_as(look_alikes, "look_alikes")
            .into_tuple()
            .all(db)
            .await?;
        counts.extend(found.into_iter().map(|(job, count)| (job, u64::try_from(count).unwrap_or_default())));
    }
    Ok(counts)
}

/// Counts rows of the job's user and organization that were computed while it was at work: one range of the index on
/// user and time. A job that never started has no such range.
fn of_one_job(kind: Kind) -> SelectStatement {
    let job = |column: job::Column| column.into_simple_expr();
    let end: SimpleExpr = Func::coalesce([job(job::Column::CompletedAt), job(job::Column::UpdatedAt)]).into();
    macro_rules! count {
        ($table:ident) => {{
            use $table::Column;
            let organization = Column::OrganizationId.into_simple_expr().eq(job(job::Column::OrganizationId));
            let personal = Column::OrganizationId.is_null().and(job::Column::OrganizationId.is_null());
            $table::Entity::find()
                .select_only()
                .column_as(Column::Id.count(), "look_alikes")
                .filter(Column::CreatedBy.into_simple_expr().eq(job(job::Column::UserId)))
                .filter(Column::PredictedAt.into_simple_expr().between(job(job::Column::StartedAt), end))
                .filter(organization.or(personal))
                .filter(Column::JobId.is_null())
                .filter(Column::JobLink.is_null())
                .into_query()
        }};
    }
    match kind {
        Kind::Annual => count!(annual_prediction),
        Kind::Quarterly => count!(quarterly_prediction),
    }
}
