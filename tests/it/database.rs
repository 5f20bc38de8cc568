//! Connections that read are kept between statements: what becomes of one does not become of the next statement.

use std::time::Duration;

use api::database::Database;
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
        let slow = read(&world, "SELECT 4711 FROM pg_sleep(0.2)");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reads_and_what_changes_is_isolated_as_meant_whatever_the_databases_default() {
    let world = World::new(Engine::Postgres).await;
    let name = world.url.rsplit_once('/').unwrap().1;
    world.run(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")).await;
    let db = Database::connect(&world.url, 2).await.unwrap();
    let sql = "SELECT current_setting('transaction_isolation')";
    let asked = || Statement::from_string(DbBackend::Postgres, sql);
    for row in [db.reader().query_one_raw(asked()).await, db.pool().query_one_raw(asked()).await] {
        assert_eq!(row.unwrap().unwrap().try_get_by_index::<String>(0).unwrap(), "read committed");
    }
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_while_the_connections_close_holds_nothing_up() {
    let world = World::new(Engine::Postgres).await;
    let db = Database::connect(&world.url, 2).await.unwrap();
    let (gate, reads) = world.reads_that_wait(&db, 1).await;
    let closing = tokio::spawn(db.close());
    gate.rollback().await.unwrap();
    for read in reads {
        read.await.unwrap();
    }
    tokio::time::timeout(Duration::from_mins(1), closing).await.expect("closed").unwrap().unwrap();
}
