//! Widens the ratios: `numeric(10,4)` ends at a million, and real files hold 100000000.0.
//!
//! On PostgreSQL a larger precision with the same scale is a change of the catalogue alone; SQLite does not limit numbers.

use crate::{
    Migration,
    step::{Done, Guard, Object, Step},
};

const TABLES: [(&[&str; 1], &[&str]); 2] = [
    (
        &["annual_predictions"],
        &[
            "long_term_debt_to_total_capital",
            "total_debt_to_ebitda",
            "net_income_margin",
            "ebit_to_interest_expense",
            "return_on_assets",
        ],
    ),
    (
        &["quarterly_predictions"],
        &["total_debt_to_ebitda", "sga_margin", "long_term_debt_to_total_capital", "return_on_capital"],
    ),
];

pub const MIGRATION: Migration = Migration {
    name: "m0005_wider_ratios",
    up: |_| TABLES.map(|(table, columns)| change(table, columns, 20)).into(),
    down: |_| TABLES.map(|(table, columns)| change(table, columns, 10).unless(too_wide(table[0], columns))).into(),
};

fn change(table: &'static [&'static str; 1], columns: &'static [&'static str], precision: i32) -> Step {
    let changes: Vec<_> =
        columns.iter().map(|column| format!("ALTER COLUMN {column} TYPE numeric({precision},4)")).collect();
    Step::new(
        &[&format!("ALTER TABLE {} {}", table[0], changes.join(", "))],
        Done::Present(Object::Precision(table[0], columns[0], precision)),
    )
    .on_postgres_only()
    .locking(table)
}

fn too_wide(table: &str, columns: &[&str]) -> Guard {
    // NaN counts as larger than every number, and fits.
    let any: Vec<_> = columns.iter().map(|column| format!("abs({column}) >= 1000000 AND {column} <> 'NaN'")).collect();
    Guard {
        count: format!("SELECT count(*) FROM {table} WHERE {}", any.join(" OR ")),
        message: format!(
            "rows of {table} with a ratio of a million or more, which the narrower columns cannot hold: {{}}"
        ),
    }
}
