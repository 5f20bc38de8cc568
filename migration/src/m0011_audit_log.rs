//! What callers did and tried.

use crate::{Migration, step::Step};

const TABLE: &str = "audit_log";

pub const MIGRATION: Migration = Migration {
    name: "m0011_audit_log",
    up: |_| {
        vec![Step::create_table(
            TABLE,
            &[
                "CREATE TABLE audit_log (
            id uuid NOT NULL PRIMARY KEY,
            at timestamptz NOT NULL,
            actor_id uuid,
            organization_id uuid,
            action text NOT NULL,
            target_id uuid,
            outcome text NOT NULL,
            code text,
            detail text,
            request_id text
        )",
                "CREATE INDEX idx_audit_log_target ON audit_log (target_id)",
            ],
        )]
    },
    down: |_| vec![Step::drop_table(TABLE)],
};
