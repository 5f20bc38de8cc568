//! The link from a prediction to its job, the same on both prediction tables.

use crate::step::{Done, Object, Step};

/// Adds the column, its index and its foreign key, online.
///
/// The index holds the id as well, so that a page of a job's predictions is read in order. Where an older program
/// deletes a job, its predictions stay, without a link.
pub fn add(
    table: &'static [&'static str; 1],
    index: &'static str,
    key: &'static str,
    both: &[&'static str],
) -> Vec<Step> {
    let [name] = table;
    let reference = "REFERENCES bulk_upload_jobs (id) ON DELETE SET NULL";
    vec![
        Step::add_column(table, "job_id", "uuid")
            .on_sqlite(&format!("ALTER TABLE {name} ADD COLUMN job_id uuid_text CONSTRAINT {key} {reference}")),
        Step::add_index(name, index, "(job_id, id)"),
        Step::new(
            &[&format!("ALTER TABLE {name} ADD CONSTRAINT {key} FOREIGN KEY (job_id) {reference} NOT VALID")],
            Done::Present(Object::Constraint(name, key.to_owned())),
        )
        .on_postgres_only()
        .locking(both),
        Step::new(
            &[&format!("ALTER TABLE {name} VALIDATE CONSTRAINT {key}")],
            Done::Present(Object::ValidConstraint(name, key.to_owned())),
        )
        .on_postgres_only()
        .locking(both),
    ]
}

/// Drops the column with its index and foreign key.
pub fn drop(table: &'static [&'static str; 1], index: &'static str, both: &[&'static str]) -> Vec<Step> {
    let [name] = table;
    vec![Step::drop_index(name, index), Step::drop_column(table, "job_id").locking(both)]
}
