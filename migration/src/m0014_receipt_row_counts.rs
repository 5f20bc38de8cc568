//! Lets a receipt keep what the job counted: the backfill asks it whether the job can have made a row.

use crate::{Migration, step::Step};

const TABLE: &str = "deletion_receipts";
const COLUMNS: [&str; 4] = ["job_total_rows", "job_processed_rows", "job_successful_rows", "job_failed_rows"];

pub const MIGRATION: Migration = Migration {
    name: "m0014_receipt_row_counts",
    up: |_| COLUMNS.map(|column| Step::add_column(TABLE, column, "integer")).into(),
    down: |_| COLUMNS.map(|column| Step::drop_column(TABLE, column)).into(),
};
