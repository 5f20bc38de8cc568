//! What is told of deletions and of retention runs: written in their transaction, kept until it is delivered and a while longer.

use crate::{Migration, step::Step};

const TABLE: &str = "notifications";

pub const MIGRATION: Migration = Migration {
    name: "m0024_notifications",
    up: |_| {
        vec![Step::create_table(
            TABLE,
            &[
                "CREATE TABLE notifications (
            id uuid NOT NULL PRIMARY KEY,
            channel text NOT NULL,
            event text NOT NULL,
            target uuid NOT NULL,
            body text NOT NULL,
            created_at timestamptz NOT NULL,
            due_at timestamptz NOT NULL,
            attempts int NOT NULL,
            last_error text,
            delivered_at timestamptz
        )",
                // Whatever happens, an event is told once to each.
                "CREATE UNIQUE INDEX idx_notifications_event ON notifications (channel, event, target)",
                "CREATE INDEX idx_notifications_due ON notifications (channel, due_at) WHERE delivered_at IS NULL",
                "CREATE INDEX idx_notifications_delivered ON notifications (delivered_at)",
            ],
        )]
    },
    down: |_| vec![Step::drop_table(TABLE)],
};
