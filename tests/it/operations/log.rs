//! The log: a line for each request where that is wanted, in JSON where that is wanted, and never a secret in it.

use serde_json::{Value, json};
use tests::Engine;

use crate::migrations::{
    program::start_with,
    site::{Site, until},
};

#[tokio::test]
async fn each_request_is_a_line_of_json_without_what_it_said() {
    let site = Site::made(Engine::Sqlite).await;
    let files = tempfile::tempdir().unwrap();
    let store = files.path().to_str().unwrap();
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--artifacts", store, "--accept-artifacts", "--log-format", "json"];
    let mut server = start_with("joblink", &site.url, &arguments, &[("JOBLINK_LOG", "info,access=info")]);
    let base = until("it serves", async || {
        let line = server.out().lines().find(|line| line.starts_with("GraphQL "))?.to_owned();
        Some(line.split_once("   ")?.1.strip_suffix("/graphql")?.to_owned())
    })
    .await;
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
    let line = until("it is logged", async || {
        let lines = server.err();
        lines.lines().find(|line| line.contains("request-1") && line.contains("\"access\"")).map(ToOwned::to_owned)
    })
    .await;
    let line: Value = serde_json::from_str(&line).expect(&line);
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
