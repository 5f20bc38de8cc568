//! A server that is told to stop ends, whatever its callers do.

use std::time::Duration;

use tests::Engine;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::migrations::{
    program::{Running, start},
    site::{Site, until},
};

tests::on_both!(a_caller_who_never_ends_does_not_hold_up_a_server_that_stops);

/// A server with a caller who has sent half of a request.
async fn with_a_slow_caller(site: &Site, more: &[&str]) -> (Running, TcpStream) {
    let files = tempfile::tempdir().unwrap();
    let store = files.path().to_str().unwrap();
    let arguments = [&["serve", "--listen", "127.0.0.1:0", "--artifacts", store, "--accept-artifacts"], more].concat();
    let server = start("joblink", &site.url, &arguments);
    let host = until("it serves", async || {
        let line = server.out().lines().find(|line| line.starts_with("GraphQL "))?.to_owned();
        Some(line.split_once("http://")?.1.strip_suffix("/graphql")?.to_owned())
    })
    .await;
    let mut caller = TcpStream::connect(&host).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    caller.write_all(head.as_bytes()).await.unwrap();
    // Once another request is answered, the first one is being read.
    tests::http().get(format!("http://{host}/readyz")).send().await.unwrap();
    (server, caller)
}

async fn a_caller_who_never_ends_does_not_hold_up_a_server_that_stops(engine: Engine) {
    let site = Site::made(engine).await;
    let said = "joblink: stopped before every request was answered; jobs go on where they are\n";
    let (mut server, _caller) = with_a_slow_caller(&site, &["--stop-within", "1"]).await;
    server.terminate();
    assert_eq!(server.ended().await, 1);
    until("it says why", async || server.err().ends_with(said).then_some(())).await;

    let (mut server, _caller) = with_a_slow_caller(&site, &["--stop-within", "3600"]).await;
    server.terminate();
    until("it is stopping", async || server.out().contains("stopping").then_some(())).await;
    tokio::time::timeout(Duration::from_mins(1), async {
        // The second signal is awaited from just after that line on.
        while server.code().is_none() {
            server.terminate();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(server.ended().await, 1);
}
