//! What differs is found, named, and an error.

use tests::Engine;

use super::{begin, contents, copied, copy, filled::filled};
use crate::migrations::{
    program::Ended,
    site::{Site, run, until},
};

/// What was changed in the target's table, and back.
const PLANTED: [(&str, &str, &str); 7] = [
    ("annual_predictions", "SET confidence = confidence + 0.0001", "SET confidence = confidence - 0.0001"),
    (
        "bulk_upload_jobs",
        "SET created_at = created_at + interval '1 microsecond'",
        "SET created_at = created_at - interval '1 microsecond'",
    ),
    ("job_events", "SET at = at - interval '1 microsecond'", "SET at = at + interval '1 microsecond'"),
    ("companies", "SET name = name || ' '", "SET name = left(name, -1)"),
    ("users", "SET is_active = NULL", "SET is_active = TRUE"),
    ("row_errors", "SET line = line + 1", "SET line = line - 1"),
    ("deletion_receipts", "SET reason = NULL", ""),
];

#[track_caller]
fn differs(ended: &Ended, tables: &str) {
    assert_eq!(ended.code, 1, "{ended:?}");
    let what = format!("migration: the source and the target differ in the {tables}; ");
    let next = "stop whatever writes to either of them, empty the target with `migration fresh --database-url TARGET`, and \
                copy again\n";
    assert!(ended.err.contains(&what) && ended.err.ends_with(next), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_value_that_differs_is_found() {
    let (source, target) = (filled().await, Site::made(Engine::Postgres).await);
    copied(copy(&source.url, &target.url, &[]).await);
    for (table, there, back) in PLANTED {
        let one = format!("WHERE ctid = (SELECT min(ctid) FROM {table})");
        target.run(&format!("UPDATE {table} {there} {one}")).await;
        let ended = copy(&source.url, &target.url, &["--verify"]).await;
        differs(&ended, &format!("table {table}"));
        // Nobody is told to empty a database on which others work by now.
        assert!(
            ended.err.contains("; unless a server has worked on the target since it was copied, stop "),
            "{ended:?}"
        );
        let lines: Vec<_> = ended.out.lines().filter(|line| line.ends_with("  DIFFERENT")).collect();
        assert!(lines.len() == 1 && lines[0].starts_with(&format!("{table} ")), "{ended:?}");
        if !back.is_empty() {
            // The row stands at the end after an update.
            target.run(&format!("UPDATE {table} {back} WHERE ctid = (SELECT max(ctid) FROM {table})")).await;
            copied(copy(&source.url, &target.url, &["--verify"]).await);
        }
    }
    // The copy itself finds it as well, and leaves it as it is.
    target.run("DELETE FROM artifact_purges").await;
    let refused = copy(&source.url, &target.url, &[]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    differs(&copy(&source.url, &target.url, &["--verify"]).await, "tables artifact_purges, deletion_receipts");
}

/// Rows that change places keep their number, and each value is there still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_change_places_are_found() {
    let (source, target) = (filled().await, Site::made(Engine::Postgres).await);
    copied(copy(&source.url, &target.url, &[]).await);
    target.run("UPDATE users SET username = 'x' WHERE username = 'anna'").await;
    target.run("UPDATE users SET username = 'anna' WHERE username = 'ben'").await;
    target.run("UPDATE users SET username = 'ben' WHERE username = 'x'").await;
    differs(&copy(&source.url, &target.url, &["--verify"]).await, "table users");
    // Repeated, the copy compares what is there.
    differs(&copy(&source.url, &target.url, &[]).await, "table users");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changes_while_it_is_copied_is_noticed() {
    let (source, target) = (filled().await, Site::made(Engine::Postgres).await);
    let blocker = target.session().await;
    run(&blocker, "BEGIN; LOCK TABLE companies IN SHARE MODE").await;
    let mut copying = begin(&source.url, &target.url, &[]);
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("it waits", async || (target.count(waiting).await > 0).then_some(())).await;
    source.run("UPDATE users SET full_name = 'Changed' WHERE username = 'anna'").await;
    run(&blocker, "ROLLBACK").await;
    assert_eq!(copying.ended().await, 1, "{}", copying.err());
    let wanted = "migration: something has written to the source while it was copied; stop the server that runs on it, empty \
                  the target with `migration fresh --database-url TARGET`, and copy again\n";
    until("all is said", async || copying.err().ends_with(wanted).then_some(())).await;
    // It goes on to its end, and says that the user is another one.
    differs(&copy(&source.url, &target.url, &[]).await, "table users");
    assert!(target.is_unfinished().await);
    source.run("DELETE FROM row_errors").await;
    let refused = copy(&source.url, &target.url, &[]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("row_errors of the source had "), "{refused:?}");
    // As it says.
    target.migrated(&["fresh", "--yes"]).await;
    copied(copy(&source.url, &target.url, &[]).await);
    contents::same(&source.app.db.pool(), &target).await;
}
