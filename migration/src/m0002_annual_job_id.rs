//! Lets each annual prediction say which job made it.

use crate::{Migration, job_id};

pub const MIGRATION: Migration = Migration {
    name: "m0002_annual_job_id",
    up: |_| job_id::add("annual_predictions", "idx_annual_job", "fk_annual_predictions_job"),
    down: |_| job_id::drop("annual_predictions", "idx_annual_job"),
};
