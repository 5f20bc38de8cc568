//! Pages of lists: keyset cursors, forwards and backwards.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{Datelike, NaiveDateTime};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoSimpleExpr, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, TryGetableMany, Value,
    prelude::Uuid,
    sea_query::{Asterisk, ExprTrait, NullOrdering, Order, Query, SelectStatement, UnionType},
};

use crate::database::{
    parents,
    rows::{self, ByPosition},
};

/// Rows of a page without `first` and `last`.
pub const DEFAULT_SIZE: u64 = 20;
/// The most rows of a page.
pub const LARGEST_SIZE: u64 = 100;

/// The years of times that both databases can compare with.
pub const STORABLE_YEARS: std::ops::RangeInclusive<i32> = -4000..=290_000;

/// A bad argument of a list; one sentence that says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPage(pub String);

/// Where in a list a row stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The list's order; a cursor of another one is refused.
    order: Arc<str>,
    /// The value of the sort key; `None` where it is null or the id is the key.
    key: Option<String>,
    /// The row, which tells apart rows with the same key.
    id: Uuid,
}

impl Cursor {
    /// The opaque text.
    pub fn encode(&self) -> String {
        let key = self.key.as_ref().map_or_else(String::new, |key| format!("={key}"));
        URL_SAFE_NO_PAD.encode(format!("{} {}{key}", self.order, self.id.simple()))
    }

    fn decode(text: &str, order: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (of, rest) = text.split_once(' ')?;
        let (id, key) = match rest.split_once('=') {
            Some((id, key)) => (id, Some(key.to_owned())),
            None => (rest, None),
        };
        (of == order).then_some(Self { order: order.into(), key, id: Uuid::try_parse(id).ok()? })
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    size: u64,
    backwards: bool,
    after: Option<Cursor>,
    before: Option<Cursor>,
}

impl Page {
    /// Checks the arguments of a list against the name of its order.
    pub fn new(
        first: Option<i32>,
        after: Option<&str>,
        last: Option<i32>,
        before: Option<&str>,
        order: &str,
    ) -> Result<Self, BadPage> {
        let size = |name: &str, wanted: i32| {
            u64::try_from(wanted).ok().filter(|size| *size <= LARGEST_SIZE).ok_or_else(|| {
                BadPage(format!("\"{name}\" is {wanted}; a number from 0 to {LARGEST_SIZE} is allowed."))
            })
        };
        let cursor = |name: &str, text: Option<&str>| {
            text.map(|text| {
                Cursor::decode(text, order).ok_or_else(|| {
                    BadPage(format!("\"{name}\" is not a cursor of this list; take one from its pages."))
                })
            })
            .transpose()
        };
        let (size, backwards) = match (first, last) {
            (Some(_), Some(_)) => {
                return Err(BadPage("\"first\" and \"last\" exclude each other; give one of them.".to_owned()));
            }
            (Some(first), None) => (size("first", first)?, false),
            (None, Some(last)) => (size("last", last)?, true),
            (None, None) => (DEFAULT_SIZE, before.is_some() && after.is_none()),
        };
        Ok(Self { size, backwards, after: cursor("after", after)?, before: cursor("before", before)? })
    }
}

/// A kind of sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A naive time.
    Time,
    /// A time with a zone.
    Instant,
    /// Text, in the order of the database's collation.
    Text,
    /// A whole number.
    Number,
}

/// The order of a list: by a key, which may be null and then counts as the largest, and by id.
#[derive(Clone, Debug)]
pub struct Ordering<E: EntityTrait> {
    /// The name in cursors.
    pub name: String,
    /// The key; `None` = by id alone.
    pub key: Option<(E::Column, KeyKind)>,
    /// The primary key.
    pub id: E::Column,
    /// From the largest to the smallest.
    pub descending: bool,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Slice<T> {
    /// Rows in the order of the list, each with its cursor.
    pub rows: Vec<(Cursor, T)>,
    /// Whether the list goes on after them.
    pub has_next: bool,
    /// Whether the list has rows before them.
    pub has_previous: bool,
}

impl<T> Slice<T> {
    /// A list without a row.
    pub const fn empty() -> Self {
        Self { rows: Vec::new(), has_next: false, has_previous: false }
    }

    /// The same part of a list of something else.
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Slice<U> {
        self.filter_map(|row| Some(change(row)))
    }

    /// The same part of a list of something else, without the rows of which nothing comes.
    pub fn filter_map<U>(self, change: impl Fn(T) -> Option<U>) -> Slice<U> {
        let rows = self.rows.into_iter().filter_map(|(cursor, row)| Some((cursor, change(row)?))).collect();
        Slice { rows, has_next: self.has_next, has_previous: self.has_previous }
    }
}

impl<E: EntityTrait> Ordering<E> {
    /// By id, ascending.
    pub fn by_id(id: E::Column) -> Self {
        Self { name: "id".to_owned(), key: None, id, descending: false }
    }

    /// Restricts a query to a page, with one row more to tell whether the list goes on.
    pub fn select(&self, query: Select<E>, page: &Page) -> Result<Select<E>, BadPage> {
        let descending = self.descending != page.backwards;
        let mut query = query.limit(page.size + 1);
        for (cursor, beyond) in [(&page.after, self.descending), (&page.before, !self.descending)] {
            if let Some(cursor) = cursor {
                query = query.filter(self.beyond(cursor, beyond)?);
            }
        }
        let order = if descending { Order::Desc } else { Order::Asc };
        if let Some((column, _)) = self.key {
            let nulls = if descending { NullOrdering::First } else { NullOrdering::Last };
            query = query.order_by_with_nulls(column, order.clone(), nulls);
        }
        Ok(query.order_by(self.id, order))
    }

    /// The rows below a cursor, or above it.
    fn beyond(&self, cursor: &Cursor, below: bool) -> Result<Condition, BadPage> {
        let id = if below { self.id.lt(cursor.id) } else { self.id.gt(cursor.id) };
        let Some((column, kind)) = self.key else { return Ok(Condition::all().add(id)) };
        let key = || column.into_simple_expr();
        Ok(match (&cursor.key, below) {
            (None, true) => Condition::any().add(column.is_not_null()).add(id),
            (None, false) => Condition::all().add(column.is_null()).add(id),
            // `key <= value` first: an index on the key can begin there.
            (Some(text), true) => {
                let value = key_value(kind, text)?;
                Condition::all().add(key().lte(value.clone())).add(Condition::any().add(key().lt(value)).add(id))
            }
            (Some(text), false) => {
                let value = key_value(kind, text)?;
                let same = Condition::all().add(key().eq(value.clone())).add(id);
                Condition::any().add(key().gt(value)).add(same).add(column.is_null())
            }
        })
    }

    /// Cuts what the query found to the page, in the order of the list.
    pub fn slice<T>(
        &self,
        page: &Page,
        mut found: Vec<T>,
        id: impl Fn(&T) -> Uuid,
        key: impl Fn(&T) -> Option<String>,
    ) -> Slice<T> {
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        let more = found.len() > size;
        found.truncate(size);
        if page.backwards {
            found.reverse();
        }
        let order: Arc<str> = self.name.as_str().into();
        let rows = found.into_iter().map(|row| {
            let cursor = Cursor { order: order.clone(), key: key(&row), id: id(&row) };
            (cursor, row)
        });
        let (has_next, has_previous) =
            if page.backwards { (page.before.is_some(), more) } else { (more, page.after.is_some()) };
        Slice { rows: rows.collect(), has_next, has_previous }
    }
}

/// Rows that belong to a parent each, and how they are told apart.
#[derive(Debug)]
pub struct Children<E: EntityTrait, K> {
    /// All of them.
    pub rows: Select<E>,
    /// The column that refers to the parent.
    pub parent: E::Column,
    /// What it holds.
    pub parent_of: fn(&E::Model) -> Option<Uuid>,
    /// What they are ordered by.
    pub place: fn(&E::Model) -> K,
    /// The id and the sort key of a cursor.
    pub cursor: fn(&E::Model) -> (Uuid, Option<String>),
}

/// The page of each parent's children.
pub type PagesByParent<E> = HashMap<Uuid, Slice<<E as EntityTrait>::Model>>;

/// The most parents of one statement: SQLite joins at most 500 SELECTs.
const MOST_PARENTS: usize = 200;

/// The same page of the children of many parents, in one statement; on SQLite in one for 200 parents.
pub async fn pages_of_children<E, K>(
    db: &impl ConnectionTrait,
    order: &Ordering<E>,
    children: &Children<E, K>,
    parents: &[Uuid],
    page: &Page,
) -> Result<Result<PagesByParent<E>, BadPage>, DbErr>
where
    E: EntityTrait<Model: ByPosition>,
    K: Ord,
{
    let statements = if db.get_database_backend() == DbBackend::Postgres {
        lateral(order, children, parents, page).map(|statement| vec![statement])
    } else {
        parents.chunks(MOST_PARENTS).map(|some| union(order, children, some, page)).collect()
    };
    let statements = match statements {
        Ok(statements) => statements,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut found: Vec<E::Model> = Vec::new();
    for statement in statements {
        found.extend(rows::all(db, &statement).await?);
    }
    let mut by_parent: HashMap<Uuid, Vec<E::Model>> = HashMap::new();
    for row in found {
        if let Some(parent) = (children.parent_of)(&row) {
            by_parent.entry(parent).or_default().push(row);
        }
    }
    let slices = parents.iter().map(|parent| {
        let mut rows = by_parent.remove(parent).unwrap_or_default();
        // A union promises no order.
        rows.sort_by_key(children.place);
        if order.descending != page.backwards {
            rows.reverse();
        }
        (*parent, order.slice(page, rows, |row| (children.cursor)(row).0, |row| (children.cursor)(row).1))
    });
    Ok(Ok(slices.collect()))
}

/// The children of each parent, by a subquery for each.
fn lateral<E: EntityTrait, K>(
    order: &Ordering<E>,
    children: &Children<E, K>,
    of: &[Uuid],
    page: &Page,
) -> Result<SelectStatement, BadPage> {
    let of_parent = parents::of_parent(children.rows.clone(), children.parent);
    Ok(parents::for_each(of, order.select(of_parent, page)?.into_query()))
}

/// The children of each parent, by a SELECT for each: SQLite has no LATERAL.
fn union<E: EntityTrait, K>(
    order: &Ordering<E>,
    children: &Children<E, K>,
    parents: &[Uuid],
    page: &Page,
) -> Result<SelectStatement, BadPage> {
    let mut union = Query::select();
    for (place, id) in parents.iter().enumerate() {
        let one = order.select(children.rows.clone().filter(children.parent.eq(*id)), page)?.into_query();
        // SQLite takes ORDER BY and LIMIT within a union only inside a subquery.
        let one = Query::select().column(Asterisk).from_subquery(one, "of_one_parent").to_owned();
        if place == 0 {
            union = one;
        } else {
            union.union(UnionType::All, one);
        }
    }
    Ok(union)
}

/// How many children each of these parents has, in one statement. Parents without any are left out.
pub async fn counts_of_children<E: EntityTrait>(
    db: &impl ConnectionTrait,
    children: Select<E>,
    parent: E::Column,
    of: &[Uuid],
) -> Result<HashMap<Uuid, u64>, DbErr> {
    let backend = db.get_database_backend();
    let counted = children.select_only().column(parent).column_as(parent.count(), "children").group_by(parent);
    let found = db.query_all(&parents::grouped(counted, parent, of, backend)).await?;
    let counts = found.iter().map(|row| {
        let (parent, count) = <(Uuid, i64)>::try_get_many_by_index(row)?;
        Ok((parent, u64::try_from(count).unwrap_or_default()))
    });
    counts.collect()
}

/// A time as a cursor holds it.
pub fn time_key(time: NaiveDateTime) -> String {
    time.and_utc().timestamp_micros().to_string()
}

fn key_value(kind: KeyKind, text: &str) -> Result<Value, BadPage> {
    let damaged = || BadPage("The cursor is damaged; take one from the pages of this list.".to_owned());
    match kind {
        // No stored text holds a NUL.
        KeyKind::Text if text.contains('\0') => Err(damaged()),
        KeyKind::Text => Ok(text.into()),
        KeyKind::Number => text.parse::<i32>().map(Value::from).map_err(|_| damaged()),
        KeyKind::Time | KeyKind::Instant => text
            .parse()
            .ok()
            .and_then(chrono::DateTime::from_timestamp_micros)
            .filter(|time| STORABLE_YEARS.contains(&time.year()))
            .map(|time| if kind == KeyKind::Time { time.naive_utc().into() } else { time.into() })
            .ok_or_else(damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_only_by_its_own_list() {
        for key in [None, Some(String::new()), Some("a=b c".to_owned())] {
            let cursor = Cursor { order: "name".into(), key, id: Uuid::now_v7() };
            assert_eq!(Cursor::decode(&cursor.encode(), "name"), Some(cursor.clone()));
            assert_eq!(Cursor::decode(&cursor.encode(), "status"), None);
        }
        assert_eq!(Cursor::decode("%%%", "name"), None);
    }

    #[test]
    fn sizes_beyond_the_limits_and_both_directions_are_refused() {
        assert!(Page::new(Some(101), None, None, None, "id").is_err());
        assert!(Page::new(Some(-1), None, None, None, "id").is_err());
        assert!(Page::new(Some(1), None, Some(1), None, "id").is_err());
        assert!(Page::new(None, Some("x"), None, None, "id").is_err());
        assert_eq!(Page::new(None, None, None, None, "id").map(|page| page.size), Ok(DEFAULT_SIZE));
    }
}
