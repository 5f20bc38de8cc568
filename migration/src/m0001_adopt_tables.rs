//! Adopts the tables of an existing installation, or makes the ones that are missing.
//!
//! Which ones were made is recorded, in the transaction that makes them, because only those may ever be dropped.

use crate::{
    Migration,
    adopted::{AdoptedTable, TABLES},
    step::{Done, Facts, Level, Mode, Object, Step, Work, for_sqlite},
};

pub const NAME: &str = "m0001_adopt_tables";
/// The table that records which adopted tables Joblink made.
pub const MADE_TABLES: &str = "joblink_made_tables";

pub const MIGRATION: Migration = Migration { name: NAME, up, down };

fn up(facts: &Facts) -> Vec<Step> {
    let record = Step::create_table(
        MADE_TABLES,
        &[&format!("CREATE TABLE {MADE_TABLES} (name text NOT NULL PRIMARY KEY, made_at timestamptz NOT NULL)")],
    );
    let ours = |table: &&AdoptedTable| !facts.existing.contains(table.name) || facts.made.contains(table.name);
    let tables = TABLES.iter().filter(ours).map(create);
    // PostgreSQL needs the tables first: users, tenants and organizations refer to each other.
    let keys = TABLES.iter().filter(ours).flat_map(foreign_keys);
    std::iter::once(record).chain(tables).chain(keys).collect()
}

fn down(facts: &Facts) -> Vec<Step> {
    let made: Vec<_> = TABLES.iter().filter(|table| facts.made.contains(table.name)).collect();
    let drop_keys = made.iter().flat_map(|table| {
        table.foreign_keys.iter().map(|(column, target)| {
            let name = key_name(table.name, column);
            Step::new(
                &[&format!("ALTER TABLE {} DROP CONSTRAINT {name}", table.name)],
                Done::Absent(Object::Constraint(table.name, name.clone())),
            )
            .on_postgres_only()
            .locking(Level::AccessExclusive, Work::Catalogue, &[table.name, target])
        })
    });
    let drop_tables = made.iter().rev().map(|table| Step {
        // SQLite checks references row by row when a table is dropped, and these refer to each other.
        mode: Mode::OutsideOnSqlite,
        sqlite: vec![
            "PRAGMA foreign_keys = OFF".to_owned(),
            format!("DROP TABLE {}", table.name),
            "PRAGMA foreign_keys = ON".to_owned(),
        ],
        ..Step::drop_table(table.name)
    });
    drop_keys.chain(drop_tables).chain([Step::drop_table(MADE_TABLES)]).collect()
}

fn key_name(table: &str, column: &str) -> String {
    format!("{table}_{column}_fkey")
}

fn create(table: &AdoptedTable) -> Step {
    let name = table.name;
    let columns = table.columns.join(", ");
    let references: String = table
        .foreign_keys
        .iter()
        .map(|(column, target)| format!(", FOREIGN KEY ({column}) REFERENCES {target} (id)"))
        .collect();
    let indexes = table.indexes.iter().map(|(index, unique, on)| {
        format!("CREATE {}INDEX {index} ON {name} ({on})", if *unique { "UNIQUE " } else { "" })
    });
    let mut postgres = vec![format!("CREATE TABLE {name} ({columns}, CONSTRAINT {name}_pkey PRIMARY KEY (id))")];
    let mut sqlite = vec![for_sqlite(&format!("CREATE TABLE {name} ({columns}, PRIMARY KEY (id){references})"))];
    for index in indexes {
        postgres.push(index.clone());
        sqlite.push(index);
    }
    postgres.push(format!("INSERT INTO {MADE_TABLES} VALUES ('{name}', now())"));
    sqlite.push(format!("INSERT INTO {MADE_TABLES} VALUES ('{name}', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'))"));
    Step {
        postgres,
        sqlite,
        mode: Mode::Transaction,
        locks: Vec::new(),
        done: Done::Present(Object::Table(name)),
        guards: Vec::new(),
    }
}

fn foreign_keys(table: &'static AdoptedTable) -> impl Iterator<Item = Step> {
    table.foreign_keys.iter().map(|(column, target)| {
        let name = key_name(table.name, column);
        Step::new(
            &[&format!(
                "ALTER TABLE {} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {target} (id)",
                table.name
            )],
            Done::Present(Object::Constraint(table.name, name.clone())),
        )
        .on_postgres_only()
        .locking(Level::ShareRowExclusive, Work::Scan, &[table.name, target])
    })
}
