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
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
    prelude::{DateTime, Uuid},
    sea_query::{LockType, OnConflict},
};

use super::row::{Row, RowFault};
use crate::database::{any_of, insert_rows, locked, now};

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Rows stored as predictions.
    pub succeeded: i32,
    /// Rows recorded as errors.
    pub failed: i32,
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

    /// The rows of a table that belong to this owner.
    fn owns(&self, organization: impl ColumnTrait, user: impl ColumnTrait) -> Condition {
        match self.organization {
            Some(id) => Condition::all().add(organization.eq(id)),
            None => Condition::all().add(organization.is_null()).add(user.eq(self.user)),
        }
    }
}

/// Stores the rows of a batch, in the caller's transaction, which holds the job's row.
pub async fn store(
    db: &impl ConnectionTrait,
    job: &job::Model,
    kind: Kind,
    rows: Vec<Result<Row, RowFault>>,
) -> Result<Stored, DbErr> {
    let owner = Owner { organization: job.organization_id, user: job.user_id };
    let (rows, mut faults): (Vec<Row>, Vec<RowFault>) = rows.into_iter().fold(Default::default(), |mut both, row| {
        match row {
            Ok(row) => both.0.push(row),
            Err(fault) => both.1.push(fault),
        }
        both
    });
    if rows.is_empty() && faults.is_empty() {
        return Ok(Stored::default());
    }
    let companies = companies(db, &owner, &rows).await?;
    let mut taken = taken_periods(db, &owner, kind, &companies, &rows).await?;
    let mut fresh = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(company) = companies.get(&row.company.symbol).copied() else {
            return Err(DbErr::RecordNotFound(format!("company {} vanished", row.company.symbol)));
        };
        let period = Period { company, year: row.year.clone(), quarter: row.quarter.clone() };
        if taken.insert(period) {
            fresh.push((company, row));
        } else {
            faults.push(duplicate(&row));
        }
    }
    let stored = Stored { succeeded: count(fresh.len()), failed: count(faults.len()) };
    match kind {
        Kind::Annual => {
            let rows = fresh.into_iter().map(|(company, row)| annual(job, &owner, company, row)).collect();
            insert_rows::<annual_prediction::Entity>(db, rows).await?;
        }
        Kind::Quarterly => {
            let rows = fresh.into_iter().map(|(company, row)| quarterly(job, &owner, company, row)).collect();
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
    Ok(stored)
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
async fn companies(db: &impl ConnectionTrait, owner: &Owner, rows: &[Row]) -> Result<HashMap<String, Uuid>, DbErr> {
    // In the order of symbols, so that two batches that make the same companies wait for each other and never cross.
    let wanted: BTreeMap<&str, &Row> = rows.iter().rev().map(|row| (row.company.symbol.as_str(), row)).collect();
    let symbols: Vec<String> = wanted.keys().map(ToString::to_string).collect();
    let known: HashSet<String> = find(db, owner, &symbols, None).await?.into_iter().map(|(symbol, _)| symbol).collect();
    let missing: Vec<_> = wanted.into_iter().filter(|(symbol, _)| !known.contains(*symbol)).collect();
    if !missing.is_empty() {
        if owner.organization.is_none() {
            // No unique index keeps personal companies apart, so their owner's row does.
            let user = entity::user::Entity::find_by_id(owner.user);
            locked(user, db.get_database_backend(), LockType::NoKeyUpdate).one(db).await?;
        }
        let there: HashSet<String> =
            find(db, owner, &symbols, None).await?.into_iter().map(|(symbol, _)| symbol).collect();
        let made =
            missing.into_iter().filter(|(symbol, _)| !there.contains(*symbol)).map(|(_, row)| new_company(owner, row));
        for made in made.collect::<Vec<_>>().chunks(500) {
            let rows = made.iter().map(|row| row.clone().into_active_model().reset_all());
            company::Entity::insert_many(rows)
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .exec_without_returning(db)
                .await?;
        }
    }
    Ok(find(db, owner, &symbols, Some(LockType::NoKeyUpdate)).await?.into_iter().rev().collect())
}

/// Symbols and ids of companies in the order of their ids.
async fn find(
    db: &impl ConnectionTrait,
    owner: &Owner,
    symbols: &[String],
    lock: Option<LockType>,
) -> Result<Vec<(String, Uuid)>, DbErr> {
    let backend = db.get_database_backend();
    let query = company::Entity::find()
        .filter(owner.owns(company::Column::OrganizationId, company::Column::CreatedBy))
        .filter(any_of(company::Column::Symbol, symbols.to_vec(), backend))
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

#[derive(PartialEq, Eq, Hash)]
struct Period {
    company: Uuid,
    year: String,
    quarter: Option<String>,
}

/// The periods for which the batch's companies already have a prediction of this owner.
async fn taken_periods(
    db: &impl ConnectionTrait,
    owner: &Owner,
    kind: Kind,
    companies: &HashMap<String, Uuid>,
    rows: &[Row],
) -> Result<HashSet<Period>, DbErr> {
    let backend = db.get_database_backend();
    let ids: Vec<Uuid> = companies.values().copied().collect();
    let years: HashSet<&String> = rows.iter().map(|row| &row.year).collect();
    let years: Vec<String> = years.into_iter().cloned().collect();
    macro_rules! periods {
        ($table:ident) => {
            $table::Entity::find()
                .filter(any_of($table::Column::CompanyId, ids, backend))
                .filter(any_of($table::Column::ReportingYear, years, backend))
                .filter(owner.owns($table::Column::OrganizationId, $table::Column::CreatedBy))
                .select_only()
                .columns([$table::Column::CompanyId, $table::Column::ReportingYear, $table::Column::ReportingQuarter])
                .into_tuple()
                .all(db)
                .await?
        };
    }
    let found: Vec<(Uuid, String, Option<String>)> = match kind {
        Kind::Annual => periods!(annual_prediction),
        Kind::Quarterly => periods!(quarterly_prediction),
    };
    Ok(found.into_iter().map(|(company, year, quarter)| Period { company, year, quarter }).collect())
}

/// A probability as the tables hold it: four decimals.
fn four_decimals(value: f64) -> Decimal {
    Decimal::from_f64(value).unwrap_or_default().round_dp_with_strategy(4, RoundingStrategy::MidpointAwayFromZero)
}

fn written_at() -> DateTime {
    now().naive_utc()
}

fn annual(job: &job::Model, owner: &Owner, company: Uuid, row: Row) -> annual_prediction::Model {
    let at = Some(written_at());
    let [
        long_term_debt_to_total_capital,
        total_debt_to_ebitda,
        net_income_margin,
        ebit_to_interest_expense,
        return_on_assets,
    ] = row.ratios;
    annual_prediction::Model {
        id: Uuid::now_v7(),
        company_id: company,
        organization_id: owner.organization,
        access_level: owner.access_level(),
        reporting_year: row.year,
        reporting_quarter: row.quarter,
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

fn quarterly(job: &job::Model, owner: &Owner, company: Uuid, row: Row) -> quarterly_prediction::Model {
    let at = Some(written_at());
    let [total_debt_to_ebitda, sga_margin, long_term_debt_to_total_capital, return_on_capital, _] = row.ratios;
    let probability = four_decimals(row.score.probability);
    quarterly_prediction::Model {
        id: Uuid::now_v7(),
        company_id: company,
        organization_id: owner.organization,
        access_level: owner.access_level(),
        reporting_year: row.year,
        reporting_quarter: row.quarter.unwrap_or_default(),
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
