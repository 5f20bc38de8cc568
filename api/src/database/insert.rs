//! Storing rows: one, or many at once.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ColumnType, ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic,
    IntoActiveModel, Iterable, ModelTrait, Statement, Value,
};

/// The most rows of one INSERT on SQLite, whose statements take at most 32,766 values.
const SQLITE_INSERT_ROWS: usize = 1000;

/// Stores a row, and does not read it back.
pub async fn insert_row<M>(db: &impl ConnectionTrait, row: M) -> Result<(), DbErr>
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: Send,
{
    let row = row.into_active_model().reset_all();
    <M::Entity as EntityTrait>::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Stores many rows of a table with a key: as an array for each column in which they differ on PostgreSQL, in statements of
/// many rows on SQLite.
pub async fn insert_rows<E>(db: &impl ConnectionTrait, rows: Vec<E::Model>) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E> + IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    if rows.is_empty() {
        return Ok(());
    }
    if db.get_database_backend() == DbBackend::Sqlite {
        let mut rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).peekable();
        while rows.peek().is_some() {
            let some: Vec<_> = rows.by_ref().take(SQLITE_INSERT_ROWS).collect();
            E::insert_many(some).exec_without_returning(db).await?;
        }
        return Ok(());
    }
    let (mut names, mut selected, mut arrays, mut given) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut values = Vec::new();
    for column in E::Column::iter() {
        let kind = postgres_type(column.def().get_column_type())?;
        let name = format!("\"{}\"", column.as_str());
        let cells: Vec<Value> = rows.iter().map(|row| row.get(column)).collect();
        let place = values.len() + 1;
        if cells.iter().all(|cell| *cell == cells[0]) {
            // One value serves all rows; as a query of its own it is read once.
            selected.push(format!("(SELECT (${place}::text::{kind}[])[1])"));
            values.push(Value::from(array_literal(cells.into_iter().take(1))?));
        } else {
            selected.push(format!("given.{name}"));
            arrays.push(format!("${place}::text::{kind}[]"));
            given.push(name.clone());
            values.push(Value::from(array_literal(cells.into_iter())?));
        }
        names.push(name);
    }
    // Of a single row every column is alike.
    let from = if arrays.is_empty() {
        String::new()
    } else {
        format!(" FROM UNNEST({}) AS given ({})", arrays.join(", "), given.join(", "))
    };
    let table = E::default();
    let sql =
        format!("INSERT INTO \"{}\" ({}) SELECT {}{from}", table.table_name(), names.join(", "), selected.join(", "));
    db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?;
    Ok(())
}

/// The type of a column by the name that PostgreSQL knows.
fn postgres_type(column: &ColumnType) -> Result<&'static str, DbErr> {
    Ok(match column {
        ColumnType::Uuid => "uuid",
        ColumnType::String(_) | ColumnType::Text => "text",
        ColumnType::Decimal(_) => "numeric",
        ColumnType::DateTime => "timestamp",
        ColumnType::TimestampWithTimeZone => "timestamptz",
        ColumnType::Integer => "integer",
        other => return Err(DbErr::Type(format!("no array of {other:?}"))),
    })
}

/// Values as PostgreSQL writes an array (its documentation, 8.15.6). The driver's own arrays hold no nulls.
fn array_literal(values: impl Iterator<Item = Value>) -> Result<String, DbErr> {
    use std::fmt::Write as _;
    let mut literal = String::from("{");
    for value in values {
        if literal.len() > 1 {
            literal.push(',');
        }
        // Writing to a String cannot fail.
        _ = match value {
            Value::Uuid(Some(id)) => write!(literal, "{id}"),
            Value::Decimal(Some(number)) => write!(literal, "{number}"),
            Value::Int(Some(number)) => write!(literal, "{number}"),
            Value::ChronoDateTime(Some(time)) => write!(literal, "\"{time}\""),
            Value::ChronoDateTimeUtc(Some(time)) => write!(literal, "\"{}\"", time.to_rfc3339()),
            Value::String(Some(text)) => {
                literal.push('"');
                for char in text.chars() {
                    if matches!(char, '"' | '\\') {
                        literal.push('\\');
                    }
                    literal.push(char);
                }
                literal.push('"');
                Ok(())
            }
            Value::Uuid(None)
            | Value::Decimal(None)
            | Value::Int(None)
            | Value::ChronoDateTime(None)
            | Value::ChronoDateTimeUtc(None)
            | Value::String(None) => {
                literal.push_str("NULL");
                Ok(())
            }
            other => return Err(DbErr::Type(format!("no array of {other:?}"))),
        };
    }
    literal.push('}');
    Ok(literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_literals_quote_what_has_a_meaning_in_them() {
        let texts = [Some("plain"), None, Some(""), Some("NULL"), Some("a,{b}"), Some("\"q\" \\ ")];
        let values = texts.map(|text| Value::String(text.map(ToOwned::to_owned)));
        let literal = array_literal(values.into_iter()).expect("an array");
        assert_eq!(literal, r#"{"plain",NULL,"","NULL","a,{b}","\"q\" \\ "}"#);
    }
}
