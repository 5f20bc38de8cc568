//! A database that has no time for a while is no reason to send a client away for good.

use std::time::Duration;

use api::auth::{Clock, login, login::Login, token::Rules};
use sea_orm::{DatabaseTransaction, DbBackend, TransactionTrait};
use serde_json::json;
use tests::{Engine, Setup, World, people};

use super::client::Client;
use crate::graphql::code;

tests::on_both!(a_caller_whom_the_database_cannot_look_up_now_is_told_to_try_later);

/// Connections of a test's pool.
const POOL: usize = 8;

async fn a_caller_whom_the_database_cannot_look_up_now_is_told_to_try_later(engine: Engine) {
    let clock = Clock::held();
    let login = Some(Login::with_secret(&tests::secret(), Rules::default(), clock.clone()));
    let world = World::with(engine, Setup { login, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    let mut known = Client::signed_in(&world, &people.anna.token).await;
    clock.advance(login::FRESH);
    let taken = take_all_connections(&world).await;
    let mut stranger = Client::silent(&world).await;
    let introduction = json!({ "Authorization": format!("Bearer {}", people.ben.token) });
    stranger.send(json!({ "type": "connection_init", "payload": introduction })).await;
    known.ask("1", "{ viewer { role } }", json!({})).await;
    // As long as a request waits for a connection to the database.
    let (closed, refused) = tokio::join!(stranger.closed(), known.next());
    assert_eq!(closed, 1013);
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("1")));
    assert_eq!(code(&json!({ "errors": refused["payload"] })), "DATABASE_BUSY");
    drop(taken);
    // The one connection has stayed, and the other client comes back.
    clock.advance(Duration::from_secs(1));
    known.ask("2", "{ viewer { role } }", json!({})).await;
    assert_eq!((&known.next().await["type"], &known.next().await["type"]), (&json!("next"), &json!("complete")));
    Client::signed_in(&world, &people.ben.token).await;
}

/// Leaves nobody a connection to read by, until what is given is dropped.
async fn take_all_connections(world: &World) -> Vec<DatabaseTransaction> {
    let db = &world.app.db;
    if db.backend() == DbBackend::Sqlite {
        let mut taken = Vec::new();
        for _ in 0..POOL {
            taken.push(db.pool().begin().await.unwrap());
        }
        return taken;
    }
    vec![world.reads_that_wait(db, POOL).await.0]
}
