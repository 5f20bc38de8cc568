//! The predictions linked to a job: deleted or released. Set-based, whatever their number.

use entity::{
    annual_prediction, job, quarterly_prediction,
    stored::{Kind, LinkSource},
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};

/// Numbers of predictions by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In `annual_predictions`.
    pub annual: u64,
    /// In `quarterly_predictions`.
    pub quarterly: u64,
}

impl Counts {
    /// Both kinds together.
    pub const fn total(self) -> u64 {
        self.annual + self.quarterly
    }

    /// The number of one kind.
    pub const fn of(self, kind: Kind) -> u64 {
        match kind {
            Kind::Annual => self.annual,
            Kind::Quarterly => self.quarterly,
        }
    }
}

/// The rows linked to a job, in its own organization alone.
macro_rules! linked {
    ($table:ident, $job:expr) => {
        Condition::all().add($table::Column::JobId.eq($job.id)).add(match $job.organization_id {
            Some(id) => $table::Column::OrganizationId.eq(id),
            None => $table::Column::OrganizationId.is_null(),
        })
    };
}

/// Deletes them.
pub async fn delete(db: &impl ConnectionTrait, job: &job::Model) -> Result<Counts, DbErr> {
    macro_rules! delete {
        ($table:ident) => {
            $table::Entity::delete_many().filter(linked!($table, job)).exec(db).await?.rows_affected
        };
    }
    Ok(Counts { annual: delete!(annual_prediction), quarterly: delete!(quarterly_prediction) })
}

/// Keeps them and cuts their links, for good: the backfill leaves released rows alone.
pub async fn release(db: &impl ConnectionTrait, job: &job::Model) -> Result<Counts, DbErr> {
    macro_rules! release {
        ($table:ident) => {
            $table::Entity::update_many()
                .col_expr($table::Column::JobId, Expr::value(Option::<sea_orm::prelude::Uuid>::None))
                .col_expr($table::Column::JobLink, Expr::value(LinkSource::Released.as_stored()))
                .filter(linked!($table, job))
                .exec(db)
                .await?
                .rows_affected
        };
    }
    Ok(Counts { annual: release!(annual_prediction), quarterly: release!(quarterly_prediction) })
}
