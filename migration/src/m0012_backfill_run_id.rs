//! Lets each prediction say which backfill run wrote its link, and finds a user's predictions in the order of time.

use crate::{Migration, step::Step};

const ANNUAL: &str = "annual_predictions";
const QUARTERLY: &str = "quarterly_predictions";
const ANNUAL_INDEX: &str = "idx_annual_created_by_predicted_at";
const QUARTERLY_INDEX: &str = "idx_quarterly_created_by_predicted_at";
const ON: &str = "(created_by, predicted_at, id)";

pub const MIGRATION: Migration = Migration {
    name: "m0012_backfill_run_id",
    up: |_| {
        vec![
            Step::add_column(ANNUAL, "backfill_run_id", "uuid"),
            Step::add_column(QUARTERLY, "backfill_run_id", "uuid"),
            Step::add_index(ANNUAL, ANNUAL_INDEX, ON),
            Step::add_index(QUARTERLY, QUARTERLY_INDEX, ON),
        ]
    },
    down: |_| {
        vec![
            Step::drop_index(QUARTERLY, QUARTERLY_INDEX),
            Step::drop_index(ANNUAL, ANNUAL_INDEX),
            Step::drop_column(QUARTERLY, "backfill_run_id"),
            Step::drop_column(ANNUAL, "backfill_run_id"),
        ]
    },
};
