//! One run at a time changes a schema; the others wait for it, say for whom, and outlive it.

use sea_orm::DatabaseConnection;
use tests::Engine;

use super::{
    catalogue::same,
    program::{Running, run as ran, start},
    site::{MIGRATIONS, Site, run, until},
};

tests::on_both!(
    a_second_run_says_who_is_first_and_refuses_after_its_time,
    a_second_run_goes_on_when_the_first_has_ended,
    the_lock_of_a_killed_run_is_free_at_once,
    servers_that_start_together_migrate_once,
);

/// A run of `up` that holds the lock and cannot go on, and who keeps it from that.
async fn blocked(site: &Site) -> (Running, DatabaseConnection) {
    let blocker = site.session().await;
    run(
        &blocker,
        match site.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN; SELECT count(*) FROM annual_predictions",
        },
    )
    .await;
    let up = start("migration", &site.url, &["up"]);
    until("it holds the lock", async || site.holder().await).await;
    (up, blocker)
}

impl Site {
    /// Who holds the lock.
    async fn holder(&self) -> Option<String> {
        match self.engine {
            Engine::Sqlite => {
                let files = self.strings("SELECT file FROM pragma_database_list WHERE name = 'main'").await;
                let holder = std::fs::read_to_string(format!("{}-migration", files[0])).ok()?;
                (!holder.is_empty()).then(|| holder.trim_end().to_owned())
            }
            Engine::Postgres => {
                if self.count("SELECT count(to_regclass('joblink_migration_lock'))").await == 0 {
                    return None;
                }
                self.strings("SELECT holder FROM joblink_migration_lock").await.pop()
            }
        }
    }
}

async fn a_second_run_says_who_is_first_and_refuses_after_its_time(engine: Engine) {
    let site = Site::adopted(engine).await;
    let (mut first, blocker) = blocked(&site).await;
    let ended = site.migration(&["up", "--wait", "1"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{ended:?}");
    let [waits, refuses] = &ended.err.lines().collect::<Vec<_>>()[..] else { panic!("{ended:?}") };
    let who = format!("`migration up` of process {} on ", first.pid());
    assert!(waits.starts_with(&format!("waiting for another run to end, for at most 1 second: {who}")), "{waits}");
    assert!(refuses.starts_with(&format!("migration: another run is changing the schema: {who}")), "{refuses}");
    assert!(refuses.ends_with("; it has not ended in 1 second, run this again when it has"), "{refuses}");
    // Who only reads does not wait.
    site.migrated(&["status", "--wait", "0"]).await;
    site.migrated(&["plan", "--wait", "0"]).await;
    run(&blocker, "COMMIT").await;
    assert_eq!(first.ended().await, 0, "{}", first.err());
}

async fn a_second_run_goes_on_when_the_first_has_ended(engine: Engine) {
    let site = Site::adopted(engine).await;
    let (mut first, blocker) = blocked(&site).await;
    let mut second = start("migration", &site.url, &["up"]);
    until("it waits", async || second.err().contains("waiting for another run").then_some(())).await;
    run(&blocker, "COMMIT").await;
    for up in [&mut first, &mut second] {
        assert_eq!(up.ended().await, 0, "{}", up.err());
    }
    assert_eq!(site.ledger().await.len(), MIGRATIONS);
    assert!(!second.err().contains("applying"), "{}", second.err());
}

async fn the_lock_of_a_killed_run_is_free_at_once(engine: Engine) {
    let site = Site::adopted(engine).await;
    let (mut first, blocker) = blocked(&site).await;
    first.kill();
    run(&blocker, "COMMIT").await;
    // Far less than the time after which a lock runs out by itself.
    site.migrated(&["up", "--wait", "5"]).await;
    assert_eq!(site.ledger().await.len(), MIGRATIONS);
}

async fn servers_that_start_together_migrate_once(engine: Engine) {
    let site = Site::empty(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let artifacts = folder.path().join("artifacts");
    let arguments = ["serve", "--migrate", "--listen", "127.0.0.1:0", "--artifacts", artifacts.to_str().unwrap()];
    let mut servers = [0; 3].map(|_| start("joblink", &site.url, &arguments));
    for server in &mut servers {
        until("it serves", async || (server.out().contains("/readyz") || server.code().is_some()).then_some(())).await;
        assert_eq!(server.code(), None, "{}", server.err());
    }
    assert_eq!(site.ledger().await.len(), MIGRATIONS);
}

#[tokio::test]
async fn a_lock_of_which_nothing_else_is_known_runs_out() {
    let site = Site::made(Engine::Postgres).await;
    site.migrated(&["down", "--yes"]).await;
    let hold = |expires: &str| {
        format!(
            "INSERT INTO joblink_migration_lock (id, token, holder, node, backend, taken_at, expires_at)
             VALUES (1, gen_random_uuid(), 'somebody', NULL, 0, now(), now() + interval '{expires}')"
        )
    };
    site.run(&hold("1 hour")).await;
    let refused = site.migration(&["up", "--wait", "1"]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("somebody, since "), "{refused:?}");
    site.run(&format!("DELETE FROM joblink_migration_lock; {}", hold("3 seconds"))).await;
    site.migrated(&["up"]).await;
    assert_eq!(site.count("SELECT count(*) FROM joblink_migration_lock").await, 0);
}

#[tokio::test]
async fn a_run_that_lost_its_lock_stops() {
    let site = Site::adopted(Engine::Postgres).await;
    let (mut up, blocker) = blocked(&site).await;
    site.run("UPDATE joblink_migration_lock SET token = gen_random_uuid(), holder = 'somebody else'").await;
    assert_eq!(up.ended().await, 1, "{}", up.err());
    let last = up.err().lines().last().unwrap().to_owned();
    assert_eq!(last, "migration: another run has taken over, because this one could not renew its lock; run it again");
    run(&blocker, "COMMIT").await;
    // And leaves the lock to whom it belongs.
    assert_eq!(site.holder().await.as_deref(), Some("somebody else"));
}

#[tokio::test]
async fn a_run_whose_connection_breaks_keeps_its_lock() {
    let site = Site::adopted(Engine::Postgres).await;
    let (mut up, blocker) = blocked(&site).await;
    let backend = "SELECT backend::bigint FROM joblink_migration_lock";
    let first = site.count(backend).await;
    site.run(&format!("SELECT pg_terminate_backend({first})")).await;
    until("it is renewed by another connection", async || (site.count(backend).await != first).then_some(())).await;
    run(&blocker, "COMMIT").await;
    assert_eq!(up.ended().await, 0, "{}", up.err());
}

#[tokio::test]
async fn runs_that_start_together_on_an_empty_database_all_end_well() {
    let wanted = Site::made(Engine::Postgres).await.schema().await;
    for _ in 0..5 {
        let site = Site::empty(Engine::Postgres).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let url = site.url.clone();
            tasks.spawn(async move { ran("migration", &url, &["up"]).await });
        }
        while let Some(ended) = tasks.join_next().await {
            let ended = ended.unwrap();
            assert_eq!(ended.code, 0, "{ended:?}");
        }
        same(&site.schema().await, &wanted, "six at once");
    }
}
