//! What is copied, and in which order: the tables that migrations make, with their columns as the target has them.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::place;
use crate::{
    BOOKKEEPING, Error, MIGRATIONS, catalogue,
    m0001_adopt_tables::MADE_TABLES,
    step::{Done, Facts, Object},
};

/// A table that is copied.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns in the target's order.
    pub columns: Vec<Column>,
    /// The places of the columns of its primary key.
    pub key: Vec<usize>,
}

/// A column that is copied.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as PostgreSQL's `format_type` writes it.
    pub kind: String,
    /// Whether it refers to rows that are copied after its own, so that it is filled in afterwards.
    pub later: bool,
}

/// A column that refers to a row of a table.
#[derive(Clone, Debug)]
struct Reference {
    table: String,
    column: String,
    to: String,
    required: bool,
}

/// The names of the tables that migrations make. Which of them Joblink made is a fact of each database by itself.
pub fn names() -> BTreeSet<&'static str> {
    let steps = MIGRATIONS.iter().flat_map(|migration| (migration.up)(&Facts::default()));
    steps
        .filter_map(|step| match step.done {
            Done::Present(Object::Table(table)) if table != MADE_TABLES => Some(table),
            _ => None,
        })
        .collect()
}

/// Tables of a database that are not copied, because they are not Joblink's.
pub async fn strangers(db: &DatabaseConnection) -> Result<Vec<String>, Error> {
    let (ours, existing) = (names(), catalogue::facts(db).await?.existing);
    let known = |table: &str| {
        ours.contains(table) || BOOKKEEPING.contains(&table) || [MADE_TABLES, place::TABLE].contains(&table)
    };
    Ok(existing.into_iter().filter(|table| !known(table)).collect())
}

/// The tables, each before those that refer to it.
pub async fn all(source: &DatabaseConnection, target: &DatabaseConnection) -> Result<Vec<Table>, Error> {
    let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for [table, name, kind] in triples(target, COLUMNS).await? {
        columns.entry(table).or_default().push(Column { name, kind, later: false });
    }
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for [table, name, _] in triples(target, KEYS).await? {
        keys.entry(table).or_default().push(name);
    }
    let references = references(target).await?;
    let mut tables = Vec::new();
    for (name, later) in in_order(names(), &references)? {
        let theirs = catalogue::columns(source, &name).await?;
        let mut columns = columns.remove(&name).unwrap_or_default();
        let ours: BTreeSet<_> = columns.iter().map(|column| column.name.clone()).collect();
        let lacking: Vec<_> = theirs.difference(&ours).map(String::as_str).collect();
        if !lacking.is_empty() {
            return Err(Error::Refused(format!(
                "the source's table {name} has columns that the target's lacks ({}); add them there, then run this again",
                lacking.join(", ")
            )));
        }
        columns.retain(|column| theirs.contains(&column.name));
        for column in &mut columns {
            column.later = later.contains(&column.name);
        }
        let key = keys.remove(&name).unwrap_or_default();
        let place = |name: &String| columns.iter().position(|column| column.name == *name);
        let Some(key) = key.iter().map(place).collect::<Option<Vec<_>>>().filter(|key| !key.is_empty()) else {
            return Err(Error::Refused(format!(
                "the target's table {name} has no primary key, so it is not Joblink's"
            )));
        };
        tables.push(Table { name, columns, key });
    }
    Ok(tables)
}

const COLUMNS: &str = "
    SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attgenerated = ''
    ORDER BY c.relname, a.attnum";
const KEYS: &str = "
    SELECT c.relname::text, a.attname::text, ''
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE c.relnamespace = current_schema()::regnamespace AND i.indisprimary
    ORDER BY c.relname, k.place";
const REFERENCES: &str = "
    SELECT c.relname::text, a.attname::text, t.relname::text, a.attnotnull
    FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (f.conkey)
    WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace";

async fn triples(db: &DatabaseConnection, sql: &str) -> Result<Vec<[String; 3]>, Error> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let triple =
        rows.iter().map(|row| Ok([row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?]));
    triple.collect()
}

async fn references(db: &DatabaseConnection) -> Result<Vec<Reference>, Error> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), REFERENCES)).await?;
    rows.iter()
        .map(|row| {
            Ok(Reference {
                table: row.try_get_by_index(0)?,
                column: row.try_get_by_index(1)?,
                to: row.try_get_by_index(2)?,
                required: row.try_get_by_index(3)?,
            })
        })
        .collect()
}

/// Each table before those that refer to it; where tables refer to each other in a circle, with the columns that have to
/// wait until all rows are there.
fn in_order(names: BTreeSet<&'static str>, references: &[Reference]) -> Result<Vec<(String, BTreeSet<String>)>, Error> {
    let mut left = names;
    let mut order = Vec::new();
    while !left.is_empty() {
        let open = |table: &str| -> Vec<&Reference> {
            references.iter().filter(|one| one.table == table && left.contains(one.to.as_str())).collect()
        };
        let possible = left.iter().map(|table| (*table, open(table)));
        let possible = possible.filter(|(_, open)| open.iter().all(|one| !one.required));
        let Some((table, open)) = possible.min_by_key(|(_, open)| open.len()) else {
            let left: Vec<_> = left.into_iter().collect();
            return Err(Error::Failed(format!("tables need each other's rows first: {}", left.join(", "))));
        };
        order.push((table.to_owned(), open.into_iter().map(|one| one.column.clone()).collect()));
        left.remove(table);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(names: &[&'static str], references: &[(&str, &str, &str, bool)]) -> Result<String, Error> {
        let reference = |(table, column, to, required): &(&str, &str, &str, bool)| Reference {
            table: (*table).to_owned(),
            column: (*column).to_owned(),
            to: (*to).to_owned(),
            required: *required,
        };
        let references: Vec<_> = references.iter().map(reference).collect();
        let order = in_order(names.iter().copied().collect(), &references)?;
        let table = |(name, later): (String, BTreeSet<String>)| match later.into_iter().collect::<Vec<_>>().join("+") {
            later if later.is_empty() => name,
            later => format!("{name}-{later}"),
        };
        Ok(order.into_iter().map(table).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn tables_come_before_those_that_refer_to_them() {
        let references = [("a", "b_id", "b", true), ("b", "c_id", "c", false)];
        assert_eq!(order(&["a", "b", "c"], &references).as_deref().ok(), Some("c b a"));
    }

    #[test]
    fn a_circle_is_opened_where_a_column_can_wait() {
        let references = [
            ("tenants", "created_by", "users", false),
            ("organizations", "created_by", "users", false),
            ("organizations", "tenant_id", "tenants", false),
            ("users", "organization_id", "organizations", false),
            ("users", "tenant_id", "tenants", false),
            ("jobs", "user_id", "users", true),
        ];
        let names = ["jobs", "organizations", "tenants", "users"];
        let wanted = "tenants-created_by organizations-created_by users jobs";
        assert_eq!(order(&names, &references).as_deref().ok(), Some(wanted));
        assert_eq!(order(&["a"], &[("a", "parent", "a", false)]).as_deref().ok(), Some("a-parent"));
    }

    #[test]
    fn a_circle_of_required_columns_is_no_order() {
        let references = [("a", "b_id", "b", true), ("b", "a_id", "a", true)];
        assert!(order(&["a", "b"], &references).is_err());
    }
}
