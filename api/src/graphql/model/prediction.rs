//! Predictions of both kinds.

#![expect(clippy::duplicated_attributes, reason = "fields of an interface may have the same type")]

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object, Result};
use entity::{annual_prediction, quarterly_prediction, stored};
use sea_orm::prelude::Uuid;

use super::{
    company::Company,
    enums::{LinkSource, RiskLevel},
    job::Job,
    viewer::User,
};
use crate::{
    app::App,
    graphql::{
        failure::placed,
        loaders::{CompanyId, JobId, Loaders, UserId},
        reference::Reference,
        scalars::{DateTime, Decimal},
        shown::One,
    },
    jobs::status,
    predictions::list,
};

/// A scored row: the probability that a company defaults, for a reporting period.
#[derive(Interface, Clone)]
#[graphql(
    field(name = "id", ty = "ID", desc = "UUID."),
    field(
        name = "company",
        ty = "Result<One<Company>>",
        desc = "The company that was scored; one of another tenant, as an older program or a hand may have left it, is shown with the id of nothing and without its texts."
    ),
    field(name = "reporting_year", ty = "&str", desc = "Four digits."),
    field(
        name = "reporting_quarter",
        ty = "Option<&str>",
        desc = "`Q1` to `Q4`; null where an annual file gave none."
    ),
    field(name = "probability", ty = "Option<Decimal>", desc = "Probability of default, 0 to 1, four decimals."),
    field(
        name = "risk_level",
        ty = "Option<RiskLevel>",
        desc = "By the probability before rounding; null for a level that this version does not know."
    ),
    field(name = "confidence", ty = "Option<Decimal>", desc = "0.5 to 1, four decimals."),
    field(
        name = "job",
        ty = "Option<Result<Job>>",
        desc = "The job that made it; null = unknown, made by hand, or released."
    ),
    field(
        name = "link_source",
        ty = "Option<LinkSource>",
        desc = "How the link to the job is known; null = undecided or made by hand."
    ),
    field(name = "created_by", ty = "Option<Result<User>>", desc = "Who made it, or whose job."),
    field(name = "predicted_at", ty = "Option<DateTime>", desc = "When it was computed."),
    field(name = "created_at", ty = "Option<DateTime>", desc = "When it was stored.")
)]
pub enum Prediction {
    /// For a year.
    Annual(AnnualPrediction),
    /// For a quarter.
    Quarterly(QuarterlyPrediction),
}

impl From<list::Prediction> for Prediction {
    fn from(prediction: list::Prediction) -> Self {
        match prediction {
            list::Prediction::Annual(row) => Self::Annual(row.into()),
            list::Prediction::Quarterly(row) => Self::Quarterly(row.into()),
        }
    }
}

/// What differs by name alone.
macro_rules! of_table {
    ($(#[$doc:meta])* $name:ident, $table:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            row: Arc<$table::Model>,
            pub(in crate::graphql) company: Reference<CompanyId>,
            pub(in crate::graphql) job: Reference<JobId>,
            pub(in crate::graphql) created_by: Reference<UserId>,
        }

        impl From<Arc<$table::Model>> for $name {
            fn from(row: Arc<$table::Model>) -> Self {
                Self {
                    company: Reference::to(Some(CompanyId(row.company_id))),
                    job: Reference::to(row.job_id.map(JobId)),
                    created_by: Reference::to(row.created_by.map(UserId)),
                    row,
                }
            }
        }

        impl From<$table::Model> for $name {
            fn from(row: $table::Model) -> Self {
                Arc::new(row).into()
            }
        }
    };
}
of_table!(
    /// A prediction for a reporting year.
    AnnualPrediction,
    annual_prediction
);
of_table!(
    /// A prediction for a reporting quarter.
    QuarterlyPrediction,
    quarterly_prediction
);

/// An object type with the fields that both kinds share, and its own.
macro_rules! prediction {
    ($(#[$doc:meta])* $name:ident, $quarter:expr, $probability:expr, { $($own:tt)* }) => {
        $(#[$doc])*
        #[Object]
        impl $name {
            /// UUID.
            pub async fn id(&self) -> ID {
                self.row.id.into()
            }

            /// The company that was scored; one of another tenant, as an older program or a hand may have left it, is shown
            /// with the id of nothing and without its texts.
            pub async fn company(&self, ctx: &Context<'_>) -> Result<One<Company>> {
                let found = self.company.get(ctx).await.map_err(placed(ctx))?;
                // A hand on the database can have given a prediction another tenant's company, and that must not cost the
                // whole page.
                Ok(One(found.map_or_else(Company::unseen, Company)))
            }

            /// Four digits.
            pub async fn reporting_year(&self) -> &str {
                &self.row.reporting_year
            }

            /// `Q1` to `Q4`; null where an annual file gave none.
            pub async fn reporting_quarter(&self) -> Option<&str> {
                let quarter: fn(&Self) -> Option<&str> = $quarter;
                quarter(self)
            }

            $($own)*

            /// Probability of default, 0 to 1, four decimals.
            pub async fn probability(&self) -> Option<Decimal> {
                let probability: fn(&Self) -> Option<rust_decimal::Decimal> = $probability;
                probability(self).map(Decimal)
            }

            /// By the probability before rounding; null for a level that this version does not know.
            pub async fn risk_level(&self) -> Option<RiskLevel> {
                stored::RiskLevel::from_stored(&self.row.risk_level).map(Into::into)
            }

            /// 0.5 to 1, four decimals.
            pub async fn confidence(&self) -> Option<Decimal> {
                Some(Decimal(self.row.confidence))
            }

            /// The job that made it; null = unknown, made by hand, or released.
            pub async fn job(&self, ctx: &Context<'_>) -> Option<Result<Job>> {
                Some(self.job.get(ctx).await.transpose()?.map(Job::from))
            }

            /// How the link to the job is known; null = undecided or made by hand.
            pub async fn link_source(&self) -> Option<LinkSource> {
                link_source(self.row.job_id, self.row.job_link.as_deref())
            }

            /// Who made it, or whose job.
            pub async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
                Some(self.created_by.get(ctx).await.transpose()?.map(User::from))
            }

            /// When it was computed.
            pub async fn predicted_at(&self) -> Option<DateTime> {
                self.row.predicted_at.map(Into::into)
            }

            /// When it was stored.
            pub async fn created_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
                stored_at(ctx, self.row.created_at?, self.row.predicted_at, self.row.job_link.as_deref())
            }
        }
    };
}

prediction!(
    /// A prediction for a reporting year.
    AnnualPrediction,
    |this| this.row.reporting_quarter.as_deref(),
    |this| Some(this.row.probability),
    {
        /// Percent.
        async fn long_term_debt_to_total_capital(&self) -> Option<Decimal> {
            self.row.long_term_debt_to_total_capital.map(Decimal)
        }

        /// Times.
        async fn total_debt_to_ebitda(&self) -> Option<Decimal> {
            self.row.total_debt_to_ebitda.map(Decimal)
        }

        /// Percent.
        async fn net_income_margin(&self) -> Option<Decimal> {
            self.row.net_income_margin.map(Decimal)
        }

        /// Times.
        async fn ebit_to_interest_expense(&self) -> Option<Decimal> {
            self.row.ebit_to_interest_expense.map(Decimal)
        }

        /// Percent.
        async fn return_on_assets(&self) -> Option<Decimal> {
            self.row.return_on_assets.map(Decimal)
        }
    }
);

prediction!(
    /// A prediction for a reporting quarter.
    QuarterlyPrediction,
    |this| Some(&this.row.reporting_quarter),
    |this| this.row.ensemble_probability,
    {
        /// Times.
        async fn total_debt_to_ebitda(&self) -> Option<Decimal> {
            self.row.total_debt_to_ebitda.map(Decimal)
        }

        /// Percent.
        async fn sga_margin(&self) -> Option<Decimal> {
            self.row.sga_margin.map(Decimal)
        }

        /// Percent.
        async fn long_term_debt_to_total_capital(&self) -> Option<Decimal> {
            self.row.long_term_debt_to_total_capital.map(Decimal)
        }

        /// Percent.
        async fn return_on_capital(&self) -> Option<Decimal> {
            self.row.return_on_capital.map(Decimal)
        }

        /// By the logistic scorecard, 0 to 1, four decimals.
        async fn logistic_probability(&self) -> Option<Decimal> {
            self.row.logistic_probability.map(Decimal)
        }

        /// By a second model of the existing installation; null for what Joblink made.
        async fn gbm_probability(&self) -> Option<Decimal> {
            self.row.gbm_probability.map(Decimal)
        }
    }
);

/// A user by id, through a row that the viewer sees.
pub(super) async fn user(ctx: &Context<'_>, id: Option<Uuid>) -> Result<Option<User>> {
    let Some(id) = id else { return Ok(None) };
    Ok(ctx.data::<Loaders>()?.load_one(UserId(id)).await?.map(User::from))
}

/// Without a job, a link of whatever source counts as released.
fn link_source(job: Option<Uuid>, link: Option<&str>) -> Option<LinkSource> {
    let link = link?;
    if job.is_none() { Some(LinkSource::Released) } else { stored::LinkSource::from_stored(link).map(Into::into) }
}

/// What Joblink's own jobs wrote is in UTC; other rows are by the clock of an existing installation's database.
///
/// A row that was released has lost its link, but its two times still are one: Joblink computes and stores at once.
fn stored_at(
    ctx: &Context<'_>,
    time: chrono::NaiveDateTime,
    predicted: Option<chrono::NaiveDateTime>,
    link: Option<&str>,
) -> Option<DateTime> {
    let own = link == Some(stored::LinkSource::Upload.as_stored()) || predicted == Some(time);
    if own { Some(time.into()) } else { status::adopted_time(ctx.data::<App>().ok()?, time).map(Into::into) }
}
