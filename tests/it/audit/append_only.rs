//! Entries of the audit log are never changed and never deleted: the database itself refuses it.

use sea_orm::{ConnectionTrait, DatabaseConnection, prelude::Uuid};
use serde_json::json;
use tests::{Engine, World};

use crate::migrations::site::Site;

const CHANGES: [&str; 2] = ["UPDATE audit_log SET detail = 'nothing happened'", "DELETE FROM audit_log"];
const WRITE: &str = "INSERT INTO audit_log (id, at, action, outcome)
    VALUES ('0196f0a5-0000-7000-8000-000000000000', '2026-01-01 00:00:00+00:00', 'sweep', 'done')";

async fn refused(db: &DatabaseConnection, changes: &[&str], says: &str) {
    for change in changes {
        let error = db.execute_unprepared(change).await.expect_err(change).to_string();
        assert!(error.contains(says), "{change}: {error}");
    }
}

#[tokio::test]
async fn sqlite_refuses_to_change_an_entry() {
    let world = World::new(Engine::Sqlite).await;
    world.data("mutation { cancelJob(id: \"x\") { userErrors { code } } }", json!({})).await;
    refused(&world.app.db.pool(), &CHANGES, "entries of the audit log are never changed or deleted").await;
    assert_eq!(world.count("SELECT count(*) FROM audit_log WHERE action = 'cancel_job'").await, 1);
}

/// Tests are superusers, whom no right is taken; those who run servers are not.
#[tokio::test]
async fn postgres_refuses_its_owner_to_change_an_entry() {
    let site = Site::empty(Engine::Postgres).await;
    let owner = format!("owner_{}", Uuid::now_v7().simple());
    site.run(&format!("CREATE ROLE {owner} LOGIN; GRANT ALL ON SCHEMA public TO {owner}")).await;
    let (_, place) = site.url.split_once('@').unwrap();
    let url = format!("postgres://{owner}@{place}");
    let db = migration::connect(&url, None).await.unwrap();
    migration::up(&db, None, migration::lock::WAIT).await.unwrap();
    db.execute_unprepared(WRITE).await.unwrap();
    refused(&db, &[CHANGES[0], CHANGES[1], "TRUNCATE audit_log"], "permission denied").await;
    assert_eq!(site.count("SELECT count(*) FROM audit_log").await, 1);
    // The server finds the rights that it needs, and the tables can be taken back.
    let server = api::database::Database::connect(&url, 1).await.unwrap();
    assert_eq!(server.closed_tables().await.unwrap(), Vec::<String>::new());
    server.close().await.unwrap();
    migration::down(&db, Some(3), migration::lock::WAIT).await.unwrap();
    db.execute_unprepared("DELETE FROM audit_log").await.unwrap();
    migration::up(&db, None, migration::lock::WAIT).await.unwrap();
    migration::reset(&db, migration::lock::WAIT).await.unwrap();
    db.close().await.unwrap();
    site.run(&format!("DROP OWNED BY {owner}; DROP ROLE {owner}")).await;
}
