//! Lists of jobs: filters, orders, pages.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use entity::{job, stored::Kind};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryTrait, Select,
    prelude::Uuid,
    sea_query::{Expr, ExprTrait, Func, LikeExpr, SimpleExpr},
};

use super::status::JobStatus;
use crate::{
    auth::Viewer,
    database::rows,
    paging::{BadPage, KeyKind, Ordering, Page, Slice, time_key},
};

/// Which jobs are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In one of these states.
    pub status: Option<Vec<JobStatus>>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// `true`: created by Joblink; `false`: adopted.
    pub own: Option<bool>,
    /// Created by this user.
    pub created_by: Option<Uuid>,
    /// Created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Ended at this time or later.
    pub finished_after: Option<DateTime<Utc>>,
    /// Ended before this time.
    pub finished_before: Option<DateTime<Utc>>,
    /// Part of the file's name, or the beginning of the id.
    pub search: Option<String>,
    /// The clock by which adopted jobs were stamped when they were created; UTC by default.
    pub adopted_timezone: Option<Tz>,
}

/// By what a list of jobs is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderField {
    /// When it was created.
    CreatedAt,
    /// When it ended; jobs that have not count as the latest.
    FinishedAt,
    /// The file's name.
    FileName,
    /// The state, as it is stored.
    Status,
}

/// The order of a list of jobs.
pub fn ordering(field: OrderField, descending: bool) -> Ordering<job::Entity> {
    let (name, column, kind) = match field {
        OrderField::CreatedAt => ("created", job::Column::CreatedAt, KeyKind::Time),
        OrderField::FinishedAt => ("finished", job::Column::CompletedAt, KeyKind::Time),
        OrderField::FileName => ("file", job::Column::OriginalFilename, KeyKind::Text),
        OrderField::Status => ("status", job::Column::Status, KeyKind::Text),
    };
    let direction = if descending { "desc" } else { "asc" };
    Ordering { name: format!("job-{name}-{direction}"), key: Some((column, kind)), id: job::Column::Id, descending }
}

fn key(field: OrderField, job: &job::Model) -> Option<String> {
    match field {
        OrderField::CreatedAt => job.created_at.map(time_key),
        OrderField::FinishedAt => job.completed_at.map(time_key),
        OrderField::FileName => Some(job.original_filename.clone()),
        OrderField::Status => job.status.clone(),
    }
}

impl Filter {
    fn condition(&self, viewer: &Viewer) -> Condition {
        use job::Column;
        let states = self.status.as_ref().map(|states| {
            // No state at all matches no job.
            states.iter().fold(Condition::any().add(Expr::val(1).eq(0)), |any, state| any.add(state.condition()))
        });
        Condition::all()
            .add_option(states)
            // As [`super::status::kind`] reads it: what is not known to be quarterly counts as annual.
            .add_option(self.kind.map(|kind| match kind {
                Kind::Annual => Column::JobType.ne(Kind::Quarterly.as_stored()),
                Kind::Quarterly => Column::JobType.eq(kind.as_stored()),
            }))
            .add_option(
                self.own.map(|own| if own { Column::Origin.eq(job::ORIGIN_JOBLINK) } else { Column::Origin.is_null() }),
            )
            .add_option(self.created_by.map(|user| viewer.is_user(Column::UserId, user)))
            .add_option(self.created_after.map(|time| self.created(time, |at| Column::CreatedAt.gte(at))))
            .add_option(self.created_before.map(|time| self.created(time, |at| Column::CreatedAt.lt(at))))
            .add_option(self.finished_after.map(|time| Column::CompletedAt.gte(time.naive_utc())))
            .add_option(self.finished_before.map(|time| Column::CompletedAt.lt(time.naive_utc())))
            .add_option(self.search.as_ref().map(|text| name_or_id(Column::OriginalFilename, Column::Id, text)))
    }

    /// Compares the time of creation by the clock that stamped it.
    fn created(&self, time: DateTime<Utc>, compare: impl Fn(NaiveDateTime) -> SimpleExpr) -> Condition {
        let adopted = time.with_timezone(&self.adopted_timezone.unwrap_or(Tz::UTC)).naive_local();
        let own = job::Column::Origin.eq(job::ORIGIN_JOBLINK).and(compare(time.naive_utc()));
        Condition::any().add(own).add(job::Column::Origin.is_null().and(compare(adopted)))
    }

    fn query(&self, viewer: &Viewer) -> Select<job::Entity> {
        job::Entity::find().filter(viewer.sees_job()).filter(self.condition(viewer))
    }
}

/// Rows whose name contains a text, or whose id begins with it.
pub fn name_or_id<C: ColumnTrait>(name: C, id: C, text: &str) -> Condition {
    let ids = id_range(text).map(|(from, to)| id.between(from, to));
    Condition::any().add(contains(name, text)).add_option(ids)
}

/// Rows whose column contains a text, whatever the case of its letters.
pub fn contains(column: impl ColumnTrait, text: &str) -> SimpleExpr {
    let like = |text: String| {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let pattern = LikeExpr::new(format!("%{escaped}%")).escape('\\');
        Expr::expr(Func::lower(Expr::col(column.as_column_ref()))).like(pattern)
    };
    // SQLite knows the case of ASCII letters alone: its `lower` leaves the others as they are.
    let (all, ascii) = (text.to_lowercase(), text.to_ascii_lowercase());
    if all == ascii { like(all) } else { like(all).or(like(ascii)) }
}

/// The ids that begin with these hexadecimal digits; `None` where the text is no beginning of an id.
fn id_range(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = text.trim().chars().filter(|char| *char != '-').collect();
    if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let bound = |fill: &str| Uuid::try_parse(&(digits.clone() + &fill.repeat(32 - digits.len()))).ok();
    Some((bound("0")?, bound("f")?))
}

/// A page of jobs.
pub async fn page(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    filter: &Filter,
    (field, descending): (OrderField, bool),
    page: &Page,
) -> Result<Result<Slice<job::Model>, BadPage>, DbErr> {
    let order = ordering(field, descending);
    let query = match order.select(filter.query(viewer), page) {
        Ok(query) => query,
        Err(bad) => return Ok(Err(bad)),
    };
    let jobs = rows::all(db, &query.into_query()).await?;
    Ok(Ok(order.slice(page, jobs, |job| job.id, |job| key(field, job))))
}

/// How many jobs there are in all.
pub async fn count(db: &impl ConnectionTrait, viewer: &Viewer, filter: &Filter) -> Result<u64, DbErr> {
    filter.query(viewer).count(db).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_is_a_range_of_ids() {
        let id = Uuid::now_v7();
        let text = id.to_string();
        for length in 1..=text.len() {
            let (from, to) = id_range(&text[..length]).expect("a beginning");
            assert!(from <= id && id <= to, "{length}");
        }
        assert_eq!(id_range("annual"), None);
        assert_eq!(id_range(""), None);
    }
}
