//! Everything is copied, and nothing else is changed.

use migration::copy::tables;
use serde_json::Value;
use tests::{Engine, sha256};

use super::{contents, copied, copy, filled::filled};
use crate::migrations::{catalogue::same, site::Site};

/// A new table cannot be forgotten.
#[tokio::test]
async fn every_table_of_the_schema_is_copied() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let site = Site::made(engine).await;
        let sql = match engine {
            Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            Engine::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()",
        };
        let own = ["seaql_migrations", "joblink_made_tables", "joblink_migration_checksums", "joblink_migration_lock"];
        let mut wanted = site.strings(sql).await;
        wanted.retain(|table| !own.contains(&table.as_str()));
        assert_eq!(tables::names().into_iter().collect::<Vec<_>>(), wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_value_of_every_table_is_copied_into_a_database_without_tables() {
    let (source, target) = (filled().await, Site::empty(Engine::Postgres).await);
    let file = source.url.strip_prefix("sqlite://").unwrap().split('?').next().unwrap();
    let before = std::fs::read(file).unwrap();
    let ended = copied(copy(&source.url, &target.url, &["--batch-size", "7"]).await);
    contents::same(&source.app.db.pool(), &target).await;
    assert!(!target.is_unfinished().await);
    same(&target.schema().await, &Site::made(Engine::Postgres).await.schema().await, "the target's schema");
    assert_eq!(sha256(&std::fs::read(file).unwrap()), sha256(&before), "the source was changed");

    let rows = ended.out.lines().skip(1).take(tables::names().len());
    for (line, table) in rows.zip(tables::names()) {
        assert!(!line.contains("DIFFERENT"), "{table}: {line}");
    }
    assert!(ended.out.starts_with("TABLE "), "{ended:?}");
    let last = ended.out.lines().rev().nth(1).unwrap();
    assert!(last.starts_with("copied ") && last.ends_with(" tables are the same on both sides"), "{last}");

    // Once more: it is there already.
    let again = copied(copy(&source.url, &target.url, &[]).await);
    assert!(again.out.contains("\nnothing was left to copy; "), "{again:?}");
    let verified = copied(copy(&source.url, &target.url, &["--verify", "--json"]).await);
    let told: Value = serde_json::from_str(&verified.out).unwrap();
    assert_eq!((&told["same"], &told["copied"]), (&Value::Bool(true), &Value::Null));
    let users = told["tables"].as_array().unwrap().iter().find(|table| table["table"] == "users").unwrap();
    assert_eq!(users["source"], users["target"]);
    assert_eq!(users["source"]["rows"], source.count("SELECT count(*) FROM users").await);
}

#[tokio::test]
async fn an_adopted_database_is_copied_with_the_largest_numbers_that_it_holds() {
    let (source, target) = (Site::adopted(Engine::Sqlite).await, Site::made(Engine::Postgres).await);
    source.migrated(&["up"]).await;
    // The target is named by DATABASE_URL.
    let ended = crate::migrations::program::run("migration", &target.url, &["copy", "--from", &source.url]).await;
    copied(ended);
    let cap = "SELECT market_cap::text FROM companies WHERE name = 'Acme, personal'";
    // 15 digits are what SQLite keeps of it.
    assert_eq!(target.strings(cap).await, ["999999999999999999.99"]);
    target.run("UPDATE companies SET market_cap = 1 WHERE name = 'Acme, personal'").await;
    source.run("UPDATE companies SET market_cap = 1 WHERE name = 'Acme, personal'").await;
    contents::same(&source.db, &target).await;
}

#[tokio::test]
async fn a_postgres_database_is_copied_to_another_one() {
    let (source, target) = (Site::adopted(Engine::Postgres).await, Site::empty(Engine::Postgres).await);
    source.migrated(&["up"]).await;
    source.run("UPDATE users SET full_name = E'tab\\t, line\\n, \\\\N' WHERE username = 'ben'").await;
    // What the database's own settings say must not show.
    let name = source.url.rsplit('/').next().unwrap().to_owned();
    source.run(&format!("ALTER DATABASE {name} SET datestyle = 'German'")).await;
    source.run("CREATE TABLE notes (id integer)").await;
    let ended = copied(copy(&source.url, &target.url, &["--batch-size", "2"]).await);
    assert!(ended.err.contains("not copied, because Joblink does not know them: notes\n"), "{ended:?}");
    contents::same(&source.db, &target).await;
}

#[tokio::test]
async fn sequences_stand_behind_what_was_copied() {
    let (source, target) = (Site::made(Engine::Sqlite).await, Site::made(Engine::Postgres).await);
    source.run("INSERT INTO artifact_store (place, id) VALUES (41, randomblob(16))").await;
    target.run("ALTER TABLE artifact_store ALTER COLUMN place ADD GENERATED ALWAYS AS IDENTITY").await;
    copied(copy(&source.url, &target.url, &[]).await);
    target.run("INSERT INTO artifact_store (id) VALUES ('00000000-0000-4000-8000-000000000001')").await;
    assert_eq!(target.count("SELECT max(place)::bigint FROM artifact_store").await, 42);
}
