//! Lets each prediction say how its link is known.

use crate::{Migration, step::Step};

const ANNUAL: &str = "annual_predictions";
const QUARTERLY: &str = "quarterly_predictions";

pub const MIGRATION: Migration = Migration {
    name: "m0004_job_link",
    up: |_| [ANNUAL, QUARTERLY].map(|table| Step::add_column(table, "job_link", "text")).into(),
    down: |_| [QUARTERLY, ANNUAL].map(|table| Step::drop_column(table, "job_link")).into(),
};
