//! The files of jobs. The files themselves are in the artifact store.

use crate::{
    Migration,
    step::{Level, Step, Work},
};

const TABLE: &str = "artifacts";
const JOBS: &str = "bulk_upload_jobs";

pub const MIGRATION: Migration = Migration {
    name: "m0008_artifacts",
    up: |_| {
        vec![
            Step::create_table(
                TABLE,
                &[
                    "CREATE TABLE artifacts (
            id uuid NOT NULL PRIMARY KEY,
            job_id uuid NOT NULL REFERENCES bulk_upload_jobs (id) ON DELETE CASCADE,
            kind text NOT NULL,
            name text NOT NULL,
            size bigint NOT NULL,
            sha256 text,
            created_at timestamptz NOT NULL
        )",
                    "CREATE INDEX idx_artifacts_job ON artifacts (job_id)",
                ],
            )
            .locking(Level::ShareRowExclusive, Work::Catalogue, &[JOBS]),
        ]
    },
    down: |_| vec![Step::drop_table(TABLE).locking(Level::AccessExclusive, Work::Catalogue, &[JOBS])],
};
