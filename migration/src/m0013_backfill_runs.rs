//! The runs of the backfill, what each decided about each job, and the predictions that each left without a link. At most
//! one is running, held by the unique index.
//!
//! A decision outlives its job, so it does not refer to it; nor does the list of predictions to them, because every
//! deletion of a prediction would have to look there.

use crate::{
    Migration,
    step::{Level, Step, Work},
};

const RUNS: &str = "backfill_runs";
const DECISIONS: &str = "backfill_decisions";
const UNRESOLVED: &str = "backfill_unresolved";

pub const MIGRATION: Migration = Migration {
    name: "m0013_backfill_runs",
    up: |_| {
        vec![
            Step::create_table(
                RUNS,
                &[
                    "CREATE TABLE backfill_runs (
            id uuid NOT NULL PRIMARY KEY,
            started_at timestamptz NOT NULL,
            finished_at timestamptz,
            status text NOT NULL,
            options text NOT NULL,
            lease_token uuid,
            lease_beat bigint NOT NULL,
            beat_at timestamptz NOT NULL,
            linked bigint NOT NULL,
            unresolved bigint NOT NULL,
            undone bigint NOT NULL
        )",
                    "CREATE UNIQUE INDEX idx_backfill_runs_running ON backfill_runs (status) WHERE status = 'running'",
                ],
            ),
            Step::create_table(
                DECISIONS,
                &["CREATE TABLE backfill_decisions (
            run_id uuid NOT NULL REFERENCES backfill_runs (id) ON DELETE CASCADE,
            job_id uuid NOT NULL,
            evidence text,
            linked bigint NOT NULL,
            unresolved bigint NOT NULL,
            note text,
            PRIMARY KEY (run_id, job_id)
        )"],
            )
            .locking(Level::ShareRowExclusive, Work::Catalogue, &[RUNS]),
            Step::create_table(
                UNRESOLVED,
                &["CREATE TABLE backfill_unresolved (
            run_id uuid NOT NULL REFERENCES backfill_runs (id) ON DELETE CASCADE,
            prediction_id uuid NOT NULL,
            kind text NOT NULL,
            reason text NOT NULL,
            candidates text NOT NULL,
            PRIMARY KEY (run_id, prediction_id)
        )"],
            )
            .locking(Level::ShareRowExclusive, Work::Catalogue, &[RUNS]),
        ]
    },
    down: |_| {
        vec![
            Step::drop_table(UNRESOLVED).locking(Level::AccessExclusive, Work::Catalogue, &[RUNS]),
            Step::drop_table(DECISIONS).locking(Level::AccessExclusive, Work::Catalogue, &[RUNS]),
            Step::drop_table(RUNS),
        ]
    },
};
