//! Lists of predictions, and the predictions of many jobs at once.

use std::{collections::HashMap, sync::Arc};

use entity::{
    annual_prediction, quarterly_prediction,
    stored::{Kind, LinkSource, RiskLevel},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryTrait, prelude::Uuid,
};

use crate::{
    auth::Viewer,
    database::rows,
    paging::{BadPage, Children, Ordering, Page, Slice, counts_of_children, pages_of_children},
};

/// A prediction of either kind. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// Annual.
    Annual(Arc<annual_prediction::Model>),
    /// Quarterly.
    Quarterly(Arc<quarterly_prediction::Model>),
}

impl From<annual_prediction::Model> for Prediction {
    fn from(row: annual_prediction::Model) -> Self {
        Self::Annual(Arc::new(row))
    }
}

impl From<quarterly_prediction::Model> for Prediction {
    fn from(row: quarterly_prediction::Model) -> Self {
        Self::Quarterly(Arc::new(row))
    }
}

impl Prediction {
    /// The primary key.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Annual(row) => row.id,
            Self::Quarterly(row) => row.id,
        }
    }

    /// The job that made it.
    pub fn job_id(&self) -> Option<Uuid> {
        match self {
            Self::Annual(row) => row.job_id,
            Self::Quarterly(row) => row.job_id,
        }
    }
}

/// Which predictions are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Linked to this job.
    pub job_id: Option<Uuid>,
    /// `true`: without a job, released ones too; `false`: with one.
    pub unlinked: Option<bool>,
    /// Linked by one of these; released ones are without a job.
    pub link_source: Option<Vec<LinkSource>>,
    /// Made by this user or this user's job.
    pub created_by: Option<Uuid>,
    /// Of this company.
    pub company_id: Option<Uuid>,
    /// Four digits.
    pub reporting_year: Option<String>,
    /// `Q1` to `Q4`.
    pub reporting_quarter: Option<String>,
    /// At one of these levels.
    pub risk_level: Option<Vec<RiskLevel>>,
}

/// What differs between the two tables by name alone.
macro_rules! lists {
    ($table:ident, $page:ident, $count:ident, $condition:ident) => {
        fn $condition(viewer: &Viewer, filter: &Filter) -> Condition {
            use $table::Column;
            // Whatever is stored as the link, without a job it counts as released.
            let from = |source: LinkSource| match source {
                LinkSource::Released => {
                    Condition::all().add(Column::JobId.is_null()).add(Column::JobLink.is_not_null())
                }
                known => Condition::all().add(Column::JobId.is_not_null()).add(Column::JobLink.eq(known.as_stored())),
            };
            let never = || Condition::any().add(Column::Id.is_null());
            Condition::all()
                .add(viewer.sees(Column::OrganizationId, Column::CreatedBy))
                .add_option(filter.job_id.map(|id| viewer.is_job(Column::JobId, id)))
                .add_option(
                    filter.unlinked.map(|un| if un { Column::JobId.is_null() } else { Column::JobId.is_not_null() }),
                )
                .add_option(
                    filter
                        .link_source
                        .as_ref()
                        .map(|sources| sources.iter().fold(never(), |any, source| any.add(from(*source)))),
                )
                .add_option(filter.created_by.map(|user| viewer.is_user(Column::CreatedBy, user)))
                .add_option(filter.company_id.map(|id| viewer.is_company(Column::CompanyId, id)))
                .add_option(filter.reporting_year.as_ref().map(|year| Column::ReportingYear.eq(year)))
                .add_option(filter.reporting_quarter.as_ref().map(|quarter| Column::ReportingQuarter.eq(quarter)))
                .add_option(
                    filter
                        .risk_level
                        .as_ref()
                        .map(|levels| Column::RiskLevel.is_in(levels.iter().map(|level| level.as_stored()))),
                )
        }

        /// A page of predictions of this kind, by id.
        pub async fn $page(
            db: &impl ConnectionTrait,
            viewer: &Viewer,
            filter: &Filter,
            page: &Page,
        ) -> Result<Result<Slice<$table::Model>, BadPage>, DbErr> {
            let order = Ordering::<$table::Entity>::by_id($table::Column::Id);
            let query = match order.select($table::Entity::find().filter($condition(viewer, filter)), page) {
                Ok(query) => query,
                Err(bad) => return Ok(Err(bad)),
            };
            Ok(Ok(order.slice(page, rows::all(db, &query.into_query()).await?, |row| row.id, |_| None)))
        }

        /// How many predictions of this kind there are in all.
        pub async fn $count(db: &impl ConnectionTrait, viewer: &Viewer, filter: &Filter) -> Result<u64, DbErr> {
            $table::Entity::find().filter($condition(viewer, filter)).count(db).await
        }
    };
}
lists!(annual_prediction, annual_page, annual_count, annual_condition);
lists!(quarterly_prediction, quarterly_page, quarterly_count, quarterly_condition);

/// The same page of the predictions of each of these jobs, all of one kind, in one statement.
pub async fn of_jobs(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    kind: Kind,
    jobs: &[Uuid],
    page: &Page,
) -> Result<Result<HashMap<Uuid, Slice<Prediction>>, BadPage>, DbErr> {
    macro_rules! of_jobs {
        ($table:ident) => {{
            let order = Ordering::by_id($table::Column::Id);
            let children = Children {
                rows: $table::Entity::find()
                    .filter(viewer.sees($table::Column::OrganizationId, $table::Column::CreatedBy)),
                parent: $table::Column::JobId,
                parent_of: |row| row.job_id,
                place: |row| row.id,
                cursor: |row| (row.id, None),
            };
            let found = pages_of_children(db, &order, &children, jobs, page);
            found
                .await?
                .map(|slices| slices.into_iter().map(|(job, slice)| (job, slice.map(Prediction::from))).collect())
        }};
    }
    Ok(match kind {
        Kind::Annual => of_jobs!(annual_prediction),
        Kind::Quarterly => of_jobs!(quarterly_prediction),
    })
}

/// How many predictions each of these jobs has, in one statement.
pub async fn counts_of_jobs(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    kind: Kind,
    jobs: &[Uuid],
) -> Result<HashMap<Uuid, u64>, DbErr> {
    macro_rules! counts {
        ($table:ident) => {{
            let rows =
                $table::Entity::find().filter(viewer.sees($table::Column::OrganizationId, $table::Column::CreatedBy));
            counts_of_children(db, rows, $table::Column::JobId, jobs).await
        }};
    }
    match kind {
        Kind::Annual => counts!(annual_prediction),
        Kind::Quarterly => counts!(quarterly_prediction),
    }
}
