//! What happened to jobs in the last hour, for those who watch them.

use crate::{Migration, step::Step};

const TABLE: &str = "job_events";

pub const MIGRATION: Migration = Migration {
    name: "m0019_job_events",
    up: |_| {
        // Read by the order of ids alone. Without a foreign key: the event of a deletion outlives its job.
        vec![Step::create_table(
            TABLE,
            &["CREATE TABLE job_events (
            id uuid NOT NULL PRIMARY KEY,
            at timestamptz NOT NULL,
            type text NOT NULL,
            job_id uuid NOT NULL,
            organization_id uuid,
            user_id uuid NOT NULL
        )"],
        )]
    },
    down: |_| vec![Step::drop_table(TABLE)],
};
