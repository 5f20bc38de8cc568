//! `row_errors`: rows of input files that were not stored.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "row_errors")]
pub struct Model {
    /// The job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    /// The line of the file at which the row begins; the header is line 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i32,
    /// The column at fault, where there is one.
    pub column_name: Option<String>,
    /// A stored [`crate::stored::RowErrorCode`].
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
