//! Lists of companies.

use entity::company;
use sea_orm::{Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, Select};

use crate::{
    auth::Viewer,
    jobs::list::contains,
    paging::{BadPage, Ordering, Page, Slice},
};

#[expect(clippy::ref_option, reason = "the filter of a list, like the others")]
/// The companies that a caller sees, whose symbol or name contains a text.
fn query(viewer: &Viewer, search: &Option<String>) -> Select<company::Entity> {
    let matching = search.as_ref().map(|text| {
        Condition::any().add(contains(company::Column::Symbol, text)).add(contains(company::Column::Name, text))
    });
    company::Entity::find().filter(viewer.sees_company()).filter(Condition::all().add_option(matching))
}

/// A page of companies, by id.
pub async fn page(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    search: &Option<String>,
    page: &Page,
) -> Result<Result<Slice<company::Model>, BadPage>, DbErr> {
    let order = Ordering::<company::Entity>::by_id(company::Column::Id);
    let query = match order.select(query(viewer, search), page) {
        Ok(query) => query,
        Err(bad) => return Ok(Err(bad)),
    };
    Ok(Ok(order.slice(page, query.all(db).await?, |row| row.id, |_| None)))
}

/// How many there are in all.
pub async fn count(db: &impl ConnectionTrait, viewer: &Viewer, search: &Option<String>) -> Result<u64, DbErr> {
    query(viewer, search).count(db).await
}
