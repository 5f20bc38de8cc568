//! `annual_predictions`: scores of companies for a year.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "annual_predictions")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The company that was scored.
    pub company_id: Uuid,
    /// The tenant; `None` = the personal space of `created_by`.
    pub organization_id: Option<Uuid>,
    /// `organization` or `personal`; kept for older programs.
    pub access_level: String,
    /// Reporting year, four digits.
    pub reporting_year: String,
    /// Reporting quarter, `Q1` to `Q4`, where the file gave one.
    pub reporting_quarter: Option<String>,
    /// Percent.
    pub long_term_debt_to_total_capital: Option<Decimal>,
    /// Times.
    pub total_debt_to_ebitda: Option<Decimal>,
    /// Percent.
    pub net_income_margin: Option<Decimal>,
    /// Times.
    pub ebit_to_interest_expense: Option<Decimal>,
    /// Percent.
    pub return_on_assets: Option<Decimal>,
    /// Probability of default, 0 to 1, four decimals.
    pub probability: Decimal,
    /// A stored [`crate::stored::RiskLevel`]; older programs may have written others.
    pub risk_level: String,
    /// 0.5 to 1, four decimals.
    pub confidence: Decimal,
    /// When the prediction was computed, UTC.
    pub predicted_at: Option<DateTime>,
    /// The user who made it or whose job made it.
    pub created_by: Option<Uuid>,
    /// When the row was written, by the clock of the database.
    pub created_at: Option<DateTime>,
    /// When the row was last changed, by the clock of the database.
    pub updated_at: Option<DateTime>,
    /// The job that made it; `None` = unknown, made by hand, or released.
    pub job_id: Option<Uuid>,
    /// How the link is known: a stored [`crate::stored::LinkSource`]. Without `job_id` it counts as released.
    pub job_link: Option<String>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
