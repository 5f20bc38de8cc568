//! Files that were sent ahead and wait for the job that takes them.

use crate::{Migration, step::Step};

const TABLE: &str = "staged_uploads";

pub const MIGRATION: Migration = Migration {
    name: "m0020_staged_uploads",
    up: |_| {
        vec![Step::create_table(
            TABLE,
            &[
                "CREATE TABLE staged_uploads (
            id uuid NOT NULL PRIMARY KEY,
            user_id uuid NOT NULL,
            name text NOT NULL,
            size bigint NOT NULL,
            sha256 text NOT NULL,
            created_at timestamptz NOT NULL
        )",
                "CREATE INDEX idx_staged_uploads_created_at ON staged_uploads (created_at)",
            ],
        )]
    },
    down: |_| vec![Step::drop_table(TABLE)],
};
