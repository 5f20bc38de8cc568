//! `notifications`: what is told of deletions and of retention runs, and whether it was delivered.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notifications")]
pub struct Model {
    /// Primary key; the receiver knows a repeated delivery by it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// A stored [`crate::stored::Channel`].
    pub channel: String,
    /// A stored [`crate::stored::NotifiedEvent`].
    pub event: String,
    /// The job or the run that it is about.
    pub target: Uuid,
    /// What is told, as JSON.
    pub body: String,
    /// When it happened.
    pub created_at: DateTimeUtc,
    /// Not to be tried before this time: claims and pauses both move it.
    pub due_at: DateTimeUtc,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last attempt failed, one sentence.
    pub last_error: Option<String>,
    /// When the receiver took it.
    pub delivered_at: Option<DateTimeUtc>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
