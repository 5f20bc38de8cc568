//! The purge of a job that was active when it was deleted looks once more after its worker has surely stopped writing.

use crate::{Migration, step::Step};

const TABLE: &str = "artifact_purges";
const COLUMN: &str = "settles_at";

pub const MIGRATION: Migration = Migration {
    name: "m0018_purge_settles",
    up: |_| vec![Step::add_column(TABLE, COLUMN, "timestamptz")],
    down: |_| vec![Step::drop_column(TABLE, COLUMN)],
};
