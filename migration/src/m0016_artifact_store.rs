//! Which artifact store holds the files of this database: an empty or a strange one is told from it.

use crate::{Migration, step::Step};

const TABLE: &str = "artifact_store";

pub const MIGRATION: Migration = Migration {
    name: "m0016_artifact_store",
    up: |_| {
        vec![Step::create_table(
            TABLE,
            &["CREATE TABLE artifact_store (
            place integer NOT NULL PRIMARY KEY,
            id uuid NOT NULL
        )"],
        )]
    },
    down: |_| vec![Step::drop_table(TABLE)],
};
