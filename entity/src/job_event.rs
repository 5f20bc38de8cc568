//! `job_events`: what happened to jobs in the last hour.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_events")]
pub struct Model {
    /// Primary key, UUID v7: in the order of writing, which is not that of the commits.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When.
    pub at: DateTimeUtc,
    /// A stored [`crate::stored::JobEventType`].
    #[sea_orm(column_name = "type")]
    pub event_type: String,
    /// The job, which may be gone.
    pub job_id: Uuid,
    /// The job's tenant; `None` = the personal space of `user_id`.
    pub organization_id: Option<Uuid>,
    /// The job's owner.
    pub user_id: Uuid,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
