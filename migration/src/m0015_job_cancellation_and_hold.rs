//! Who cancelled a job and why, and what keeps it from being deleted.

use crate::{Migration, step::Step};

const JOBS: &str = "bulk_upload_jobs";
const CANCELLING_JOBS: &str = "idx_bulk_job_cancelling";
const COLUMNS: [(&str, &str); 7] = [
    ("cancelled_at", "timestamptz"),
    ("cancel_reason", "text"),
    ("cancel_notes", "text"),
    ("cancelled_by", "uuid"),
    ("held_at", "timestamptz"),
    ("hold_reason", "text"),
    ("held_by", "uuid"),
];

pub const MIGRATION: Migration = Migration {
    name: "m0015_job_cancellation_and_hold",
    up: |_| {
        let columns = COLUMNS.into_iter().map(|(name, of_type)| Step::add_column(JOBS, name, of_type));
        let index = Step::add_index(JOBS, CANCELLING_JOBS, "(id) WHERE origin = 'joblink' AND status = 'cancelling'");
        columns.chain([index]).collect()
    },
    down: |_| {
        let columns = COLUMNS.into_iter().rev().map(|(name, _)| Step::drop_column(JOBS, name));
        [Step::drop_index(JOBS, CANCELLING_JOBS)].into_iter().chain(columns).collect()
    },
};
