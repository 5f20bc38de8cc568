//! `artifact_store`: the id of the store that holds the files of this database. One row, or none before its first use.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "artifact_store")]
pub struct Model {
    /// 1: there is one store.
    #[sea_orm(primary_key, auto_increment = false)]
    pub place: i32,
    /// The id that the store bears.
    pub id: Uuid,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
