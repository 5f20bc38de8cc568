//! What is asked of a database: the rows of a table, in columns whose order is the target's.

use sea_orm_migration::sea_orm::DbBackend;

use super::{
    kind::Kind,
    tables::{Column, Table},
};
use crate::Error;

/// Which rows and columns of a table are read.
#[derive(Clone, Copy, Debug)]
pub enum Pass<'a> {
    /// The rows behind a key, in the order of keys; columns that are filled in afterwards are empty.
    First {
        /// The key, as it was read.
        after: Option<&'a [String]>,
    },
    /// The key and the columns that are filled in afterwards, of rows that have something there.
    Later,
    /// All of them, in any order.
    Whole,
}

impl Table {
    /// The columns that a pass reads, in order.
    pub fn columns_of(&self, pass: Pass<'_>) -> Vec<&Column> {
        match pass {
            Pass::First { .. } | Pass::Whole => self.columns.iter().collect(),
            Pass::Later => self.key_columns().chain(self.columns.iter().filter(|column| column.later)).collect(),
        }
    }

    /// The columns of the primary key, in its order.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().map(|place| &self.columns[*place])
    }

    /// Its name as SQL writes it.
    pub fn quoted(&self) -> String {
        quoted(&self.name)
    }

    /// The query of a pass.
    pub fn select(&self, backend: DbBackend, pass: Pass<'_>) -> Result<String, Error> {
        let waits = |column: &Column| column.later && matches!(pass, Pass::First { .. });
        let cell = |column: &Column| if waits(column) { "NULL".to_owned() } else { quoted(&column.name) };
        let cells: Vec<_> = self.columns_of(pass).into_iter().map(cell).collect();
        let select = format!("SELECT {} FROM {}", cells.join(", "), self.quoted());
        let key = list(self.key_columns().map(|column| quoted(&column.name)));
        Ok(match pass {
            Pass::Whole => select,
            Pass::Later => {
                let later = self.columns.iter().filter(|column| column.later);
                let any: Vec<_> = later.map(|column| format!("{} IS NOT NULL", quoted(&column.name))).collect();
                format!("{select} WHERE {}", any.join(" OR "))
            }
            Pass::First { after: None } => format!("{select} ORDER BY {key}"),
            Pass::First { after: Some(after) } => {
                let literals =
                    self.key_columns().zip(after).map(|(column, value)| self.literal(backend, column, value));
                let after = literals.collect::<Result<Vec<_>, _>>()?;
                format!("{select} WHERE ({key}) > ({}) ORDER BY {key}", after.join(", "))
            }
        })
    }

    fn literal(&self, backend: DbBackend, column: &Column, value: &str) -> Result<String, Error> {
        if backend != DbBackend::Sqlite {
            return Ok(format!("'{}'::{}", value.replace('\'', "''"), column.kind));
        }
        let literal = self.kind(column)?.literal(value);
        literal.ok_or_else(|| Error::Failed(format!("the key {value} of {} cannot be looked up in SQLite", self.name)))
    }

    /// The type of a column, for values of SQLite.
    pub fn kind(&self, column: &Column) -> Result<Kind, Error> {
        Kind::parse(&column.kind).ok_or_else(|| {
            Error::Refused(format!(
                "the column {} of {} is of the type {}, whose values are not copied from SQLite",
                column.name, self.name, column.kind
            ))
        })
    }
}

/// A name as SQL writes it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names with commas between them.
pub fn list(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
