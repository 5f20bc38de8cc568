//! Tells Joblink's jobs from adopted ones, and lets one worker at a time claim a job.

use crate::{Migration, step::Step};

const JOBS: &str = "bulk_upload_jobs";
const OPEN_JOBS: &str = "idx_bulk_job_open";

pub const MIGRATION: Migration = Migration {
    name: "m0006_job_origin_and_lease",
    up: |_| {
        vec![
            Step::add_column(JOBS, "origin", "text"),
            Step::add_column(JOBS, "lease_token", "uuid"),
            Step::add_column(JOBS, "lease_expires_at", "timestamptz"),
            Step::add_index(JOBS, OPEN_JOBS, "(id) WHERE origin = 'joblink' AND status IN ('pending', 'processing')"),
        ]
    },
    down: |_| {
        vec![
            Step::drop_index(JOBS, OPEN_JOBS),
            Step::drop_column(JOBS, "lease_expires_at"),
            Step::drop_column(JOBS, "lease_token"),
            Step::drop_column(JOBS, "origin"),
        ]
    },
};
