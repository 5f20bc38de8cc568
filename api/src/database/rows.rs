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
    prelude::{DateTime, DateTimeUtc, Decimal, Uuid},
    sea_query::SelectStatement,
    sqlx::{
        self, Column, Postgres, Row, TypeInfo, ValueRef,
        error::BoxDynError,
        postgres::{PgRow, PgValueFormat, PgValueRef},
    },
};

use super::numeric;

/// A row whose columns were selected in the order of its entity, as `Entity::find` does.
pub trait ByPosition: FromQueryResult {
    /// Decodes it. The types of the columns are compared with those wanted in the first row of a result alone: they are the
    /// same in all of them.
    fn by_position(row: &PgRow, is_first: bool) -> Result<Self, sqlx::Error>;
}

/// What a column holds.
trait Stored<'r>: sqlx::Type<Postgres> + Sized {
    fn read(value: PgValueRef<'r>) -> Result<Self, BoxDynError>;
}

/// As the driver reads it.
macro_rules! by_the_driver {
    ($($stored:ty),+) => { $(
        impl<'r> Stored<'r> for $stored {
            fn read(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
                sqlx::Decode::<Postgres>::decode(value)
            }
        }
    )+ };
}
by_the_driver!(Uuid, String, i32, i64, bool, DateTime, DateTimeUtc);

impl<'r> Stored<'r> for Decimal {
    fn read(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let usual = (value.format() == PgValueFormat::Binary).then(|| numeric::read(value.as_bytes().ok()?)).flatten();
        usual.map_or_else(|| sqlx::Decode::<Postgres>::decode(value), Ok)
    }
}

impl<'r, T: Stored<'r>> Stored<'r> for Option<T> {
    fn read(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        if value.is_null() { Ok(None) } else { T::read(value).map(Some) }
    }
}

fn value<'r, T: Stored<'r>>(row: &'r PgRow, column: usize, is_first: bool) -> Result<T, sqlx::Error> {
    let wrong = |source| sqlx::Error::ColumnDecode { index: row.column(column).name().to_owned(), source };
    if is_first && !T::compatible(row.column(column).type_info()) {
        let (found, wanted) = (row.column(column).type_info(), T::type_info());
        return Err(wrong(format!("it is {}, not {}", found.name(), wanted.name()).into()));
    }
    T::read(row.try_get_raw(column)?).map_err(wrong)
}

macro_rules! by_position {
    ($table:ident { $($field:ident),+ $(,)? }) => {
        impl ByPosition for $table::Model {
            fn by_position(row: &PgRow, is_first: bool) -> Result<Self, sqlx::Error> {
                let mut columns = 0_usize..;
                // In the order in which they are written here.
                Ok(Self { $($field: {
                    let column = columns.next().unwrap_or_default();
                    debug_assert_eq!(row.column(column).name(), stringify!($field));
                    value(row, column, is_first)?
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
    let decode = |(place, row): (usize, sea_orm::QueryResult)| match row.try_as_pg_row() {
        Some(row) => M::by_position(row, place == 0).map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into()))),
        None => M::from_query_result(&row, ""),
    };
    rows.into_iter().enumerate().map(decode).collect()
}
