//! Deleted jobs whose files are still to be removed from the artifact store.

use crate::{Migration, step::Step};

const TABLE: &str = "artifact_purges";

pub const MIGRATION: Migration = Migration {
    name: "m0009_artifact_purges",
    up: |_| {
        vec![Step::create_table(
            TABLE,
            &[
                "CREATE TABLE artifact_purges (
            job_id uuid NOT NULL PRIMARY KEY,
            due_at timestamptz NOT NULL,
            attempts integer NOT NULL,
            last_error text,
            completed_at timestamptz
        )",
                "CREATE INDEX idx_artifact_purges_due ON artifact_purges (due_at) WHERE completed_at IS NULL",
            ],
        )]
    },
    down: |_| vec![Step::drop_table(TABLE)],
};
