//! The link from a prediction to its job, the same on both prediction tables.

use crate::step::{Done, Level, Object, Step, Work};

const JOBS: &str = "bulk_upload_jobs";

/// Adds the column, its index and its foreign key, online.
///
/// The index holds the id as well, so that a page of a job's predictions is read in order. Where an older program
/// deletes a job, its predictions stay, without a link.
pub fn add(table: &'static str, index: &'static str, key: &'static str) -> Vec<Step> {
    let reference = "REFERENCES bulk_upload_jobs (id) ON DELETE SET NULL";
    vec![
        Step::add_column(table, "job_id", "uuid")
            .on_sqlite(&format!("ALTER TABLE {table} ADD COLUMN job_id uuid_text CONSTRAINT {key} {reference}")),
        Step::add_index(table, index, "(job_id, id)"),
        Step::new(
            &[&format!("ALTER TABLE {table} ADD CONSTRAINT {key} FOREIGN KEY (job_id) {reference} NOT VALID")],
            Done::Present(Object::Constraint(table, key.to_owned())),
        )
        .on_postgres_only()
        .locking(Level::ShareRowExclusive, Work::Catalogue, &[table, JOBS]),
        Step::new(
            &[&format!("ALTER TABLE {table} VALIDATE CONSTRAINT {key}")],
            Done::Present(Object::ValidConstraint(table, key.to_owned())),
        )
        .on_postgres_only()
        .locking(Level::ShareUpdateExclusive, Work::Scan, &[table])
        .locking(Level::RowShare, Work::Scan, &[JOBS]),
    ]
}

/// Drops the column with its index and foreign key.
pub fn drop(table: &'static str, index: &'static str) -> Vec<Step> {
    vec![
        Step::drop_index(table, index),
        Step::drop_column(table, "job_id").locking(Level::AccessExclusive, Work::Catalogue, &[JOBS]),
    ]
}
