//! Predictions read in pages: of one user in the order of time, and those that name no user or time.

use std::time::Instant;

use chrono::TimeDelta;
use entity::stored::{Kind, LinkSource};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, FromQueryResult, Statement,
    prelude::{DateTime, Decimal, Uuid},
};

use super::{
    evidence::{quarter, ratios, subject, units},
    facts::{MAX_RATIOS, Row, Standing},
    manifest::Manifest,
    walk::Walk,
};

/// Earlier than any prediction, counted from 1970.
const BEFORE_ALL: TimeDelta = TimeDelta::days(365 * 1900);
/// Rows of a page.
const PAGE: usize = 5_000;

/// The table of a kind.
pub const fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Annual => "annual_predictions",
        Kind::Quarterly => "quarterly_predictions",
    }
}

#[derive(FromQueryResult)]
struct Stored {
    id: Uuid,
    organization_id: Option<Uuid>,
    symbol: Option<String>,
    reporting_year: String,
    reporting_quarter: Option<String>,
    ratio_0: Option<Decimal>,
    ratio_1: Option<Decimal>,
    ratio_2: Option<Decimal>,
    ratio_3: Option<Decimal>,
    ratio_4: Option<Decimal>,
    predicted_at: DateTime,
    created_at: Option<DateTime>,
    updated_at: Option<DateTime>,
    job_id: Option<Uuid>,
    job_link: Option<String>,
    backfill_run_id: Option<Uuid>,
}

impl Stored {
    fn standing(&self, run: Option<Uuid>, manifest: &Manifest) -> Standing {
        let by_this_run = run.is_some() && self.backfill_run_id == run;
        match (self.job_id, self.job_link.as_deref()) {
            (Some(_), Some(link)) if by_this_run && link != LinkSource::Upload.as_stored() => self.claim(manifest),
            (Some(job), _) => Standing::Linked(job),
            (None, Some(_)) => Standing::Released,
            (None, None) => self.claim(manifest),
        }
    }

    fn claim(&self, manifest: &Manifest) -> Standing {
        manifest.job_of(self.id).map_or(Standing::Undecided, Standing::Claimed)
    }
}

/// The rows of one user and kind in the order of time.
pub struct Rows<'a> {
    walk: &'a Walk<'a>,
    sql: String,
    user: Uuid,
    after: (DateTime, Uuid),
    page: std::vec::IntoIter<Row>,
    ended: bool,
}

impl<'a> Rows<'a> {
    /// Reads what was predicted before the walk began.
    pub fn of_user(walk: &'a Walk<'a>, kind: Kind, user: Uuid) -> Self {
        let names = (0..MAX_RATIOS).map(|index| match ratios(kind).get(index) {
            // NaN is no number that the driver reads, and no file gives it.
            Some(name) if walk.db.get_database_backend() == DbBackend::Postgres => {
                format!("NULLIF(p.{name}, 'NaN') AS ratio_{index}")
            }
            Some(name) => format!("p.{name} AS ratio_{index}"),
            None => format!("NULL AS ratio_{index}"),
        });
        let sql = format!(
            "SELECT p.id, p.organization_id, c.symbol, p.reporting_year, p.reporting_quarter, {}, p.predicted_at, \
             p.created_at, p.updated_at, p.job_id, p.job_link, p.backfill_run_id \
             FROM {} p LEFT JOIN companies c ON c.id = p.company_id \
             WHERE p.created_by = $1 AND p.predicted_at >= $2 AND (p.predicted_at > $2 OR p.id > $3) AND p.predicted_at < $4 \
             ORDER BY p.predicted_at, p.id LIMIT $5",
            names.collect::<Vec<_>>().join(", "),
            table(kind)
        );
        let after = (chrono::DateTime::UNIX_EPOCH.naive_utc() - BEFORE_ALL, Uuid::nil());
        Self { walk, sql, user, after, page: Vec::new().into_iter(), ended: false }
    }

    /// The next row.
    pub async fn next(&mut self) -> Result<Option<Row>, DbErr> {
        if self.page.len() == 0 && !self.ended {
            self.read().await?;
        }
        Ok(self.page.next())
    }

    async fn read(&mut self) -> Result<(), DbErr> {
        let Walk { db, start, courtesy, .. } = self.walk;
        let size = courtesy.rows_read(PAGE).await;
        let (at, id) = self.after;
        let values = [self.user.into(), at.into(), id.into(), (*start).into(), (size as u64).into()];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), &self.sql, values);
        let began = Instant::now();
        let stored = Stored::find_by_statement(statement).all(*db).await?;
        courtesy.pause(began).await;
        self.ended = stored.len() < size;
        if let Some(last) = stored.last() {
            self.after = (last.predicted_at, last.id);
        }
        let rows: Vec<Row> = stored.iter().map(|row| self.row(row)).collect();
        self.page = rows.into_iter();
        Ok(())
    }

    fn row(&self, stored: &Stored) -> Row {
        let standing = stored.standing(self.walk.run, &self.walk.evidence.manifest);
        let ratios = [stored.ratio_0, stored.ratio_1, stored.ratio_2, stored.ratio_3, stored.ratio_4];
        Row {
            id: stored.id,
            organization: stored.organization_id,
            subject: subject(stored.symbol.as_deref().unwrap_or_default(), &stored.reporting_year),
            quarter: stored.reporting_quarter.as_deref().and_then(quarter),
            ratios: ratios.map(|ratio| ratio.and_then(units)),
            edited: stored.updated_at.is_some() && stored.updated_at != stored.created_at,
            predicted_at: stored.predicted_at,
            created_at: stored.created_at,
            standing,
        }
    }
}

/// The next user after `user` who has predictions of a kind.
pub async fn next_user(db: &DatabaseConnection, kind: Kind, user: Option<Uuid>) -> Result<Option<Uuid>, DbErr> {
    let condition = if user.is_some() { "created_by > $1" } else { "created_by IS NOT NULL" };
    let sql = format!("SELECT created_by FROM {} WHERE {condition} ORDER BY created_by LIMIT 1", table(kind));
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, user.map(Into::into));
    db.query_one_raw(statement).await?.map(|row| row.try_get_by_index(0)).transpose()
}

/// Rows without a link that name no user or no time, after `id`.
pub async fn nameless(db: &DatabaseConnection, kind: Kind, id: Uuid) -> Result<Vec<Uuid>, DbErr> {
    let sql = format!(
        "SELECT id FROM {} WHERE (created_by IS NULL OR predicted_at IS NULL) AND job_id IS NULL AND job_link IS NULL \
         AND id > $1 ORDER BY id LIMIT {PAGE}",
        table(kind)
    );
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [id.into()]);
    db.query_all_raw(statement).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}
