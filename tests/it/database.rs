//! Connections that read are kept between statements: what becomes of one does not become of the next statement.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use tests::{Engine, World};

/// More than there are connections.
const MANY: i32 = 40;

async fn read(world: &World, sql: &str) -> Result<Option<QueryResult>, DbErr> {
    world.app.db.reader().query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await
}

async fn number(world: &World, number: i32) -> i32 {
    let row = read(world, &format!("SELECT {number}")).await.unwrap().expect("a row");
    row.try_get_by_index(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_is_dropped_leaves_nothing_to_the_next_one() {
    let world = World::new(Engine::Postgres).await;
    for wanted in 0..MANY {
        let slow = read(&world, "SELECT 4711 FROM pg_sleep(0.02)");
        assert!(tokio::time::timeout(Duration::from_millis(1), slow).await.is_err());
        assert_eq!(number(&world, wanted).await, wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_fails_leaves_its_connection_whole() {
    let world = World::new(Engine::Postgres).await;
    for wanted in 0..MANY {
        assert!(read(&world, "SELECT 1 / 0").await.is_err());
        assert_eq!(number(&world, wanted).await, wanted);
    }
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
    assert!(world.count(sql).await < i64::from(MANY) / 2, "failures open connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_ended_is_not_used_again() {
    let world = World::new(Engine::Postgres).await;
    for wanted in 0..MANY {
        assert!(read(&world, "SELECT pg_terminate_backend(pg_backend_pid())").await.is_err());
        assert_eq!(number(&world, wanted).await, wanted);
    }
}
