//! What happened to a job while it ran. Its lines become the job's log file when it ends.

use crate::{
    Migration,
    step::{Level, Step, Work},
};

const TABLE: &str = "job_log";
const JOBS: &str = "bulk_upload_jobs";

pub const MIGRATION: Migration = Migration {
    name: "m0017_job_log",
    up: |_| {
        vec![
            Step::create_table(
                TABLE,
                &["CREATE TABLE job_log (
            job_id uuid NOT NULL REFERENCES bulk_upload_jobs (id) ON DELETE CASCADE,
            id uuid NOT NULL,
            at timestamptz NOT NULL,
            message text NOT NULL,
            PRIMARY KEY (job_id, id)
        )"],
            )
            .locking(Level::ShareRowExclusive, Work::Catalogue, &[JOBS]),
        ]
    },
    down: |_| vec![Step::drop_table(TABLE).locking(Level::AccessExclusive, Work::Catalogue, &[JOBS])],
};
