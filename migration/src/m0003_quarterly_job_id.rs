//! Lets each quarterly prediction say which job made it.

use crate::{Migration, job_id};

pub const MIGRATION: Migration = Migration {
    name: "m0003_quarterly_job_id",
    up: |_| job_id::add("quarterly_predictions", "idx_quarterly_job", "fk_quarterly_predictions_job"),
    down: |_| job_id::drop("quarterly_predictions", "idx_quarterly_job"),
};
