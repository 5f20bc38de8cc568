//! A client that takes its time holds nothing up for long, and one that is only slow is served.

use std::time::Duration;

use api::app::{ConnectionLimits, Limits};
use axum::http::Request;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tests::{Engine, Setup, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, interval, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use crate::events::client::Client;

/// How long to wait for what should come soon.
const PATIENCE: Duration = Duration::from_mins(1);
/// A time that no test waits for.
const LONG: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_millis(400);

/// All times but those of the test are long.
fn patient() -> ConnectionLimits {
    ConnectionLimits { head: LONG, idle: LONG, body: LONG, take: LONG, ..Default::default() }
}

async fn world(connections: ConnectionLimits) -> World {
    let limits = Limits { connections, ..Limits::default() };
    World::with(Engine::Sqlite, Setup { limits, idle: true, ..Default::default() }).await
}

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.server().address).await.unwrap()
}

/// Everything until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // Closed while something was unread, a connection is reset.
    _ = timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("the connection is closed");
    String::from_utf8_lossy(&text).into_owned()
}

/// Asks whether the server is alive, on a connection that stays open.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok") {
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut answer)).await.unwrap().unwrap(), 0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_head_must_come_in_time_the_first_one_and_the_next() {
    let world = world(ConnectionLimits { head: SHORT, ..patient() }).await;
    for begin in ["", "G", "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-more: "] {
        let mut stream = connect(&world).await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        assert_eq!(rest(&mut stream).await, "", "{begin}");
    }
    // A pause between requests is no head; what comes after it is.
    let mut stream = connect(&world).await;
    ask(&mut stream).await;
    assert!(timeout(SHORT * 3, stream.read_u8()).await.is_err(), "a pause is allowed");
    ask(&mut stream).await;
    stream.write_all(b"GET /").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_must_come_in_time() {
    let world = world(ConnectionLimits { head: SHORT, ..patient() }).await;
    let mut stream = connect(&world).await;
    let mut turns = interval(Duration::from_millis(20));
    let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: {}", "a".repeat(100_000));
    let dripping = async {
        for byte in head.bytes() {
            turns.tick().await;
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    };
    timeout(PATIENCE, dripping).await.expect("the server closes the connection");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_after_a_while() {
    let world = world(ConnectionLimits { idle: SHORT, ..patient() }).await;
    let mut stream = connect(&world).await;
    ask(&mut stream).await;
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_with_408() {
    let world = world(ConnectionLimits { body: SHORT, ..patient() }).await;
    let heads = [
        "POST /graphql HTTP/1.1\r\ncontent-type: application/json\r\n",
        "POST /uploads?name=a.csv HTTP/1.1\r\ncontent-type: text/csv\r\n",
    ];
    for head in heads {
        let mut stream = connect(&world).await;
        let head = format!("{head}host: localhost\r\nx-request-id: slow-1\r\ncontent-length: 100\r\n\r\n{{");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("\"code\":\"REQUEST_TIMEOUT\"") && answer.contains("slow-1"), "{answer}");
    }
    assert_eq!(world.count("SELECT count(*) FROM staged_uploads").await, 0);
}

#[tokio::test]
async fn a_body_that_trickles_is_refused_and_one_that_keeps_the_rate_is_taken_however_long_it_takes() {
    let window = Duration::from_secs(2);
    let world = world(ConnectionLimits { body: window, body_rate: 40, ..patient() }).await;
    // Bytes for each twentieth of a second: 20 a second, and 400 a second.
    for (bytes, times, status) in [(1, 1_000, "408"), (20, 120, "201")] {
        let mut stream = connect(&world).await;
        let head = format!(
            "POST /uploads?name=a.csv HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            bytes * times
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut reading, mut writing) = stream.split();
        let mut answer = String::new();
        let began = Instant::now();
        let send = async {
            let mut turns = interval(Duration::from_millis(50));
            for _ in 0..times {
                turns.tick().await;
                if writing.write_all(&vec![b'a'; bytes]).await.is_err() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        let read = async { _ = reading.read_to_string(&mut answer).await };
        tokio::select! {
            () = send => {}
            done = timeout(PATIENCE, read) => done.expect("an answer"),
        }
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(began.elapsed() > window, "the second one took longer than a window, the first one at least one");
    }
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_dropped() {
    let world = world(ConnectionLimits { take: SHORT, ..patient() }).await;
    let mut stream = connect(&world).await;
    // The page's own query, many times: far more than the system keeps for a client.
    let query =
        json!({ "query": "{ __schema { types { name fields { name description args { name description } } } } }" })
            .to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{query}",
        query.len()
    );
    let asking = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
    timeout(PATIENCE, asking).await.expect("the server closes the connection");
    world.until(async || (world.app.metrics.connections.get() == 0).then_some(())).await;
}

#[tokio::test]
async fn an_http_2_stream_that_nobody_takes_is_dropped_and_its_connection_serves_on() {
    let world = world(ConnectionLimits { take: SHORT, ..patient() }).await;
    let mut builder = h2::client::Builder::new();
    let (client, connection) =
        builder.initial_window_size(1_000).handshake::<_, Bytes>(connect(&world).await).await.unwrap();
    tokio::spawn(connection);
    let ask = async |accept: &str, query: &str| {
        let request = Request::post("http://localhost/graphql")
            .header("content-type", "application/json")
            .header("accept", accept)
            .body(())
            .unwrap();
        let mut client = client.clone().ready().await.unwrap();
        let (answer, mut body) = client.send_request(request, false).unwrap();
        body.send_data(json!({ "query": query }).to_string().into(), true).unwrap();
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body()
    };
    let mut watching = ask("text/event-stream", "subscription { jobEvents { type } }").await;
    let mut answer = ask("application/json", "{ __schema { types { name fields { name description } } } }").await;
    let mut came = 0;
    // It is read, but the server is not told that it may send more.
    let end = loop {
        match timeout(PATIENCE, answer.data()).await.expect("the stream ends").expect("not the whole answer") {
            Ok(bytes) => came += bytes.len(),
            Err(error) => break error,
        }
    };
    assert!(end.is_reset() && end.is_remote(), "{end}");
    assert_eq!(came, 1_000, "what fits the window");
    // One that has nothing to send is waited for.
    assert_eq!(&watching.data().await.unwrap().unwrap()[..], b":\n\n");
    let mut answer = ask("application/json", "{ __typename }").await;
    assert!(answer.data().await.unwrap().unwrap().starts_with(b"{\"data\""));
    assert!(timeout(SHORT, watching.data()).await.is_err(), "still open");
}

#[tokio::test]
async fn a_websocket_outlives_the_times_of_requests_and_counts_as_a_connection() {
    let connections = ConnectionLimits { head: SHORT, idle: SHORT, body: SHORT, take: SHORT, ..patient() };
    let world = world(connections).await;
    let mut client = Client::new(&world).await;
    tokio::time::sleep(SHORT * 4).await;
    client.send(json!({ "type": "ping" })).await;
    assert_eq!(client.next().await, json!({ "type": "pong" }));
    assert_eq!((world.app.metrics.connections.get(), world.app.metrics.sockets.get()), (1, 1));
    client.0.send(Message::Close(None)).await.unwrap();
    while client.0.next().await.is_some_and(|message| message.is_ok()) {}
    world.until(async || (world.app.metrics.connections.get() == 0).then_some(())).await;
    assert_eq!(world.app.metrics.sockets.get(), 0);
}
