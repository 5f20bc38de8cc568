//! `companies`: whom predictions are about.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "companies")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Ticker symbol, unique within an organization.
    pub symbol: String,
    /// Full name.
    pub name: String,
    /// Market capitalisation in dollars, two decimals.
    pub market_cap: Decimal,
    /// Sector of industry.
    pub sector: String,
    /// The tenant; `None` = the personal space of `created_by`.
    pub organization_id: Option<Uuid>,
    /// `organization` or `personal`; kept for older programs.
    pub access_level: String,
    /// The user who made it.
    pub created_by: Option<Uuid>,
    /// When the row was written, by the clock of the database.
    pub created_at: Option<DateTime>,
    /// When the row was last changed, by the clock of the database.
    pub updated_at: Option<DateTime>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
