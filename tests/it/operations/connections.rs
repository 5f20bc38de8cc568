//! How many connections there may be, and how large a head.

use std::{net::SocketAddr, time::Duration};

use api::app::{ConnectionLimits, Limits};
use reqwest::StatusCode;
use tests::{Engine, Setup, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::certificate::Authority;

async fn world(connections: ConnectionLimits, setup: Setup) -> World {
    let limits = Limits { connections, ..Limits::default() };
    World::with(Engine::Sqlite, Setup { limits, idle: true, ..setup }).await
}

async fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed already.
    _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    stream
}

async fn is_answered(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 12];
    let read = timeout(Duration::from_mins(1), stream.read_exact(&mut answer)).await.expect("an end");
    read.is_ok() && &answer == b"HTTP/1.1 200"
}

#[tokio::test]
async fn beyond_the_limit_a_connection_waits_for_another_one_to_end() {
    let world = world(ConnectionLimits { connections: 2, ..Default::default() }, Setup::default()).await;
    let address = world.server().address;
    let (mut first, mut second) = (ask(address).await, ask(address).await);
    assert!(is_answered(&mut first).await && is_answered(&mut second).await);
    let mut third = ask(address).await;
    let waits = timeout(Duration::from_millis(300), third.readable()).await;
    assert!(waits.is_err(), "there are places for two");
    assert_eq!(world.app.metrics.connections.get(), 2);
    drop(first);
    assert!(is_answered(&mut third).await);
}

#[tokio::test]
async fn one_address_gets_no_more_than_its_share() {
    let world = world(ConnectionLimits { per_address: 1, ..Default::default() }, Setup::default()).await;
    let address = world.server().address;
    let mut first = ask(address).await;
    assert!(is_answered(&mut first).await);
    assert!(!is_answered(&mut ask(address).await).await, "closed");
    drop(first);
    world.until(async || is_answered(&mut ask(address).await).await.then_some(())).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_with_431() {
    let authority = Authority::new();
    let setup = Setup { tls: Some(authority.tls()), ..Default::default() };
    let world = world(ConnectionLimits { head_bytes: 16 * 1024, ..Default::default() }, setup).await;
    for client in [authority.client().http1_only(), authority.client()] {
        let client = client.build().unwrap();
        for (bytes, status) in [(8_000, StatusCode::OK), (40_000, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)] {
            let request = client.get(format!("{}/healthz", world.base())).header("x-large", "a".repeat(bytes));
            assert_eq!(request.send().await.unwrap().status(), status, "{bytes}");
        }
    }
}
