//! Rows of the tables that lists read most, decoded by the positions of their columns.
//!
//! What sea-orm derives looks each column of each row up by its name and makes a text of each null that it meets: half of
//! the time in which a page of jobs was answered.

use entity::{
    annual_prediction, backfill_decision, backfill_unresolved, company, job, organization, quarterly_prediction,
    retention_item, row_error, user,
};
use sea_orm::{
    ConnectionTrait, DbErr, FromQueryResult, RuntimeErr,
    sea_query::SelectStatement,
    sqlx::{self, Row, postgres::PgRow},
};

/// A row whose columns were selected in the order of its entity, as `Entity::find` does.
pub trait ByPosition: FromQueryResult {
    /// Decodes it.
    fn by_position(row: &PgRow) -> Result<Self, sqlx::Error>;
}

macro_rules! by_position {
    ($table:ident { $($field:ident),+ $(,)? }) => {
        impl ByPosition for $table::Model {
            fn by_position(row: &PgRow) -> Result<Self, sqlx::Error> {
                let mut columns = 0_usize..;
                // In the order in which they are written here.
                Ok(Self { $($field: {
                    let column = columns.next().unwrap_or_default();
                    debug_assert_eq!(sqlx::Column::name(row.column(column)), stringify!($field));
                    row.try_get(column)?
                }),+ })
            }
        }
    };
}

by_position!(job {
    id,
    organization_id,
    user_id,
    job_type,
    status,
    original_filename,
    file_size,
    total_rows,
    processed_rows,
    successful_rows,
    failed_rows,
    error_message,
    error_details,
    celery_task_id,
    created_at,
    started_at,
    completed_at,
    updated_at,
    origin,
    lease_token,
    lease_expires_at,
    cancelled_at,
    cancel_reason,
    cancel_notes,
    cancelled_by,
    held_at,
    hold_reason,
    held_by,
    data_cleaned_at,
    cleanup_summary,
});
by_position!(annual_prediction {
    id,
    company_id,
    organization_id,
    access_level,
    reporting_year,
    reporting_quarter,
    long_term_debt_to_total_capital,
    total_debt_to_ebitda,
    net_income_margin,
    ebit_to_interest_expense,
    return_on_assets,
    probability,
    risk_level,
    confidence,
    predicted_at,
    created_by,
    created_at,
    updated_at,
    job_id,
    job_link,
});
by_position!(quarterly_prediction {
    id,
    company_id,
    organization_id,
    access_level,
    reporting_year,
    reporting_quarter,
    total_debt_to_ebitda,
    sga_margin,
    long_term_debt_to_total_capital,
    return_on_capital,
    logistic_probability,
    gbm_probability,
    ensemble_probability,
    risk_level,
    confidence,
    predicted_at,
    created_by,
    created_at,
    updated_at,
    job_id,
    job_link,
});
by_position!(company {
    id,
    symbol,
    name,
    market_cap,
    sector,
    organization_id,
    access_level,
    created_by,
    created_at,
    updated_at,
});

by_position!(user { id, email, username, hashed_password, full_name, organization_id, role, is_active, created_at });
by_position!(organization { id, name });
by_position!(row_error { job_id, line, column_name, code, message });
by_position!(backfill_decision { run_id, job_id, evidence, linked, unresolved, note });
by_position!(retention_item {
    run_id,
    number,
    job_id,
    job_status,
    job_finished_at,
    action,
    predictions_deleted,
    predictions_released,
    artifacts,
    bytes,
    error,
});
by_position!(backfill_unresolved { run_id, prediction_id, kind, reason, candidates });

/// The rows that a statement selects.
pub async fn all<M: ByPosition>(db: &impl ConnectionTrait, query: &SelectStatement) -> Result<Vec<M>, DbErr> {
    let rows = db.query_all(query).await?;
    let decode = |row: sea_orm::QueryResult| match row.try_as_pg_row() {
        Some(row) => M::by_position(row).map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into()))),
        None => M::from_query_result(&row, ""),
    };
    rows.into_iter().map(decode).collect()
}
