//! Cleaned jobs, and the runs of the retention policy with what each did to which job.
//!
//! An item outlives its job, so it does not refer to it. The indexes serve the search for jobs whose time has come, which
//! compares the status as it is stored: a status that Joblink does not know is left alone by retention.

use crate::{
    Migration,
    step::{Level, Step, Work},
};

const JOBS: &str = "bulk_upload_jobs";
const RUNS: &str = "retention_runs";
const ITEMS: &str = "retention_items";
const ENDED: &str = "idx_bulk_job_ended";
const TO_CLEAN: &str = "idx_bulk_job_to_clean";
const COLUMNS: [(&str, &str); 2] = [("data_cleaned_at", "timestamptz"), ("cleanup_summary", "text")];

pub const MIGRATION: Migration = Migration {
    name: "m0023_retention",
    up: |_| {
        let columns = COLUMNS.into_iter().map(|(name, of_type)| Step::add_column(JOBS, name, of_type));
        let indexes = [
            Step::add_index(JOBS, ENDED, "(status, completed_at, id)"),
            Step::add_index(JOBS, TO_CLEAN, "(status, completed_at, id) WHERE data_cleaned_at IS NULL"),
        ];
        columns.chain(indexes).chain([create_runs(), create_items()]).collect()
    },
    down: |_| {
        let columns = COLUMNS.into_iter().rev().map(|(name, _)| Step::drop_column(JOBS, name));
        [
            Step::drop_table(ITEMS).locking(Level::AccessExclusive, Work::Catalogue, &[RUNS]),
            Step::drop_table(RUNS),
            Step::drop_index(JOBS, TO_CLEAN),
            Step::drop_index(JOBS, ENDED),
        ]
        .into_iter()
        .chain(columns)
        .collect()
    },
};

fn create_runs() -> Step {
    Step::create_table(
        RUNS,
        &[
            "CREATE TABLE retention_runs (
            id uuid NOT NULL PRIMARY KEY,
            started_at timestamptz NOT NULL,
            finished_at timestamptz,
            triggered_by text NOT NULL,
            user_id uuid,
            request_id text,
            scheduled_for timestamptz,
            at timestamptz NOT NULL,
            policy text NOT NULL,
            cleaned bigint NOT NULL,
            deleted bigint NOT NULL,
            failed bigint NOT NULL,
            bytes_freed bigint NOT NULL,
            lease_token uuid,
            lease_expires_at timestamptz
        )",
            // One process alone begins the run of each time of the schedule.
            "CREATE UNIQUE INDEX idx_retention_runs_scheduled_for ON retention_runs (scheduled_for)",
            "CREATE INDEX idx_retention_runs_open ON retention_runs (id) WHERE finished_at IS NULL",
        ],
    )
}

fn create_items() -> Step {
    Step::create_table(
        ITEMS,
        &[
            "CREATE TABLE retention_items (
            run_id uuid NOT NULL REFERENCES retention_runs (id) ON DELETE CASCADE,
            number bigint NOT NULL,
            job_id uuid NOT NULL,
            job_status text NOT NULL,
            job_finished_at timestamptz NOT NULL,
            action text NOT NULL,
            predictions_deleted bigint NOT NULL,
            predictions_released bigint NOT NULL,
            artifacts bigint NOT NULL,
            bytes bigint NOT NULL,
            error text,
            PRIMARY KEY (run_id, job_id)
        )",
            "CREATE UNIQUE INDEX idx_retention_items_number ON retention_items (run_id, number)",
        ],
    )
    .locking(Level::ShareRowExclusive, Work::Catalogue, &[RUNS])
}
