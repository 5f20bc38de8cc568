//! What one user may have at a time, so that the others have something left.

use api::{app::Limits, checkpoint::Checkpoint};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tests::{Engine, Gate, Setup, World, people};

use crate::{
    events::client::{Client, open, watched_by},
    graphql::code,
};

tests::on_both!(
    a_user_has_so_many_streams_and_leaves_the_rest_to_others,
    a_user_has_so_many_requests_at_work_and_leaves_the_rest_to_others,
);

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
    assert_eq!((too_many.status().as_u16(), too_many.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
    assert_eq!(code(&too_many.json().await.unwrap()), "TOO_MANY_STREAMS");
    let mut second = Client(open(&world, &[]).await.unwrap());
    let init =
        json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {}", people.anna.token) } });
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

/// A change of nothing.
const CANCEL: &str = r#"mutation { cancelJob(id: "none") { userErrors { code } } }"#;

async fn a_user_has_so_many_requests_at_work_and_leaves_the_rest_to_others(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::ChangeBegins, 2);
    let limits = Limits { at_work: 2, ..Default::default() };
    let world =
        World::with(engine, Setup { tokens: true, limits, checkpoints, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    let ask = |token: &str| world.post().bearer_auth(token).json(&json!({ "query": CANCEL }));
    let mut socket = Client::signed_in(&world, &people.anna.token).await;
    // What is only watched is not at work.
    socket.watch("watching", None).await;
    let stream = watch(&world, &people.anna.token).send().await.unwrap();
    watched_by(&world, 2).await;

    socket.ask("1", CANCEL, Value::Null).await;
    gate.wait().await;
    let asked = tokio::spawn(ask(&people.anna.token).send());
    gate.wait().await;
    asked.abort();
    let metrics = format!("http://{}/metrics", world.server().metrics.unwrap());
    let hung_up = "joblink_http_requests_total{method=\"POST\",route=\"/graphql\",status=\"499\"} 1";
    let page = async || world.http.get(&metrics).send().await.unwrap().text().await.unwrap();
    world.until(async || page().await.contains(hung_up).then_some(())).await;

    for request in [
        ask(&people.anna.token),
        world.http.get(format!("{}/artifacts/none", world.base())).bearer_auth(&people.anna.token),
    ] {
        let refused = request.send().await.unwrap();
        assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (429, &b"1"[..]));
        assert_eq!(code(&refused.json().await.unwrap()), "RATE_LIMITED");
    }
    socket.ask("2", CANCEL, Value::Null).await;
    let refused = socket.next().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("2")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    assert_eq!(ask(&people.ben.token).send().await.unwrap().status(), 200);
    let nobody = world.post().json(&json!({ "query": "{ __typename }" })).send().await.unwrap();
    assert_eq!(nobody.status(), 200, "of nobody the address is counted");

    gate.open();
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(socket.next().await["type"], "complete");
    world.until(async || (ask(&people.anna.token).send().await.unwrap().status() == 200).then_some(())).await;
    drop(stream);
}

#[tokio::test]
async fn an_address_without_a_login_has_so_many_requests_at_work() {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::Executing, 1);
    let limits = Limits { at_work: 1, ..Default::default() };
    let setup = Setup { tokens: true, limits, checkpoints, idle: true, ..Default::default() };
    let world = World::with(Engine::Sqlite, setup).await;
    let people = people(&world).await;
    let ask = || world.post().json(&json!({ "query": "{ __typename }" }));
    let asked = tokio::spawn(ask().send());
    gate.wait().await;
    assert_eq!(ask().send().await.unwrap().status(), 429);
    assert_eq!(ask().bearer_auth(&people.anna.token).send().await.unwrap().status(), 200);
    gate.open();
    assert_eq!(asked.await.unwrap().unwrap().status(), 200);
    world.until(async || (ask().send().await.unwrap().status() == 200).then_some(())).await;
}
