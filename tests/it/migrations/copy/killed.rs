//! A copy that is killed anywhere goes on where it was, and ends as if it had not been.

use tests::Engine;

use super::{Running, begin, contents, copied, copy, filled::filled};
use crate::migrations::{
    program::run as ran,
    site::{Site, run, until},
};

/// Connections that wait for others.
const WAITING: &str = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
const FEW: [&str; 2] = ["--batch-size", "4"];

/// Begins a copy, kills it where something in the target is in its way, and takes that out of the way.
async fn killed(from: &str, target: &Site, in_the_way: &str) {
    let blocker = target.session().await;
    run(&blocker, in_the_way).await;
    let mut copy = begin(from, &target.url, &FEW);
    waits(target, &mut copy, in_the_way).await;
    copy.kill();
    target.run(&format!("SELECT pg_terminate_backend(pid) {WAITING}")).await;
    run(&blocker, "ROLLBACK").await;
}

async fn waits(target: &Site, copy: &mut Running, what: &str) {
    let waiting = format!("SELECT count(*) {WAITING}");
    until(what, async || (target.count(&waiting).await > 0 || copy.code().is_some()).then_some(())).await;
    assert_eq!(copy.code(), None, "{what}: it ended: {}", copy.err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_killed_at_each_table_goes_on_where_it_was() {
    let (source, target) = (filled().await, Site::made(Engine::Postgres).await);
    killed(&source.url, &target, "BEGIN; CREATE TABLE joblink_copy (id integer)").await;
    assert!(!target.is_unfinished().await);
    let mut before = 0;
    for table in ["artifact_store", "audit_log", "organizations", "users", "companies", "row_errors"] {
        killed(&source.url, &target, &format!("BEGIN; LOCK TABLE {table} IN SHARE MODE")).await;
        let copied = target.count("SELECT sum(copied_rows)::bigint FROM joblink_copy").await;
        assert!(copied > before || table == "artifact_store", "{table}: {copied} rows after {before}");
        assert_eq!(target.count(&format!("SELECT count(*) FROM {table}")).await, 0);
        before = copied;
    }
    // While columns are filled in that refer to rows behind their own.
    let later = "SELECT count(*) FROM tenants WHERE created_by IS NOT NULL";
    killed(&source.url, &target, "BEGIN; LOCK TABLE tenants IN SHARE MODE").await;
    assert_eq!(target.count(later).await, 0);
    // When everything is there and compared, and only the place is left.
    killed(&source.url, &target, "BEGIN; SELECT count(*) FROM joblink_copy").await;
    assert_eq!((target.count(later).await, target.is_unfinished().await), (1, true));

    // A server would write beside it.
    let server = ran("joblink", &target.url, &["serve", "--listen", "127.0.0.1:0"]).await;
    let wanted = "joblink: a copy into the database has begun and not ended; end it with the `migration copy` that began it, \
                  then run this again\n";
    assert_eq!((server.code, server.err.as_str()), (3, wanted));
    let backfill = ran("migration", &target.url, &["backfill", "run"]).await;
    assert_eq!((backfill.code, backfill.err.replace("migration:", "joblink:").as_str()), (3, wanted));

    let ended = copied(copy(&source.url, &target.url, &FEW).await);
    assert!(ended.err.contains("going on with the copy from "), "{ended:?}");
    assert!(ended.out.contains("\nnothing was left to copy; "), "{ended:?}");
    assert!(!target.is_unfinished().await);
    contents::same(&source.app.db.pool(), &target).await;
}

/// Where it stops: before a row of a table that has so many before it, within a batch of four or at its beginning. The key of
/// the second table has two columns.
const STOPS: [(&str, i64); 6] = [
    ("annual_predictions", 1),
    ("annual_predictions", 7),
    ("annual_predictions", 20),
    ("annual_predictions", 27),
    ("row_errors", 4),
    ("row_errors", 5),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_killed_within_a_table_loses_no_row_and_brings_none_twice() {
    let (world, between) = (filled().await, Site::empty(Engine::Postgres).await);
    for number in 100_000..100_007 {
        let line = "INSERT INTO row_errors SELECT id, NUMBER, NULL, 'duplicate', '' FROM bulk_upload_jobs LIMIT 1";
        world.run(&line.replace("NUMBER", &number.to_string())).await;
    }
    copied(copy(&world.url, &between.url, &[]).await);
    for source in [&world.url, &between.url] {
        let target = Site::made(Engine::Postgres).await;
        target
            .run(
                "CREATE TABLE stops (name text, place bigint);
                 CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE rows bigint; BEGIN
                     EXECUTE format('SELECT count(*) FROM %I', TG_TABLE_NAME) INTO rows;
                     IF EXISTS (SELECT FROM stops WHERE name = TG_TABLE_NAME AND place = rows) THEN
                         PERFORM pg_advisory_xact_lock(1);
                     END IF;
                     RETURN NEW;
                 END $$;
                 CREATE TRIGGER stop BEFORE INSERT ON annual_predictions FOR EACH ROW EXECUTE FUNCTION stop();
                 CREATE TRIGGER stop BEFORE INSERT ON row_errors FOR EACH ROW EXECUTE FUNCTION stop()",
            )
            .await;
        for (table, place) in STOPS {
            target.run(&format!("INSERT INTO stops VALUES ('{table}', {place})")).await;
            killed(source, &target, "BEGIN; SELECT pg_advisory_xact_lock(1)").await;
            target.run("TRUNCATE stops").await;
            let there = target.count(&format!("SELECT count(*) FROM {table}")).await;
            assert_eq!(there, place / 4 * 4, "whole batches alone");
            let told = format!("SELECT copied_rows FROM joblink_copy WHERE name = '{table}'");
            assert_eq!(target.count(&told).await, there);
        }
        copied(copy(source, &target.url, &FEW).await);
        target.run("DROP TABLE stops").await;
        contents::same(&world.app.db.pool(), &target).await;
    }
}

/// A second one waits for the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_copies_at_once_copy_once() {
    let (source, target) = (filled().await, Site::made(Engine::Postgres).await);
    let blocker = target.session().await;
    run(&blocker, "BEGIN; LOCK TABLE companies IN SHARE MODE").await;
    let mut first = begin(&source.url, &target.url, &FEW);
    waits(&target, &mut first, "the first").await;
    let mut second = begin(&source.url, &target.url, &FEW);
    let waiting = format!(
        "waiting for another run to end, for at most 600 seconds: `migration copy` of process {} on ",
        first.pid()
    );
    until("the second waits", async || second.err().contains(&waiting).then_some(())).await;
    run(&blocker, "ROLLBACK").await;
    assert_eq!((first.ended().await, second.ended().await), (0, 0), "{}{}", first.err(), second.err());
    contents::same(&source.app.db.pool(), &target).await;
}
