//! `migration plan` says what `up` and `down` do, and what they hold.

use std::collections::BTreeMap;

use sea_orm::DatabaseConnection;
use serde_json::Value;
use tests::Engine;

use super::{
    catalogue::same,
    site::{MIGRATIONS, Site, run, until},
};

tests::on_both!(
    a_plan_changes_nothing_and_its_sql_is_what_up_and_down_do,
    a_plan_says_what_is_done_already,
    a_plan_that_is_refused_is_printed_and_refused,
);

/// One step of a plan.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    pub sql: Vec<String>,
    pub transaction: bool,
    /// The lock and the work on each table.
    pub locks: BTreeMap<String, (String, String)>,
}

impl Site {
    /// The steps that `plan` prints.
    pub async fn plan(&self, arguments: &[&str]) -> Vec<PlannedStep> {
        let arguments = [&["plan", "--json"], arguments].concat();
        let plan: Value = serde_json::from_str(&self.migrated(&arguments).await.out).unwrap();
        let migrations = plan["migrations"].as_array().unwrap();
        let steps = migrations.iter().flat_map(|migration| migration["steps"].as_array().unwrap());
        steps
            .map(|step| PlannedStep {
                sql: serde_json::from_value(step["sql"].clone()).unwrap(),
                transaction: step["transaction"].as_bool().unwrap(),
                locks: step["locks"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|lock| (text(&lock["table"]), (text(&lock["lock"]), text(&lock["work"]))))
                    .collect(),
            })
            .collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl PlannedStep {
    /// Takes the step as an operator could, by its SQL alone.
    pub async fn take(&self, db: &DatabaseConnection) {
        if self.transaction {
            run(db, &format!("BEGIN; {}; COMMIT", self.sql.join("; "))).await;
        } else {
            for sql in &self.sql {
                run(db, sql).await;
            }
        }
    }
}

async fn a_plan_changes_nothing_and_its_sql_is_what_up_and_down_do(engine: Engine) {
    for site in [Site::empty(engine).await, Site::adopted(engine).await] {
        let before = site.everything().await;
        let up = site.plan(&[]).await;
        let sql = site.migrated(&["plan", "up"]).await.out;
        assert_eq!(site.everything().await, before);
        for statement in up.iter().flat_map(|step| &step.sql) {
            assert!(sql.contains(&format!("{statement};\n")), "{statement} is missing in\n{sql}");
        }

        let by_hand = site.twin().await;
        for step in &up {
            step.take(&by_hand.db).await;
        }
        site.migrated(&["up"]).await;
        same(&by_hand.schema().await, &site.schema().await, "the SQL of the plan");
        assert_eq!(site.migrated(&["plan"]).await.out, "-- Nothing to do.\n");

        let all = MIGRATIONS.to_string();
        let (schema, down) = (site.schema().await, site.plan(&["down", "--num", &all]).await);
        same(&site.schema().await, &schema, "a plan of down");
        for step in &down {
            step.take(&by_hand.db).await;
        }
        site.migrated(&["down", "--num", &all, "--yes"]).await;
        same(&by_hand.schema().await, &site.schema().await, "the SQL of the plan of down");
    }
}

async fn a_plan_says_what_is_done_already(engine: Engine) {
    let site = Site::adopted(engine).await;
    let all = site.plan(&[]).await;
    assert_eq!(site.plan(&["--num", "1"]).await.len(), 1);
    assert!(site.plan(&["down"]).await.is_empty());
    for step in &all[..2] {
        step.take(&site.db).await;
    }
    let (rest, sql) = (site.plan(&[]).await, site.migrated(&["plan"]).await.out);
    assert_eq!(rest.len(), all.len() - 2);
    assert!(sql.contains("-- m0001_adopt_tables\n-- All its steps are done already; it is written into the ledger.\n"));
}

async fn a_plan_that_is_refused_is_printed_and_refused(engine: Engine) {
    let site = Site::adopted(engine).await;
    site.run("CREATE TABLE artifacts (id integer, name text)").await;
    let before = site.everything().await;
    let ended = site.migration(&["plan"]).await;
    let why = "artifacts is in the way of Joblink's own table of that name, because it lacks job_id, kind, size, \
               sha256, created_at; rename it or use another database or schema";
    assert_eq!((ended.code, ended.err.as_str()), (3, format!("migration: {why}\n").as_str()));
    assert!(ended.out.contains(&format!("-- REFUSED: {why}\n")), "{}", ended.out);
    assert_eq!(site.refused(&["up"]).await, why);
    assert_eq!(site.everything().await, before);
}

impl Site {
    /// Another database with the same beginning.
    async fn twin(&self) -> Self {
        if self.schema().await.is_empty() { Self::empty(self.engine).await } else { Self::adopted(self.engine).await }
    }
}

/// The locks that the plan speaks of, from the weakest.
const LOCKS: [(&str, &str); 4] = [
    ("RowShareLock", "ROW SHARE"),
    ("ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"),
    ("ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"),
    ("AccessExclusiveLock", "ACCESS EXCLUSIVE"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_locks_and_the_rewrites_of_a_plan_are_those_that_postgres_does() {
    for site in [Site::empty(Engine::Postgres).await, Site::adopted(Engine::Postgres).await] {
        let worker = site.session().await;
        let pid = migration::catalogue::count(&worker, "SELECT pg_backend_pid()::bigint").await.unwrap();
        for arguments in [&["up"][..], &["down", "--num", &MIGRATIONS.to_string()]] {
            for step in site.plan(arguments).await {
                let before = files(&site).await;
                let held = if step.transaction {
                    run(&worker, &format!("BEGIN; {}", step.sql.join("; "))).await;
                    let held = locks(&site, pid).await;
                    run(&worker, "COMMIT").await;
                    held
                } else {
                    while_it_waits(&site, &worker, &step, pid).await
                };
                let after = files(&site).await;
                let existing = held.into_iter().filter(|(table, _)| before.contains_key(table));
                let said = step.locks.iter().map(|(table, (lock, _))| (table.clone(), lock.clone()));
                assert_eq!(existing.collect::<BTreeMap<_, _>>(), said.collect(), "{step:?}");
                for (table, (_, work)) in &step.locks {
                    let Some(now) = after.get(table) else { continue };
                    assert_eq!(before[table] != *now, work == "rewrite", "{table}: {step:?}");
                }
            }
            if arguments == ["up"] {
                // Nothing is left to do but the ledger.
                site.migrated(&["up"]).await;
            }
        }
    }
}

/// The strongest lock on each table that a session holds.
async fn locks(site: &Site, pid: i64) -> BTreeMap<String, String> {
    let mut held = BTreeMap::new();
    for (mode, name) in LOCKS {
        let sql = format!(
            "SELECT c.relname::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
             WHERE l.pid = {pid} AND l.granted AND l.mode = '{mode}' AND c.relkind = 'r'
               AND c.relnamespace = current_schema()::regnamespace"
        );
        held.extend(site.strings(&sql).await.into_iter().map(|table| (table, name.to_owned())));
    }
    held
}

/// What holds the rows of each table: another file after a rewrite.
async fn files(site: &Site) -> BTreeMap<String, String> {
    let sql = "SELECT relname || ' ' || pg_relation_filenode(oid) FROM pg_class
               WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
    let split = |line: String| line.split_once(' ').map(|(table, file)| (table.to_owned(), file.to_owned())).unwrap();
    site.strings(sql).await.into_iter().map(split).collect()
}

/// The locks of a statement that no transaction may hold: looked at while it waits for an older transaction.
async fn while_it_waits(
    site: &Site,
    worker: &DatabaseConnection,
    step: &PlannedStep,
    pid: i64,
) -> BTreeMap<String, String> {
    let table = step.locks.keys().next().unwrap();
    let old = site.session().await;
    run(&old, &format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM {table}")).await;
    let waits = format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted");
    let (held, ()) = tokio::join!(
        async {
            until("it waits", async || (site.count(&waits).await > 0).then_some(())).await;
            let held = locks(site, pid).await;
            run(&old, "COMMIT").await;
            held
        },
        step.take(worker)
    );
    held
}
