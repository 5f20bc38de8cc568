//! What one statement asks of the rows of many parents.
//!
//! Told to group the rows of a hundred parents, PostgreSQL expects a good part of the table and reads all of it. Asked for
//! each parent by itself, it goes by the index, however large the table is.

use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, IntoSimpleExpr, QueryFilter, QueryTrait, Select,
    prelude::Uuid,
    sea_query::{Asterisk, Expr, ExprTrait, Func, JoinType, Query, SelectStatement},
};

/// Parents and children in one statement.
const PARENT: &str = "parent";
const CHILD: &str = "child";

/// Rows of the parent at hand, inside of [`for_each`].
pub fn of_parent<E: EntityTrait>(rows: Select<E>, parent: E::Column) -> Select<E> {
    rows.filter(parent.into_simple_expr().eq(Expr::col((PARENT, PARENT))))
}

/// Runs a query for each parent, on PostgreSQL. One text, however many parents there are, so that it stays prepared.
pub fn for_each(parents: &[Uuid], of_one: SelectStatement) -> SelectStatement {
    Query::select()
        .expr(Expr::col((CHILD, Asterisk)))
        .from_function(Func::cust("unnest").arg(Expr::val(parents.to_vec())), PARENT)
        .join_lateral(JoinType::InnerJoin, of_one, CHILD, Condition::all())
        .to_owned()
}

/// A query that is grouped by the parent, and perhaps by more, over the rows of these parents.
pub fn grouped<E: EntityTrait>(
    rows: Select<E>,
    parent: E::Column,
    parents: &[Uuid],
    backend: DbBackend,
) -> SelectStatement {
    if backend == DbBackend::Postgres {
        for_each(parents, of_parent(rows, parent).into_query())
    } else {
        rows.filter(parent.is_in(parents.iter().copied())).into_query()
    }
}
