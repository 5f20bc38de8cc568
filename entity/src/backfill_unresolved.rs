//! `backfill_unresolved`: the predictions that a run of the backfill left without a link. A row outlives its prediction.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "backfill_unresolved")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// The prediction.
    #[sea_orm(primary_key, auto_increment = false)]
    pub prediction_id: Uuid,
    /// A stored [`crate::stored::Kind`]: the table of the prediction.
    pub kind: String,
    /// A stored [`crate::stored::UnresolvedReason`].
    pub reason: String,
    /// The ids of the jobs that could have made it, with spaces in between.
    pub candidates: String,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
