//! `users`: who signs in.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Unique.
    pub email: String,
    /// Unique.
    pub username: String,
    /// Joblink never reads it; the built-in user's matches no password.
    pub hashed_password: String,
    /// Display name.
    pub full_name: Option<String>,
    /// The user's organization; `None` = personal space alone.
    pub organization_id: Option<Uuid>,
    /// Of older programs; roles of Joblink come with the token.
    pub role: Option<String>,
    /// `Some(false)` may not sign in.
    pub is_active: Option<bool>,
    /// When the row was written.
    pub created_at: Option<DateTime>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
