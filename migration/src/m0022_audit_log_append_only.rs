//! The audit log is only added to: the database refuses to change or delete an entry. And indexes for reading it, by
//! organization and by time.

use crate::{
    Migration,
    step::{Done, Object, Step},
};

const TABLE: &str = "audit_log";
const BY_ORGANIZATION: &str = "idx_audit_log_org";
/// The last that is made and the first that goes, so it stands for the rest.
const BY_TIME: &str = "idx_audit_log_at";

/// On SQLite two triggers. On PostgreSQL the owner of the table, as whom the server usually connects, gives the right up,
/// which clusters without triggers take too; a superuser, and whom somebody grants it, can still do it.
fn close() -> Step {
    Step {
        sqlite: vec![refusing("update"), refusing("delete")],
        ..Step::new(
            &["REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM PUBLIC, CURRENT_USER"],
            Done::Present(Object::Index(TABLE, BY_TIME)),
        )
    }
}

fn refusing(change: &str) -> String {
    format!(
        "CREATE TRIGGER IF NOT EXISTS audit_log_no_{change} BEFORE {change} ON audit_log \
         BEGIN SELECT RAISE(ABORT, 'entries of the audit log are never changed or deleted'); END"
    )
}

fn open() -> Step {
    Step {
        sqlite: ["update", "delete"].map(|change| format!("DROP TRIGGER IF EXISTS audit_log_no_{change}")).into(),
        ..Step::new(
            &["GRANT UPDATE, DELETE, TRUNCATE ON audit_log TO CURRENT_USER"],
            Done::Absent(Object::Index(TABLE, BY_ORGANIZATION)),
        )
    }
}

pub const MIGRATION: Migration = Migration {
    name: "m0022_audit_log_append_only",
    up: |_| {
        vec![
            close(),
            Step::add_index(TABLE, BY_ORGANIZATION, "(organization_id, at, id)"),
            Step::add_index(TABLE, BY_TIME, "(at, id)"),
        ]
    },
    down: |_| vec![Step::drop_index(TABLE, BY_TIME), open(), Step::drop_index(TABLE, BY_ORGANIZATION)],
};
