//! Storing a batch of rows: companies found or made, periods that are taken refused, the rest inserted.
//!
//! There is no unique index on predictions, and none can be added over the duplicates of an existing database. So each
//! batch locks its companies, in the order of their ids, before it looks for what is there.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::{
    annual_prediction, company, job, quarterly_prediction, row_error,
    stored::{Kind, LinkSource, RowErrorCode},
};
use rust_decimal::{Decimal, RoundingStrategy, prelude::FromPrimitive};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Statement, Value,
    prelude::{DateTime, Uuid},
    sea_query::{LockType, OnConflict},
};
use serde_json::json;

use super::{
    row::{Row, RowFault},
    row_id,
};
use crate::database::{any_of, insert_rows, locked, now};

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Rows stored as predictions.
    pub succeeded: i32,
    /// Rows recorded as errors.
    pub failed: i32,
    /// The companies of the batch.
    pub companies: Companies,
}

/// Whose rows a job writes.
struct Owner {
    organization: Option<Uuid>,
    user: Uuid,
}

impl Owner {
    /// `organization` or `personal`, as older programs read it.
    fn access_level(&self) -> String {
        if self.organization.is_some() { "organization" } else { "personal" }.to_owned()
    }

    /// The organization, or without one the user.
    fn id(&self) -> Uuid {
        self.organization.unwrap_or(self.user)
    }

    /// The rows of a table that belong to this owner.
    fn owns(&self, organization: impl ColumnTrait, user: impl ColumnTrait) -> Condition {
        match self.organization {
            Some(id) => Condition::all().add(organization.eq(id)),
            None => Condition::all().add(organization.is_null()).add(user.eq(self.user)),
        }
    }
}

/// The companies that a job's batches have found or made so far, by symbol.
pub type Companies = HashMap<String, Uuid>;

/// Stores the rows of a batch, in the caller's transaction, which holds the job's row.
///
/// `known` are companies of batches before: what is right of them need not be looked for.
pub async fn store(
    db: &impl ConnectionTrait,
    job: &job::Model,
    kind: Kind,
    known: &Companies,
    batch: &[Result<Row, RowFault>],
) -> Result<Stored, DbErr> {
    if batch.is_empty() {
        return Ok(Stored::default());
    }
    let owner = Owner { organization: job.organization_id, user: job.user_id };
    let rows: Vec<&Row> = batch.iter().filter_map(|row| row.as_ref().ok()).collect();
    let mut faults: Vec<RowFault> = batch.iter().filter_map(|row| row.as_ref().err().cloned()).collect();
    let companies = companies(db, &owner, known, &rows).await?;
    let mut placed = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(company) = companies.get(&row.company.symbol).copied() else {
            return Err(DbErr::RecordNotFound(format!("company {} vanished", row.company.symbol)));
        };
        placed.push((company, row));
    }
    let there = taken(db, &owner, kind, &placed).await?;
    let mut seen = HashSet::with_capacity(placed.len());
    let mut fresh = Vec::with_capacity(placed.len());
    for (place, (company, row)) in placed.into_iter().enumerate() {
        let first = seen.insert((company, &row.year, &row.quarter));
        if first && !there.contains(&place) {
            fresh.push((company, row));
        } else {
            faults.push(duplicate(row));
        }
    }
    let (succeeded, failed) = (count(fresh.len()), count(faults.len()));
    let at = now().naive_utc();
    match kind {
        Kind::Annual => {
            let rows = fresh.into_iter().map(|(company, row)| annual(job, &owner, company, row, at)).collect();
            insert_rows::<annual_prediction::Entity>(db, rows).await?;
        }
        Kind::Quarterly => {
            let rows = fresh.into_iter().map(|(company, row)| quarterly(job, &owner, company, row, at)).collect();
            insert_rows::<quarterly_prediction::Entity>(db, rows).await?;
        }
    }
    let faults = faults.into_iter().map(|fault| row_error::Model {
        job_id: job.id,
        line: fault.line,
        column_name: fault.column,
        code: fault.code.as_stored().to_owned(),
        message: fault.message,
    });
    insert_rows::<row_error::Entity>(db, faults.collect()).await?;
    Ok(Stored { succeeded, failed, companies })
}

fn count(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}

fn duplicate(row: &Row) -> RowFault {
    let period = row.quarter.as_ref().map_or_else(|| row.year.clone(), |quarter| format!("{quarter} {}", row.year));
    RowFault {
        line: row.line,
        column: None,
        code: RowErrorCode::Duplicate,
        message: format!("{} already has a prediction for {period}.", row.company.symbol),
    }
}

/// The ids of the rows' companies by symbol: found, or made where they are missing, and locked.
async fn companies(
    db: &impl ConnectionTrait,
    owner: &Owner,
    known: &Companies,
    rows: &[&Row],
) -> Result<Companies, DbErr> {
    // In the order of symbols, so that two batches that make the same companies wait for each other and never cross.
    let wanted: BTreeMap<&str, &Row> = rows.iter().rev().map(|row| (row.company.symbol.as_str(), *row)).collect();
    let ids: Option<Vec<Uuid>> = wanted.keys().map(|symbol| known.get(*symbol).copied()).collect();
    if let Some(ids) = ids {
        let by_id = any_of(company::Column::Id, ids, db.get_database_backend());
        let locked = find(db, owner, by_id, Some(LockType::NoKeyUpdate)).await?;
        let locked: Companies = locked.into_iter().collect();
        // Else an older program has changed them meanwhile.
        if wanted.keys().all(|symbol| locked.contains_key(*symbol)) {
            return Ok(locked);
        }
    }
    let symbols: Vec<String> = wanted.keys().map(ToString::to_string).collect();
    let by_symbol = || any_of(company::Column::Symbol, symbols.clone(), db.get_database_backend());
    let there: Companies = find(db, owner, by_symbol(), None).await?.into_iter().collect();
    let missing = wanted.into_iter().filter(|(symbol, _)| !there.contains_key(*symbol));
    make(db, owner, &missing.map(|(_, row)| row).collect::<Vec<_>>()).await?;
    Ok(find(db, owner, by_symbol(), Some(LockType::NoKeyUpdate)).await?.into_iter().rev().collect())
}

/// Makes companies that were not found, but for those that somebody else has made meanwhile.
async fn make(db: &impl ConnectionTrait, owner: &Owner, missing: &[&Row]) -> Result<(), DbErr> {
    if missing.is_empty() {
        return Ok(());
    }
    let backend = db.get_database_backend();
    let mut there = Companies::new();
    if owner.organization.is_none() {
        // No unique index keeps personal companies apart, so their owner's row does.
        let user = entity::user::Entity::find_by_id(owner.user);
        locked(user, backend, LockType::NoKeyUpdate).one(db).await?;
        let symbols: Vec<String> = missing.iter().map(|row| row.company.symbol.clone()).collect();
        there = find(db, owner, any_of(company::Column::Symbol, symbols, backend), None).await?.into_iter().collect();
    }
    let made: Vec<_> = missing.iter().filter(|row| !there.contains_key(&row.company.symbol)).collect();
    for some in made.chunks(500) {
        let rows = some.iter().map(|row| new_company(owner, row).into_active_model().reset_all());
        company::Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

/// Symbols and ids of companies in the order of their ids.
async fn find(
    db: &impl ConnectionTrait,
    owner: &Owner,
    which: sea_orm::sea_query::SimpleExpr,
    lock: Option<LockType>,
) -> Result<Vec<(String, Uuid)>, DbErr> {
    let backend = db.get_database_backend();
    let query = company::Entity::find()
        .filter(owner.owns(company::Column::OrganizationId, company::Column::CreatedBy))
        .filter(which)
        .order_by_asc(company::Column::Id);
    let query = match lock {
        Some(lock) => locked(query, backend, lock),
        None => query,
    };
    query.select_only().columns([company::Column::Symbol, company::Column::Id]).into_tuple().all(db).await
}

fn new_company(owner: &Owner, row: &Row) -> company::Model {
    let at = now().naive_utc();
    company::Model {
        id: Uuid::now_v7(),
        symbol: row.company.symbol.clone(),
        name: row.company.name.clone(),
        market_cap: row.company.market_cap,
        sector: row.company.sector.clone(),
        organization_id: owner.organization,
        access_level: owner.access_level(),
        created_by: Some(owner.user),
        created_at: Some(at),
        updated_at: Some(at),
    }
}

/// The places of those rows for whose company and period this owner has a prediction already.
///
/// The periods go to the database and not the predictions here: companies may have any number of them.
async fn taken(
    db: &impl ConnectionTrait,
    owner: &Owner,
    kind: Kind,
    rows: &[(Uuid, &Row)],
) -> Result<HashSet<usize>, DbErr> {
    let table = match kind {
        Kind::Annual => "annual_predictions",
        Kind::Quarterly => "quarterly_predictions",
    };
    let periods: Vec<_> = rows.iter().map(|(company, row)| json!([company.simple(), row.year, row.quarter])).collect();
    let backend = db.get_database_backend();
    let (place, given, company, own) = match backend {
        DbBackend::Postgres => (
            "i - 1",
            "json_array_elements($1::text::json) WITH ORDINALITY AS given (value, i)",
            "(value ->> 0)::uuid",
            "",
        ),
        // The plus keeps SQLite from the index of the owner, which may have millions of rows.
        _ => ("key", "json_each($1)", "unhex(value ->> 0)", "+"),
    };
    let theirs = match owner.organization {
        Some(_) => format!("{own}p.organization_id = $2"),
        None => format!("{own}p.organization_id IS NULL AND {own}p.created_by = $2"),
    };
    let sql = format!(
        "SELECT {place} FROM {given} WHERE EXISTS (SELECT 1 FROM {table} AS p WHERE p.company_id = {company} \
         AND p.reporting_year = value ->> 1 AND p.reporting_quarter IS NOT DISTINCT FROM value ->> 2 AND {theirs})"
    );
    let values: [Value; 2] = [serde_json::Value::from(periods).to_string().into(), owner.id().into()];
    let found = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    found.iter().map(|row| Ok(usize::try_from(row.try_get_by_index::<i64>(0)?).unwrap_or(usize::MAX))).collect()
}

/// A probability as the tables hold it: four decimals.
pub fn four_decimals(value: f64) -> Decimal {
    Decimal::from_f64(value).unwrap_or_default().round_dp_with_strategy(4, RoundingStrategy::MidpointAwayFromZero)
}

fn annual(job: &job::Model, owner: &Owner, company: Uuid, row: &Row, at: DateTime) -> annual_prediction::Model {
    let at = Some(at);
    let [
        long_term_debt_to_total_capital,
        total_debt_to_ebitda,
        net_income_margin,
        ebit_to_interest_expense,
        return_on_assets,
    ] = row.ratios;
    annual_prediction::Model {
        id: row_id::of_row(job.id, row.line),
        company_id: company,
        organization_id: owner.organization,
        access_level: owner.access_level(),
        reporting_year: row.year.clone(),
        reporting_quarter: row.quarter.clone(),
        long_term_debt_to_total_capital,
        total_debt_to_ebitda,
        net_income_margin,
        ebit_to_interest_expense,
        return_on_assets,
        probability: four_decimals(row.score.probability),
        risk_level: row.score.risk_level.as_stored().to_owned(),
        confidence: four_decimals(row.score.confidence),
        predicted_at: at,
        created_by: Some(owner.user),
        created_at: at,
        updated_at: at,
        job_id: Some(job.id),
        job_link: Some(LinkSource::Upload.as_stored().to_owned()),
    }
}

fn quarterly(job: &job::Model, owner: &Owner, company: Uuid, row: &Row, at: DateTime) -> quarterly_prediction::Model {
    let at = Some(at);
    let [total_debt_to_ebitda, sga_margin, long_term_debt_to_total_capital, return_on_capital, _] = row.ratios;
    let probability = four_decimals(row.score.probability);
    quarterly_prediction::Model {
        id: row_id::of_row(job.id, row.line),
        company_id: company,
        organization_id: owner.organization,
        access_level: owner.access_level(),
        reporting_year: row.year.clone(),
        reporting_quarter: row.quarter.clone().unwrap_or_default(),
        total_debt_to_ebitda,
        sga_margin,
        long_term_debt_to_total_capital,
        return_on_capital,
        logistic_probability: Some(probability),
        gbm_probability: None,
        ensemble_probability: Some(probability),
        risk_level: row.score.risk_level.as_stored().to_owned(),
        confidence: four_decimals(row.score.confidence),
        predicted_at: at,
        created_by: Some(owner.user),
        created_at: at,
        updated_at: at,
        job_id: Some(job.id),
        job_link: Some(LinkSource::Upload.as_stored().to_owned()),
    }
}
