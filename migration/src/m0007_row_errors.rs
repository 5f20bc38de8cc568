//! Rows of input files that were not stored. They go with their job, also where an older program deletes it.

use crate::{
    Migration,
    step::{Level, Step, Work},
};

const TABLE: &str = "row_errors";
const JOBS: &str = "bulk_upload_jobs";

pub const MIGRATION: Migration = Migration {
    name: "m0007_row_errors",
    up: |_| {
        vec![
            Step::create_table(
                TABLE,
                &["CREATE TABLE row_errors (
            job_id uuid NOT NULL REFERENCES bulk_upload_jobs (id) ON DELETE CASCADE,
            line integer NOT NULL,
            column_name text,
            code text NOT NULL,
            message text NOT NULL,
            PRIMARY KEY (job_id, line)
        )"],
            )
            .locking(Level::ShareRowExclusive, Work::Catalogue, &[JOBS]),
        ]
    },
    down: |_| vec![Step::drop_table(TABLE).locking(Level::AccessExclusive, Work::Catalogue, &[JOBS])],
};
