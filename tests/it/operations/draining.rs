//! A server that is told to stop finishes what it has begun.

use std::time::Duration;

use api::checkpoint::Checkpoint;
use reqwest::{StatusCode, Version, header};
use serde_json::{Value, json};
use tests::{Engine, Gate, Setup, World};
use tokio::{net::TcpStream, time::timeout};

use super::certificate::Authority;
use crate::{
    events::client::{Client, watched_by},
    migrations::{
        program::start,
        site::{Site, until},
    },
};

tests::on_both!(a_server_that_leaves_says_so_and_serves_on, what_runs_on_a_websocket_is_answered_before_it_is_closed);

const CANCEL: &str = r#"mutation { cancelJob(id: "00000000-0000-0000-0000-000000000001") { userErrors { code } } }"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_is_answered_and_nobody_new_is_let_in() {
    let authority = Authority::new();
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (mut gate, checkpoints) = Gate::first(Checkpoint::ChangeBegins, 1);
        let setup = Setup { tls: Some(authority.tls()), idle: true, checkpoints, ..Default::default() };
        let mut world = World::with(Engine::Sqlite, setup).await;
        let client = authority.client();
        let client = if version == Version::HTTP_2 { client } else { client.http1_only() }.build().unwrap();
        let (base, address) = (world.base(), world.server().address);
        let get = client.get(format!("{base}/readyz"));
        let request = client.post(format!("{base}/graphql")).json(&json!({ "query": CANCEL }));
        let asked = tokio::spawn(request.send());
        gate.wait().await;

        let server = world.take_server();
        server.leave();
        let ready = get.send().await.unwrap();
        assert_eq!((ready.status(), ready.version()), (StatusCode::SERVICE_UNAVAILABLE, version));
        assert_eq!(ready.text().await.unwrap(), "the server is stopping");
        let stopping = tokio::spawn(server.stop());
        world.until(async || TcpStream::connect(address).await.is_err().then_some(())).await;
        assert!(!stopping.is_finished());
        gate.open();
        let answer = asked.await.unwrap().unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, version));
        if version == Version::HTTP_11 {
            assert_eq!(answer.headers()[header::CONNECTION], "close");
        }
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["data"]["cancelJob"]["userErrors"][0]["code"], "JOB_NOT_FOUND");
        timeout(Duration::from_mins(1), stopping).await.expect("the server ends").unwrap();
    }
}

async fn what_runs_on_a_websocket_is_answered_before_it_is_closed(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::ChangeBegins, 1);
    let mut world = World::with(engine, Setup { idle: true, checkpoints, ..Default::default() }).await;
    let mut client = Client::new(&world).await;
    client.watch("watching", None).await;
    watched_by(&world, 1).await;
    client.ask("changing", CANCEL, Value::Null).await;
    gate.wait().await;
    let mut idle = Client::new(&world).await;

    let stopping = tokio::spawn(world.take_server().stop());
    watched_by(&world, 0).await;
    assert_eq!(idle.closed().await, 1001, "nothing is at work there");
    client.ask("too late", "{ __typename }", Value::Null).await;
    // Answered only after what was sent before it was read.
    client.send(json!({ "type": "ping" })).await;
    assert_eq!(client.next().await, json!({ "type": "pong" }), "nothing new is begun");
    assert!(!stopping.is_finished());
    gate.open();
    let refused = json!({ "cancelJob": { "userErrors": [{ "code": "JOB_NOT_FOUND" }] } });
    assert_eq!(client.next().await, json!({ "id": "changing", "type": "next", "payload": { "data": refused } }));
    assert_eq!(client.next().await, json!({ "id": "changing", "type": "complete" }));
    assert_eq!(client.closed().await, 1001);
    timeout(Duration::from_mins(1), stopping).await.expect("the server ends").unwrap();
}

async fn a_server_that_leaves_says_so_and_serves_on(engine: Engine) {
    let site = Site::made(engine).await;
    let files = tempfile::tempdir().unwrap();
    let store = files.path().to_str().unwrap();
    let mut server = start(
        "joblink",
        &site.url,
        &["serve", "--listen", "127.0.0.1:0", "--artifacts", store, "--accept-artifacts", "--drain-delay", "3600"],
    );
    let base = until("it serves", async || {
        let line = server.out().lines().find(|line| line.starts_with("GraphQL "))?.to_owned();
        Some(line.split_once("   ")?.1.strip_suffix("/graphql")?.to_owned())
    })
    .await;
    let get = async |path: &str| {
        let answer = tests::http().get(format!("{base}{path}")).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    assert_eq!(get("/readyz").await, (StatusCode::OK, "ready".to_owned()));
    server.terminate();
    let leaving = (StatusCode::SERVICE_UNAVAILABLE, "the server is stopping".to_owned());
    until("it is not ready", async || (get("/readyz").await == leaving).then_some(())).await;
    assert_eq!(get("/healthz").await, (StatusCode::OK, "ok".to_owned()));
    until("it says so", async || server.out().contains("not ready any more").then_some(())).await;
    timeout(Duration::from_mins(1), async {
        // The second signal is awaited from just after that line on.
        while server.code().is_none() && !server.out().contains("\nstopping") {
            server.terminate();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    server.ended().await;
}
