//! `backfill_decisions`: what a run of the backfill decided about each job. A decision outlives its job.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "backfill_decisions")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// The job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    /// A stored [`crate::stored::LinkSource`]: the weakest evidence that one of its links rests on.
    pub evidence: Option<String>,
    /// Predictions linked to it.
    pub linked: i64,
    /// Predictions that it may have made and that stayed without a link.
    pub unresolved: i64,
    /// A remark, one sentence.
    pub note: Option<String>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
