//! Lists by the cursor connections specification.

use std::{borrow::Cow, hash::Hash};

use async_graphql::{Context, Object, Result, TypeName};
use futures_util::future::BoxFuture;

use super::{
    batch::Loader,
    failure::placed,
    loaders::{Loaders, Reader, Shared},
    scalars::int,
    shown::{Many, One, Shown},
};
use crate::paging::{BadPage, Cursor, Slice};

/// Counts the whole list; asked only when `totalCount` is selected.
type Total = Box<dyn Fn() -> BoxFuture<'static, Result<u64>> + Send + Sync>;

/// A part of a list.
pub struct Connection<T> {
    edges: Vec<Edge<T>>,
    has_next: bool,
    has_previous: bool,
    total: Total,
}

/// An item of a list and its place in it.
pub struct Edge<T> {
    cursor: Cursor,
    /// The item.
    pub(super) node: T,
}

impl<T> Connection<T> {
    /// A part of a list whose rows are shown as `T`.
    pub fn new<Row>(
        slice: Slice<Row>,
        show: impl Fn(Row) -> T,
        total: impl Fn() -> BoxFuture<'static, Result<u64>> + Send + Sync + 'static,
    ) -> Self {
        let edges = slice.rows.into_iter().map(|(cursor, row)| Edge { cursor, node: show(row) });
        Self {
            edges: edges.collect(),
            has_next: slice.has_next,
            has_previous: slice.has_previous,
            total: Box::new(total),
        }
    }
}

/// A part of what belongs to one parent, read together with those of other parents.
pub async fn of_parent<K, C, Row, T>(
    ctx: &Context<'_>,
    page: K,
    count: C,
    show: impl Fn(Row) -> T,
) -> Result<Connection<T>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    C: Send + Sync + Hash + Eq + Clone + 'static,
    Row: Send + Sync + Clone + 'static,
    Reader: Loader<K, Value = Result<Slice<Row>, BadPage>, Error = Shared> + Loader<C, Value = u64, Error = Shared>,
{
    let loaders = ctx.data::<Loaders>()?.clone();
    let slice = loaders.load_one(page).await?.unwrap_or_else(|| Ok(Slice::empty()))?;
    Ok(Connection::new(slice, show, move || {
        let (loaders, count) = (loaders.clone(), count.clone());
        Box::pin(async move { Ok(loaders.load_one(count).await?.unwrap_or_default()) })
    }))
}

impl<T: Shown> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

impl<T: Shown> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

/// Where in a list a page stands.
#[derive(async_graphql::SimpleObject)]
pub struct PageInfo {
    /// Whether the list goes on after this page; paging backwards: whether `before` was given.
    has_next_page: bool,
    /// Whether the list has items before this page; paging forwards: whether `after` was given.
    has_previous_page: bool,
    /// The cursor of the first item; null on an empty page.
    start_cursor: Option<String>,
    /// The cursor of the last item; null on an empty page.
    end_cursor: Option<String>,
}

/// A page of a list.
#[Object(name_type)]
impl<T: Shown> Connection<T> {
    /// The items with their cursors.
    async fn edges(&self) -> Many<'_, Edge<T>> {
        Many(self.edges.iter().collect())
    }

    /// The items.
    async fn nodes(&self) -> Many<'_, T> {
        Many(self.edges.iter().map(|edge| &edge.node).collect())
    }

    /// Where in the list this page stands.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: self.has_previous,
            start_cursor: self.edges.first().map(|edge| edge.cursor.encode()),
            end_cursor: self.edges.last().map(|edge| edge.cursor.encode()),
        }
    }

    /// How many items the whole list has. Counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(int((self.total)().await.map_err(placed(ctx))?))
    }
}

/// An item of a list.
#[Object(name_type)]
impl<T: Shown> Edge<T> {
    /// The item's place in the list, for `after` and `before`. Opaque.
    async fn cursor(&self) -> String {
        self.cursor.encode()
    }

    /// The item.
    async fn node(&self) -> One<&T> {
        One(&self.node)
    }
}
