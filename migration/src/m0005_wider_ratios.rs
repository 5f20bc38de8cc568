//! Widens the ratios: `numeric(10,4)` ends at a million, and real files hold 100000000.0.
//!
//! On PostgreSQL a larger precision with the same scale is a change of the catalogue alone; SQLite does not limit numbers.

use crate::{
    Migration,
    step::{Done, Guard, Level, Object, Step, Work},
};

const TABLES: [(&str, &[&str]); 2] = [
    (
        "annual_predictions",
        &[
            "long_term_debt_to_total_capital",
            "total_debt_to_ebitda",
            "net_income_margin",
            "ebit_to_interest_expense",
            "return_on_assets",
        ],
    ),
    (
        "quarterly_predictions",
        &["total_debt_to_ebitda", "sga_margin", "long_term_debt_to_total_capital", "return_on_capital"],
    ),
];

pub const MIGRATION: Migration = Migration {
    name: "m0005_wider_ratios",
    up: |_| TABLES.map(|(table, columns)| widen(table, columns)).into(),
    down: |_| TABLES.map(|(table, columns)| narrow(table, columns)).into(),
};

fn widen(table: &'static str, columns: &'static [&'static str]) -> Step {
    change(table, columns, 20)
        .locking(Level::AccessExclusive, Work::Catalogue, &[table])
        .unless(of_another_type(table, columns))
        .unless(read_by_views(table, columns))
}

fn narrow(table: &'static str, columns: &'static [&'static str]) -> Step {
    change(table, columns, 10)
        .locking(Level::AccessExclusive, Work::Rewrite, &[table])
        .unless(read_by_views(table, columns))
        .unless(too_wide(table, columns))
}

fn change(table: &'static str, columns: &'static [&'static str], precision: i32) -> Step {
    let changes: Vec<_> =
        columns.iter().map(|column| format!("ALTER COLUMN {column} TYPE numeric({precision},4)")).collect();
    Step::new(
        &[&format!("ALTER TABLE {table} {}", changes.join(", "))],
        Done::Present(Object::Precision(table, columns[0], precision)),
    )
    .on_postgres_only()
}

/// Another type would be rewritten, and its values rounded for good.
fn of_another_type(table: &str, columns: &[&str]) -> Guard {
    Guard {
        query: format!(
            "SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = to_regclass('{table}') AND attname IN ('{}')
               AND format_type(atttypid, atttypmod) NOT IN ('numeric(10,4)', 'numeric(20,4)')",
            columns.join("', '")
        ),
        message: format!(
            "ratios of {table} are not numeric(10,4) ({{}}), and to change them would round them and rewrite the table; \
             change their type yourself to numeric(20,4), then run this again"
        ),
    }
}

/// PostgreSQL changes the type of no column that a view reads.
fn read_by_views(table: &str, columns: &[&str]) -> Guard {
    Guard {
        query: format!(
            "SELECT DISTINCT r.ev_class::regclass::text FROM pg_depend d
             JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
             JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.refobjid = to_regclass('{table}') AND a.attname IN ('{}')",
            columns.join("', '")
        ),
        message: format!(
            "the type of ratios of {table} cannot change while views read them ({{}}); \
             drop these views, run this again, and then make them anew"
        ),
    }
}

fn too_wide(table: &str, columns: &[&str]) -> Guard {
    // NaN counts as larger than every number, and fits.
    let any: Vec<_> = columns.iter().map(|column| format!("abs({column}) >= 1000000 AND {column} <> 'NaN'")).collect();
    Guard {
        query: format!("SELECT count(*)::text FROM {table} WHERE {} HAVING count(*) > 0", any.join(" OR ")),
        message: format!(
            "rows of {table} with a ratio of a million or more, which the narrower columns cannot hold: {{}}"
        ),
    }
}
