//! The keys that callers gave their requests for jobs: the same request again is answered as before.

use crate::{Migration, step::Step};

const TABLE: &str = "idempotency_keys";

pub const MIGRATION: Migration = Migration {
    name: "m0021_idempotency_keys",
    up: |_| {
        vec![Step::create_table(
            TABLE,
            &[
                "CREATE TABLE idempotency_keys (
            user_id uuid NOT NULL,
            key text NOT NULL,
            organization_id uuid,
            job_id uuid NOT NULL,
            job_kind text NOT NULL,
            sha256 text NOT NULL,
            upload_id uuid,
            created_at timestamptz NOT NULL,
            PRIMARY KEY (user_id, key)
        )",
                "CREATE INDEX idx_idempotency_keys_created_at ON idempotency_keys (created_at)",
            ],
        )]
    },
    down: |_| vec![Step::drop_table(TABLE)],
};
