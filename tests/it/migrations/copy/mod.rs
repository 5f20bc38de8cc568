//! `migration copy`: everything goes from SQLite to PostgreSQL, once, whatever happens on the way.

mod contents;
mod different;
mod filled;
mod killed;
mod refused;
mod used;
mod whole;

use super::{
    program::{Ended, Running, run, start},
    site::Site,
};

/// Runs `migration copy` to its end.
pub async fn copy(from: &str, to: &str, more: &[&str]) -> Ended {
    run("migration", "", &arguments(from, to, more)).await
}

/// The same, which must succeed.
#[track_caller]
pub fn copied(ended: Ended) -> Ended {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended
}

/// Starts `migration copy`.
pub fn begin(from: &str, to: &str, more: &[&str]) -> Running {
    start("migration", "", &arguments(from, to, more))
}

fn arguments<'a>(from: &'a str, to: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["copy", "--from", from, "--to", to], more].concat()
}

impl Site {
    /// Whether a copy into it has not ended.
    pub async fn is_unfinished(&self) -> bool {
        migration::copy::is_unfinished(&self.db).await.unwrap()
    }
}
