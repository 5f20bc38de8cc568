//! `backfill_runs`: executions of the backfill. At most one is running.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "backfill_runs")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When it began.
    pub started_at: DateTimeUtc,
    /// When it came to its end.
    pub finished_at: Option<DateTimeUtc>,
    /// A stored [`crate::stored::BackfillStatus`].
    pub status: String,
    /// What it rests on, as JSON.
    pub options: String,
    /// The claim of the process that is at work; it writes only under its own claim.
    pub lease_token: Option<Uuid>,
    /// Counts the signs of life of that process.
    pub lease_beat: i64,
    /// When the last one was, by the clock of the database.
    pub beat_at: DateTimeUtc,
    /// Links that it wrote, counted when it ended.
    pub linked: i64,
    /// Predictions that it left without a link, counted when it ended.
    pub unresolved: i64,
    /// Links that were taken back.
    pub undone: i64,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
