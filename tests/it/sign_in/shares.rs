//! What one user may have at a time, so that the others have something left.

use api::app::Limits;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use crate::{
    events::client::{Client, open, watched_by},
    graphql::code,
};

tests::on_both!(a_user_has_so_many_streams_and_leaves_the_rest_to_others);

const WATCH: &str = "subscription { jobEvents { type } }";

fn watch(world: &World, token: &str) -> RequestBuilder {
    world.post().bearer_auth(token).header("accept", "text/event-stream").json(&json!({ "query": WATCH }))
}

async fn a_user_has_so_many_streams_and_leaves_the_rest_to_others(engine: Engine) {
    let limits = Limits { streams_per_user: 2, ..Default::default() };
    let world = World::with(engine, Setup { tokens: true, limits, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    let mut socket = Client::signed_in(&world, &people.anna.token).await;
    let stream = watch(&world, &people.anna.token).send().await.unwrap();
    assert_eq!(stream.status(), 200);

    let too_many = watch(&world, &people.anna.token).send().await.unwrap();
    assert_eq!((too_many.status().as_u16(), &*too_many.headers()["retry-after"]), (503, &b"1"[..]));
    assert_eq!(code(&too_many.json().await.unwrap()), "TOO_MANY_STREAMS");
    let mut second = Client(open(&world, &[]).await.unwrap());
    let init = json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {}", people.anna.token) } });
    second.send(init).await;
    assert_eq!(second.closed().await, 1013);
    // Others have theirs.
    let bens = watch(&world, &people.ben.token).send().await.unwrap();
    assert_eq!(bens.status(), 200);
    let _bens = (bens, Client::signed_in(&world, &people.ben.token).await);

    // The stream is a subscription too.
    socket.watch("1", None).await;
    watched_by(&world, 3).await;
    socket.watch("2", None).await;
    let refused = socket.next().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("2")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "TOO_MANY_STREAMS");
    socket.ask("3", "{ viewer { role } }", Value::Null).await;
    assert_eq!(socket.next().await["type"], "next", "what ends at once is not counted");
    assert_eq!(socket.next().await["type"], "complete");
    socket.send(json!({ "id": "1", "type": "complete" })).await;
    watched_by(&world, 2).await;
    drop(stream);
    watched_by(&world, 1).await;
    world
        .until(async || {
            let again = watch(&world, &people.anna.token).send().await.unwrap();
            (again.status() == 200).then_some(())
        })
        .await;
}
