//! The permanent record of each deletion; one for each job, held by the unique index.

use crate::{Migration, step::Step};

const TABLE: &str = "deletion_receipts";

pub const MIGRATION: Migration = Migration {
    name: "m0010_deletion_receipts",
    up: |_| {
        vec![Step::create_table(
            TABLE,
            &[
                "CREATE TABLE deletion_receipts (
            id uuid NOT NULL PRIMARY KEY,
            job_id uuid NOT NULL,
            organization_id uuid,
            job_kind text NOT NULL,
            job_status text NOT NULL,
            file_name text NOT NULL,
            job_created_by uuid NOT NULL,
            job_created_at timestamptz,
            job_started_at timestamptz,
            job_finished_at timestamptz,
            error_message text,
            deleted_at timestamptz NOT NULL,
            deleted_by uuid,
            trigger text NOT NULL,
            reason text,
            force boolean NOT NULL,
            delete_predictions boolean NOT NULL,
            deleted_annual bigint NOT NULL,
            deleted_quarterly bigint NOT NULL,
            released bigint NOT NULL,
            artifacts integer NOT NULL,
            artifact_bytes bigint NOT NULL
        )",
                "CREATE UNIQUE INDEX idx_deletion_receipts_job ON deletion_receipts (job_id)",
                "CREATE INDEX idx_deletion_receipts_org ON deletion_receipts (organization_id, deleted_at)",
            ],
        )]
    },
    down: |_| vec![Step::drop_table(TABLE)],
};
