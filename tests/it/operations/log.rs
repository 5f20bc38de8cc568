//! The log: a line for each request where that is wanted, in JSON where that is wanted, and never a secret in it.

use serde_json::{Value, json};
use tests::Engine;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    events::client::{Client, open_at},
    migrations::{
        program::{Running, start_with},
        site::{Site, until},
    },
};

/// A server that writes a line of JSON for each request, and where it is.
async fn talkative(site: &Site, store: &str) -> (Running, String) {
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "127.0.0.1:0",
        "--artifacts",
        store,
        "--accept-artifacts",
        "--log-format",
        "json",
    ];
    let server = start_with("joblink", &site.url, &arguments, &[("JOBLINK_LOG", "info,access=info")]);
    let base = until("it serves", async || {
        let line = server.out().lines().find(|line| line.starts_with("GraphQL "))?.to_owned();
        Some(line.split_once("   ")?.1.strip_suffix("/graphql")?.to_owned())
    })
    .await;
    (server, base)
}

/// The line of a request in which this stands.
async fn line_with(server: &Running, text: &str) -> Value {
    let line = until("it is logged", async || {
        let lines = server.err();
        lines.lines().find(|line| line.contains(text) && line.contains("\"access\"")).map(ToOwned::to_owned)
    })
    .await;
    serde_json::from_str(&line).expect(&line)
}

#[tokio::test]
async fn operations_of_sockets_and_streams_and_of_who_hung_up_are_lines_too() {
    let site = Site::made(Engine::Sqlite).await;
    let files = tempfile::tempdir().unwrap();
    let (mut server, base) = talkative(&site, files.path().to_str().unwrap()).await;
    let mut client = Client::init(open_at(&base, &[]).await.unwrap(), json!({})).await;
    for (id, name, query) in [
        ("1", "InSocket", "query InSocket { viewer { role } }"),
        ("2", "Broken", "query Broken { nothing }"),
        ("3", "Watched", "subscription Watched { jobEvents { type } }"),
    ] {
        let payload = json!({ "query": query, "operationName": name });
        client.send(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }
    let line = line_with(&server, "InSocket").await;
    assert_eq!((&line["transport"], &line["path"]), (&json!("websocket"), &json!("/graphql")), "{line}");
    assert!(line["ms"].is_u64() && line["user"].is_string() && line["request_id"].is_string(), "{line}");
    assert_eq!(line_with(&server, "GRAPHQL_VALIDATION_FAILED").await["transport"], "websocket");
    client.send(json!({ "id": "3", "type": "complete" })).await;
    assert_eq!(line_with(&server, "Watched").await["transport"], "websocket", "when it has ended");

    let query = json!({ "query": "subscription Streamed { jobEvents { type } }", "operationName": "Streamed" });
    let request = tests::http().post(format!("{base}/graphql")).header("accept", "text/event-stream");
    let stream = request.json(&query).send().await.unwrap();
    let line = line_with(&server, "Streamed").await;
    assert!(line["status"] == 200 && line["user"].is_string(), "{line}");
    drop(stream);

    // What somebody else's transaction holds up does not end before its caller has left.
    site.run("BEGIN IMMEDIATE").await;
    let body = json!({ "query": "mutation { cancelJob(id: \"none\") { userErrors { code } } }" }).to_string();
    let head = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nx-request-id: hung-up";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut hung_up = TcpStream::connect(base.strip_prefix("http://").unwrap()).await.unwrap();
    hung_up.write_all(request.as_bytes()).await.unwrap();
    let metrics = until("it shows metrics", async || {
        server.out().lines().find_map(|line| line.strip_prefix("Metrics   ").map(ToOwned::to_owned))
    });
    let metrics = metrics.await;
    until("it is at work", async || {
        let page = tests::http().get(&metrics).send().await.ok()?.text().await.ok()?;
        page.contains("joblink_db_transactions_waiting 1").then_some(())
    })
    .await;
    drop(hung_up);
    assert_eq!(line_with(&server, "hung-up").await["status"], 499);
    site.run("ROLLBACK").await;
    server.terminate();
    server.ended().await;
}

#[tokio::test]
async fn each_request_is_a_line_of_json_without_what_it_said() {
    let site = Site::made(Engine::Sqlite).await;
    let files = tempfile::tempdir().unwrap();
    let (mut server, base) = talkative(&site, files.path().to_str().unwrap()).await;
    let request = json!({ "query": "query Who($id: ID!) { viewer { role } job(id: $id) { id } }", "variables": { "id": "a-secret" } });
    let answer = tests::http()
        .post(format!("{base}/graphql?key=a-secret"))
        .bearer_auth("a-secret")
        .header("x-request-id", "request-1")
        .json(&json!({ "query": request["query"], "variables": request["variables"], "operationName": "Who" }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let line = line_with(&server, "request-1").await;
    for (name, value) in [
        ("target", json!("access")),
        ("level", json!("INFO")),
        ("method", json!("POST")),
        ("path", json!("/graphql")),
        ("status", json!(200)),
        ("operation", json!("Who")),
        ("request_id", json!("request-1")),
    ] {
        assert_eq!(line[name], value, "{name} of {line}");
    }
    assert!(line["ms"].is_u64() && line["user"].is_string(), "{line}");
    server.terminate();
    server.ended().await;
    let log = server.err();
    assert!(!log.contains("secret"), "{log}");
    for line in log.lines().filter(|line| !line.starts_with("joblink:")) {
        serde_json::from_str::<Value>(line).expect(line);
    }
}

#[tokio::test]
async fn a_page_of_another_site_is_a_line_that_says_what_to_set() {
    let site = Site::made(Engine::Sqlite).await;
    let files = tempfile::tempdir().unwrap();
    let (mut server, base) = talkative(&site, files.path().to_str().unwrap()).await;
    let client = tests::http();
    let own = base.replace("localhost", "127.0.0.1");
    let query = json!({ "query": "{ __typename }" });
    let ask = async |origin: &str, site: &str| {
        let request = client.post(format!("{base}/graphql?key=a-secret")).header("origin", origin);
        request.header("sec-fetch-site", site).json(&query).send().await.unwrap().status()
    };
    assert_eq!(ask(&own, "same-origin").await, 200);
    // As behind a proxy that passes on another name.
    assert_eq!(ask("http://localhost:1", "same-origin").await, 200);
    assert_eq!(ask("http://localhost:5173", "same-site").await, 200, "but the browser keeps it from the page");
    assert_eq!(ask("https://pages.example", "cross-site").await, 403);
    assert!(open_at(&base, &[("origin", "http://localhost:5174")]).await.is_err());
    server.terminate();
    server.ended().await;
    let log = server.err();
    let told: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told: Vec<_> = told.iter().filter(|line| line["origin"].is_string()).collect();
    let origins: Vec<_> = told.iter().map(|line| line["origin"].as_str().unwrap()).collect();
    assert_eq!(origins, ["http://localhost:5173", "https://pages.example", "http://localhost:5174"], "one line each");
    for line in told {
        assert!(line["message"].as_str().unwrap().contains("--cors-origin"), "{line}");
        assert_eq!((&line["level"], &line["path"]), (&json!("INFO"), &json!("/graphql")), "{line}");
        assert!(line["span"]["id"].is_string(), "the request can be found: {line}");
    }
    assert!(!log.contains("secret"), "{log}");
}
