//! All that a database holds, value by value, as the driver reads it: by another way than the copy.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, QueryResult, Statement, TryGetable,
    prelude::{Decimal, Uuid},
};

use crate::migrations::site::Site;

/// The columns of each table, with the types that PostgreSQL has for them.
pub type Columns = BTreeMap<String, Vec<(String, String)>>;

/// Tables that tell of their own database, and are not copied.
const OWN: [&str; 3] = ["joblink_made_tables", "joblink_migration_checksums", "joblink_migration_lock"];

/// The columns of a migrated PostgreSQL.
pub async fn columns(site: &Site) -> Columns {
    let sql = "SELECT table_name || ' ' || column_name || ' ' || data_type FROM information_schema.columns \
               WHERE table_schema = current_schema()";
    let mut columns = Columns::new();
    for line in site.strings(sql).await {
        let mut words = line.splitn(3, ' ').map(ToOwned::to_owned);
        let (table, column, kind) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        if table != "seaql_migrations" && !OWN.contains(&table.as_str()) {
            columns.entry(table).or_default().push((column, kind));
        }
    }
    columns
}

/// Every row of every table, in order.
pub async fn contents(db: &DatabaseConnection, columns: &Columns) -> BTreeMap<String, Vec<String>> {
    let mut contents = BTreeMap::new();
    for (table, columns) in columns {
        let names: Vec<_> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let sql = format!("SELECT {} FROM {table}", names.join(", "));
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let mut rows: Vec<_> = rows.iter().map(|row| told(row, columns)).collect();
        rows.sort();
        contents.insert(table.clone(), rows);
    }
    contents
}

fn told(row: &QueryResult, columns: &[(String, String)]) -> String {
    let values = columns.iter().enumerate().map(|(place, (name, kind))| {
        let value = match kind.as_str() {
            "uuid" => value::<Uuid>(row, place),
            "text" | "character varying" => value::<String>(row, place),
            "integer" => value::<i32>(row, place),
            "bigint" => value::<i64>(row, place),
            "boolean" => value::<bool>(row, place),
            "numeric" => {
                let number: Option<Decimal> = row.try_get_by_index(place).unwrap();
                format!("{:?}", number.map(|number| number.normalize()))
            }
            "timestamp without time zone" => value::<NaiveDateTime>(row, place),
            "timestamp with time zone" => value::<chrono::DateTime<Utc>>(row, place),
            other => panic!("{name} is of the type {other}"),
        };
        format!("{name}={value}")
    });
    values.collect::<Vec<_>>().join(" ")
}

fn value<T: TryGetable + std::fmt::Debug>(row: &QueryResult, place: usize) -> String {
    format!("{:?}", row.try_get_by_index::<Option<T>>(place).unwrap())
}

/// Fails unless both databases hold the same.
pub async fn same(source: &DatabaseConnection, target: &Site) {
    let columns = columns(target).await;
    let (theirs, ours) = (contents(source, &columns).await, contents(&target.db, &columns).await);
    for (table, rows) in &theirs {
        let (left, right): (Vec<_>, Vec<_>) =
            rows.iter().zip(&ours[table]).find(|(left, right)| left != right).into_iter().unzip();
        assert_eq!(left, right, "{table}");
        assert_eq!(ours[table].len(), rows.len(), "{table}");
    }
    assert_eq!(ours.len(), theirs.len());
}
