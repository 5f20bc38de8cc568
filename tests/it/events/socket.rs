//! The protocol: who may connect, what closes a connection, and that no way around the checks leads through it.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use api::{
    app::{Limits, SocketLimits},
    checkpoint::{Checkpoint, Checkpoints},
};
use futures_util::SinkExt;
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};
use tokio::io::AsyncReadExt;
use tokio_tungstenite::{MaybeTlsStream, tungstenite::Message};

use super::client::{Client, open, open_at, watched_by};
use crate::{
    deletion::file,
    graphql::{program, tokens::expired},
};

const ENGINE: Engine = Engine::Sqlite;
const WHO: &str = "{ viewer { role } }";

async fn with_limits(tokens: bool, socket: SocketLimits) -> World {
    let limits = Limits { socket, ..Default::default() };
    World::with(ENGINE, Setup { tokens, limits, idle: true, ..Default::default() }).await
}

fn init(payload: &Value) -> Value {
    json!({ "type": "connection_init", "payload": payload })
}

#[tokio::test]
async fn only_ones_own_pages_may_connect() {
    let world = with_limits(false, SocketLimits::default()).await;
    let own = world.base();
    let port = own.rsplit_once(':').unwrap().1;
    let localhost = format!("localhost:{port}");
    for (headers, status) in [
        (vec![], None),
        (vec![("origin", &*own)], None),
        (vec![("host", &localhost), ("origin", &format!("http://{localhost}"))], None),
        (vec![("origin", "https://evil.example")], Some(403)),
        (vec![("origin", "null")], Some(403)),
        // Another program of this machine may serve anybody's pages.
        (vec![("origin", "http://127.0.0.1:1")], Some(403)),
        (vec![("origin", &format!("http://{localhost}"))], Some(403)),
        // A foreign name that was rebound to this machine.
        (vec![("host", "evil.example"), ("origin", "http://evil.example")], Some(403)),
        (vec![("host", "evil.example")], Some(403)),
    ] {
        assert_eq!(open(&world, &headers).await.err(), status, "{headers:?}");
    }
    let world = with_limits(true, SocketLimits::default()).await;
    assert_eq!(open(&world, &[("origin", "https://evil.example")]).await.err(), Some(403));
    assert!(open(&world, &[("host", "jobs.example"), ("origin", "https://jobs.example")]).await.is_ok());
    let world =
        World::with(ENGINE, Setup { tokens: true, origins: "https://pages.example", ..Default::default() }).await;
    assert!(open(&world, &[("origin", "https://pages.example")]).await.is_ok());
    assert_eq!(open(&world, &[("origin", "https://evil.example")]).await.err(), Some(403));
}

#[tokio::test]
async fn a_token_is_needed_to_be_let_in() {
    let world = with_limits(true, SocketLimits::default()).await;
    let anna = people(&world).await.anna;
    let bearer = format!("Bearer {}", anna.token);
    for (headers, payload, closed) in [
        (vec![], json!({ "Authorization": bearer }), None),
        (vec![], json!({ "authorization": bearer }), None),
        (vec![("authorization", &*bearer)], Value::Null, None),
        // What the client introduces itself with counts.
        (vec![("authorization", "Bearer wrong")], json!({ "Authorization": bearer }), None),
        (vec![("authorization", &*bearer)], json!({ "Authorization": "Bearer wrong" }), Some(4403)),
        (vec![], Value::Null, Some(4401)),
        (vec![], json!({ "token": anna.token }), Some(4401)),
        (vec![], json!({ "Authorization": anna.token }), Some(4403)),
        (vec![], json!({ "Authorization": format!("Bearer {}x", anna.token) }), Some(4403)),
        (vec![], json!({ "Authorization": format!("Bearer {}", expired(&anna)) }), Some(4403)),
        (vec![], json!({ "Authorization": "Bearer a\nb" }), Some(4403)),
        (vec![], json!({ "Authorization": null }), Some(4403)),
    ] {
        let mut client = Client(open(&world, &headers).await.unwrap());
        client.send(init(&payload)).await;
        match closed {
            None => assert_eq!(client.next().await, json!({ "type": "connection_ack" }), "{payload}"),
            Some(code) => assert_eq!(client.closed().await, code, "{payload}"),
        }
    }
}

#[tokio::test]
async fn no_log_however_talkative_shows_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = program(&["serve", "--listen", "127.0.0.1:0"]);
    command.current_dir(&folder).env("JOBLINK_LOG", "trace").stdout(Stdio::piped());
    let mut server = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let base = lines.find_map(|line| Some(line.strip_prefix("GraphQL ")?.trim().replace("/graphql", ""))).unwrap();
    let mut client = Client(open_at(&base, &[("authorization", "Bearer the-first-secret")]).await.unwrap());
    client.send(init(&json!({ "Authorization": "Bearer the-second-secret" }))).await;
    assert_eq!(client.next().await["type"], "connection_ack");
    client.ask("1", WHO, Value::Null).await;
    assert_eq!(client.next().await["type"], "next");
    server.kill().unwrap();
    server.wait().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("tokio_tungstenite"), "the library says something");
    assert!(!log.contains("-secret"), "{}", log.lines().find(|line| line.contains("-secret")).unwrap());
}

#[tokio::test]
async fn each_fault_closes_the_connection_with_its_code() {
    let world = with_limits(false, SocketLimits::default()).await;
    let operation = |id: &str| json!({ "id": id, "type": "subscribe", "payload": { "query": WHO } });
    let mut client = Client::silent(&world).await;
    client.send(operation("1")).await;
    assert_eq!(client.closed().await, 4401, "a message before the introduction");
    for message in ["x", "{}", "{\"type\":\"start\",\"id\":\"1\",\"payload\":{\"query\":\"{a}\"}}"] {
        let mut client = Client::new(&world).await;
        client.0.send(Message::text(message)).await.unwrap();
        assert_eq!(client.closed().await, 4400, "{message}");
    }
    let mut client = Client::new(&world).await;
    client.0.send(Message::binary(operation("1").to_string())).await.unwrap();
    assert_eq!(client.closed().await, 4400);
    let mut client = Client::new(&world).await;
    client.send(init(&Value::Null)).await;
    assert_eq!(client.closed().await, 4429);
    let mut client = Client::new(&world).await;
    client.watch("1", None).await;
    client.send(operation("1")).await;
    assert_eq!(client.closed().await, 4409);
    for protocol in ["", "graphql-ws"] {
        let mut client = Client(open(&world, &[("sec-websocket-protocol", protocol)]).await.unwrap());
        assert_eq!(client.closed().await, 4406, "{protocol:?}");
    }
    let world = with_limits(false, SocketLimits { init: Duration::from_millis(50), ..Default::default() }).await;
    assert_eq!(Client::silent(&world).await.closed().await, 4408);
}

/// A world in which the program panics once where an operation is executed, while this is set.
async fn panicking() -> (World, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(false));
    let panics = armed.clone();
    let checkpoints = Checkpoints::hooked(move |at| {
        let panics = at == Checkpoint::Executing && panics.swap(false, Ordering::SeqCst);
        Box::pin(async move { if panics { panic!("asked for by a test") } else { Ok(()) } })
    });
    (World::with(ENGINE, Setup { idle: true, checkpoints, ..Default::default() }).await, armed)
}

#[tokio::test]
async fn an_operation_in_which_the_program_panics_is_answered_on_every_way() {
    let (world, armed) = panicking().await;
    let mut client = Client::new(&world).await;
    client.watch("watching", None).await;
    watched_by(&world, 1).await;
    let subscription = "subscription { jobEvents { type } }";
    for query in [WHO, subscription] {
        armed.store(true, Ordering::SeqCst);
        client.ask("broken", query, Value::Null).await;
        let answer = client.next().await;
        assert_eq!((&answer["type"], &answer["id"]), (&json!("error"), &json!("broken")), "{answer}");
        let extensions = &answer["payload"][0]["extensions"];
        assert_eq!(extensions["code"], "INTERNAL_SERVER_ERROR");
        assert_eq!(extensions["requestId"].as_str().unwrap().len(), 36);
        assert!(!answer.to_string().contains("asked for"), "{answer}");
    }
    client.ask("broken", WHO, Value::Null).await;
    assert_eq!(client.next().await["type"], "next", "the connection and the id can be used on");
    assert_eq!(client.next().await["type"], "complete");
    watched_by(&world, 1).await;

    for (accept, query, status) in [("application/json", WHO, 500), ("text/event-stream", subscription, 200)] {
        armed.store(true, Ordering::SeqCst);
        let request = world.post().header("accept", accept).header("x-request-id", "mine");
        let answer = request.json(&json!({ "query": query })).send().await.unwrap();
        assert_eq!(answer.status(), status);
        let answer = answer.text().await.unwrap();
        assert!(answer.contains("\"INTERNAL_SERVER_ERROR\"") && answer.contains("\"mine\""), "{answer}");
        assert_eq!(answer.ends_with("event: complete\ndata:\n\n"), status == 200, "{answer}");
    }
}

#[tokio::test]
async fn pings_are_answered_with_what_they_bear() {
    let world = with_limits(false, SocketLimits::default()).await;
    let mut client = Client::silent(&world).await;
    client.send(json!({ "type": "ping", "payload": { "a": [1] } })).await;
    assert_eq!(client.next().await, json!({ "type": "pong", "payload": { "a": [1] } }));
    client.send(json!({ "type": "ping" })).await;
    assert_eq!(client.next().await, json!({ "type": "pong" }));
    client.send(json!({ "type": "pong" })).await;
    client.send(init(&json!({}))).await;
    assert_eq!(client.next().await["type"], "connection_ack");
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_left() {
    let world = with_limits(false, SocketLimits { ping: Duration::from_millis(50), ..Default::default() }).await;
    let mut answering = Client::new(&world).await;
    let silent = Client::new(&world).await;
    // What is read here is not answered.
    let MaybeTlsStream::Plain(mut stream) = silent.0.into_inner() else { panic!("not encrypted") };
    let mut said = Vec::new();
    let talking = async {
        loop {
            answering.send(json!({ "type": "ping" })).await;
            assert_eq!(answering.next().await["type"], "pong");
        }
    };
    tokio::select! {
        read = stream.read_to_end(&mut said) => { read.unwrap(); }
        () = talking => {}
    }
    let closing = [&[0x88, 9][..], &3008_u16.to_be_bytes(), b"Timeout"].concat();
    assert!(said.ends_with(&closing), "{said:?}");
}

#[tokio::test]
async fn who_may_no_longer_sign_in_is_shown_out() {
    let world = with_limits(true, SocketLimits { recheck: Duration::from_millis(20), ..Default::default() }).await;
    let people = people(&world).await;
    let mut anna = Client::signed_in(&world, &people.anna.token).await;
    let mut ben = Client::signed_in(&world, &people.ben.token).await;
    anna.watch("1", None).await;
    ben.watch("1", None).await;
    watched_by(&world, 2).await;
    world.run("UPDATE users SET is_active = false WHERE username = 'anna'").await;
    assert_eq!(anna.closed().await, 4403);
    watched_by(&world, 1).await;
    ben.ask("2", WHO, Value::Null).await;
    assert_eq!(ben.next().await["payload"]["data"]["viewer"]["role"], "MEMBER");
}

#[tokio::test]
async fn operations_of_all_kinds_pass_the_same_checks_as_over_http() {
    let world = with_limits(false, SocketLimits::default()).await;
    let bomb = (0..10).fold("{ ...F0 }".to_owned(), |text, n| {
        text + &format!(" fragment F{n} on Query {{ {} }}", format!("...F{} ", n + 1).repeat(10))
    }) + " fragment F10 on Query { __typename }";
    let mut client = Client::new(&world).await;
    for (query, variables) in [
        ("{", json!({})),
        ("{ nothing }", json!({})),
        ("query($id: ID!) { job(id: $id) { id } }", json!({})),
        (&*bomb, json!({})),
        (&*format!("{{ {} }}", "a".repeat(300_000)), json!({})),
        (&*"{ a ".repeat(1000), json!({})),
        ("subscription { jobEvents { nothing } }", json!({})),
        ("subscription($id: ID) { jobEvents(jobId: $id) { at } }", json!({ "id": [1] })),
    ] {
        let mut http = world.answer(query, variables.clone()).await;
        client.ask("1", query, variables).await;
        let mut socket = client.next().await;
        assert_eq!((&socket["type"], &socket["id"]), (&json!("error"), &json!("1")), "{socket}");
        for answer in [&mut http["errors"], &mut socket["payload"]] {
            for error in answer.as_array_mut().unwrap() {
                assert!(error["extensions"]["requestId"].take().is_string());
            }
        }
        assert_eq!(socket["payload"], http["errors"]);
    }
    for (query, message) in [
        ("subscription { jobEvents { at } other: jobEvents { at } }", "exactly one field"),
        (
            "subscription { ...F } fragment F on Subscription { jobEvents { at } b: jobEvents { at } }",
            "exactly one field",
        ),
        ("subscription { __typename }", "__typename"),
        ("subscription { jobEvents @skip(if: true) { at } }", "exactly one field"),
    ] {
        client.ask("1", query, Value::Null).await;
        let answer = client.next().await;
        assert_eq!(answer["type"], "error");
        assert!(answer["payload"][0]["message"].as_str().unwrap().contains(message), "{answer}");
    }
    // The same response key executes once.
    let job = world.adopted_job(world.local_user().await, None, "annual", "completed").await;
    let delete = format!("deleteJob(id: \"{job}\") {{ deletedJobId userErrors {{ code }} }}");
    client.ask("1", &format!("mutation {{ {delete} ...F }} fragment F on Mutation {{ {delete} }}"), Value::Null).await;
    let deleted = json!({ "deleteJob": { "deletedJobId": job, "userErrors": [] } });
    assert_eq!(client.next().await, json!({ "id": "1", "type": "next", "payload": { "data": deleted } }));
    assert_eq!(client.next().await, json!({ "id": "1", "type": "complete" }));
    assert_eq!(world.count("SELECT count(*) FROM audit_log").await, 1);
    let answer = world.answer("subscription { jobEvents { at } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn a_connection_has_so_many_operations_and_no_more() {
    let world = with_limits(false, SocketLimits::default()).await;
    let mut client = Client::new(&world).await;
    for number in 0..100 {
        client.watch(&number.to_string(), None).await;
    }
    client.watch("too many", None).await;
    let refused = client.next().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("too many")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "QUERY_TOO_COMPLEX");
    watched_by(&world, 100).await;
    for number in 0..99 {
        client.send(json!({ "id": number.to_string(), "type": "complete" })).await;
    }
    watched_by(&world, 1).await;
    // One that is over makes room, and nothing more comes of it.
    client.ask("too many", WHO, Value::Null).await;
    assert_eq!(client.next().await["type"], "next");
    drop(client);
    watched_by(&world, 0).await;
}

#[tokio::test]
async fn a_server_that_stops_closes_its_connections() {
    let mut world = World::new(ENGINE).await;
    let mut client = Client::new(&world).await;
    client.watch("1", None).await;
    // One that reads nothing, with more to read than the network holds.
    let mut stuck = Client::new(&world).await;
    let big = format!("{{ {} }}", (0..90).map(|n| format!("a{n}: __typename ")).collect::<String>());
    for number in 0..100 {
        stuck.ask(&number.to_string(), &big, Value::Null).await;
    }
    let unknown = Client::silent(&world).await;
    watched_by(&world, 1).await;
    tokio::time::timeout(Duration::from_secs(20), world.stop()).await.expect("the server does not stop");
    assert_eq!(client.closed().await, 1001);
    drop((stuck, unknown));
    assert_eq!(world.app.events.watchers().await, 0);
}

#[tokio::test]
async fn a_message_larger_than_a_request_may_be_ends_the_connection() {
    let limits = Limits { body_bytes: 10_000, ..Default::default() };
    let world = World::with(ENGINE, Setup { limits, ..Default::default() }).await;
    let mut client = Client::new(&world).await;
    client.ask("1", WHO, json!({ "file": file(1000) })).await;
    assert!([4400, 1006].contains(&client.closed().await));
}
