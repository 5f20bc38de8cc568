//! A killed `up` leaves nothing that the next one cannot finish.

use std::time::{Duration, Instant};

use sea_orm::prelude::Uuid;
use tests::Engine;

use super::{
    catalogue::same,
    online::waits_for_snapshots,
    plan::PlannedStep,
    program::start,
    site::{MIGRATIONS, Site, run, until},
};

/// Each index that is made on an existing table, and how many migrations stand before it.
const INDEXES: [(&str, &str); 3] = [("idx_annual_job", "1"), ("idx_quarterly_job", "2"), ("idx_bulk_job_open", "5")];
/// Connections that wait for others.
const WAITING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_an_interrupted_up_left_invalid_is_replaced() {
    let wanted = Site::made(Engine::Postgres).await.schema().await;
    for (index, before) in INDEXES {
        let site = Site::adopted(Engine::Postgres).await;
        site.migrated(&["up", "--num", before]).await;
        let report = site.session().await;
        run(&report, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tenants").await;
        let mut up = start("migration", &site.url, &["up"]);
        waits_for_snapshots(&site, index).await;
        up.kill();
        let making = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURR%'";
        site.run(&format!("SELECT pg_terminate_backend(pid) {making}")).await;
        let alive = format!("SELECT count(*) {making}");
        until("its connection ends", async || (site.count(&alive).await == 0).then_some(())).await;
        run(&report, "COMMIT").await;
        let invalid =
            format!("SELECT count(*) FROM pg_index WHERE indexrelid = '{index}'::regclass AND NOT indisvalid");
        assert_eq!(site.count(&invalid).await, 1, "{index} is whole: nothing was interrupted");
        site.migrated(&["up"]).await;
        same(&site.schema().await, &wanted, index);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_up_killed_in_any_step_is_finished_by_the_next_one() {
    let whole = Site::adopted(Engine::Postgres).await;
    let (steps, columns) = (whole.plan(&[]).await, whole.columns().await);
    let data = whole.data_in(&columns).await;
    whole.migrated(&["up"]).await;
    let wanted = whole.schema().await;
    for (place, step) in steps.iter().enumerate() {
        let site = Site::adopted(Engine::Postgres).await;
        for before in &steps[..place] {
            before.take(&site.db).await;
        }
        let blocker = site.session().await;
        run(&blocker, &in_the_way_of(step)).await;
        let mut up = start("migration", &site.url, &["up"]);
        let sql = step.sql[0].split_whitespace().take(6).collect::<Vec<_>>().join("%");
        let waiting = format!(
            "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '{sql}%'"
        );
        let count = format!("SELECT count(*) {waiting}");
        until(&sql, async || (site.count(&count).await == 1 || up.code().is_some()).then_some(())).await;
        assert_eq!(up.code(), None, "{sql}: {}", up.err());
        up.kill();
        site.run(&format!("SELECT pg_terminate_backend(pid) {waiting}")).await;
        run(&blocker, "ROLLBACK").await;
        site.migrated(&["up"]).await;
        same(&site.schema().await, &wanted, &sql);
        assert_eq!(site.ledger().await.len(), MIGRATIONS, "{sql}");
        assert_eq!(site.data_in(&columns).await, data, "{sql}");
    }
}

/// A transaction that a step has to wait for.
fn in_the_way_of(step: &PlannedStep) -> String {
    let lock = |table: &str, mode: &str| format!("BEGIN; LOCK TABLE {table} IN {mode} MODE");
    let strongest = step.locks.iter().find(|(_, (level, _))| level != "ROW SHARE");
    let Some((table, (level, work))) = strongest else {
        let words: Vec<&str> = step.sql[0].split_whitespace().collect();
        if let Some(table) = words.iter().skip_while(|word| **word != "ON").nth(1).filter(|_| words[0] == "REVOKE") {
            // Rights of a table: somebody grants one.
            return format!("BEGIN; GRANT SELECT ON {table} TO CURRENT_USER");
        }
        // A new table: somebody makes one of the same name.
        return format!("BEGIN; CREATE TABLE {} (id integer)", words[2]);
    };
    match (level.as_str(), work.as_str()) {
        // In the midst of it: its second pass waits for whoever began before.
        ("SHARE UPDATE EXCLUSIVE", "scan") if !step.transaction => {
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tenants".to_owned()
        }
        ("ACCESS EXCLUSIVE", _) => lock(table, "ACCESS SHARE"),
        ("SHARE ROW EXCLUSIVE", _) => lock(table, "ROW EXCLUSIVE"),
        _ => lock(table, "SHARE UPDATE EXCLUSIVE"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_finishes_where_it_and_the_connection_of_a_killed_up_wait_for_each_other() {
    let site = Site::adopted(Engine::Postgres).await;
    site.migrated(&["up", "--num", "1"]).await;
    site.run("ALTER TABLE annual_predictions ADD COLUMN job_id uuid").await;
    let writer = site.session().await;
    run(&writer, "BEGIN; UPDATE annual_predictions SET confidence = confidence").await;
    // The first waits for the writer, the second for the first; later the first waits for the second's snapshot.
    let mut killed = start("migration", &site.url, &["up"]);
    waits_for_snapshots(&site, "idx_annual_job").await;
    killed.kill();
    let mut up = start("migration", &site.url, &["up"]);
    until("both wait", async || (site.count(WAITING).await == 2).then_some(())).await;
    run(&writer, "COMMIT").await;
    assert_eq!(up.ended().await, 0, "{}", up.err());
    same(&site.schema().await, &Site::made(Engine::Postgres).await.schema().await, "after a deadlock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_finishes_while_the_connection_of_a_killed_up_lives_on() {
    let site = Site::adopted(Engine::Postgres).await;
    let report = site.session().await;
    run(&report, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tenants").await;
    let mut killed = start("migration", &site.url, &["up"]);
    waits_for_snapshots(&site, "idx_annual_job").await;
    killed.kill();
    let mut up = start("migration", &site.url, &["up"]);
    until("both wait", async || (site.count(WAITING).await == 2).then_some(())).await;
    run(&report, "COMMIT").await;
    assert_eq!(up.ended().await, 0, "{}", up.err());
    same(&site.schema().await, &Site::made(Engine::Postgres).await.schema().await, "after a lingering connection");
}

tests::on_both!(
    an_up_killed_at_any_moment_is_finished_by_the_next_one,
    a_down_killed_at_any_moment_is_finished_by_the_next_one,
    runs_of_up_at_the_same_time_all_succeed,
);

async fn an_up_killed_at_any_moment_is_finished_by_the_next_one(engine: Engine) {
    let whole = Site::adopted(engine).await;
    let columns = whole.columns().await;
    let (data, began) = (whole.data_in(&columns).await, Instant::now());
    whole.migrated(&["up"]).await;
    let (took, wanted) = (began.elapsed(), whole.schema().await);
    for round in 0..rounds() {
        let site = Site::adopted(engine).await;
        let moment = moment(took, round);
        let mut up = start("migration", &site.url, &["up"]);
        tokio::time::sleep(moment).await;
        up.kill();
        site.migrated(&["up"]).await;
        let what = format!("killed after {moment:?}, having said\n{}", up.err());
        same(&site.schema().await, &wanted, &what);
        assert_eq!(site.ledger().await.len(), MIGRATIONS, "{what}");
        assert_eq!(site.data_in(&columns).await, data, "{what}");
    }
}

async fn runs_of_up_at_the_same_time_all_succeed(engine: Engine) {
    let wanted = Site::made(engine).await.schema().await;
    for site in [Site::empty(engine).await, Site::adopted(engine).await] {
        let mut runs = [0; 3].map(|_| start("migration", &site.url, &["up"]));
        for run in &mut runs {
            assert_eq!(run.ended().await, 0, "{}", run.err());
        }
        if engine == Engine::Postgres {
            same(&site.schema().await, &wanted, "three at once");
        }
        assert_eq!(site.ledger().await.len(), MIGRATIONS);
    }
}

async fn a_down_killed_at_any_moment_is_finished_by_the_next_one(engine: Engine) {
    let whole = Site::adopted(engine).await;
    let (wanted, columns) = (whole.schema().await, whole.columns().await);
    let data = whole.data_in(&columns).await;
    whole.migrated(&["up"]).await;
    let (began, migrated) = (Instant::now(), whole.schema().await);
    whole.migrated(&["down", "--num", "99", "--yes"]).await;
    let took = began.elapsed();
    for round in 0..rounds() {
        let site = Site::adopted(engine).await;
        site.migrated(&["up"]).await;
        let moment = moment(took, round);
        let mut down = start("migration", &site.url, &["down", "--num", "99", "--yes"]);
        tokio::time::sleep(moment).await;
        down.kill();
        site.migrated(&["down", "--num", "99", "--yes"]).await;
        let what = format!("killed after {moment:?}, having said\n{}", down.err());
        same(&site.schema().await, &wanted, &what);
        assert_eq!(site.data_in(&columns).await, data, "{what}");
        site.migrated(&["up"]).await;
        same(&site.schema().await, &migrated, &what);
    }
}

fn rounds() -> u32 {
    if std::env::var_os("JOBLINK_TEST_LONG").is_some() { 60 } else { 10 }
}

/// A moment within a run: spread over all of it, and never twice the same. The test holds for every moment.
fn moment(took: Duration, round: u32) -> Duration {
    let chance = Uuid::now_v7().as_bytes()[15];
    took / rounds() * round + took / rounds() * u32::from(chance) / 256
}
