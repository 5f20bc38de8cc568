//! An error quotes of what is wrong with a request as much as one can read.

use serde_json::{Value, json};
use tests::{Engine, World};

use super::raw;

/// Longer than any message.
const LONG: usize = 200_000;
/// Characters of a message, or less.
const MESSAGE: usize = 1_000;

/// Sends it, and looks at each of its errors.
async fn check(world: &World, body: &Value, whose: &str) -> Vec<Value> {
    let (_, _, text) = raw(world.post().json(body)).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    let top = answer["errors"].as_array().cloned().unwrap_or_default();
    let own = answer["data"].as_object().into_iter().flatten().filter_map(|(_, field)| field["userErrors"].as_array());
    let all: Vec<_> = own.flatten().chain(&top).cloned().collect();
    for error in &all {
        let message = error["message"].as_str().unwrap();
        assert!(message.chars().count() <= MESSAGE, "{whose}: {} bytes of a message", message.len());
        assert!(message.ends_with(['.', '…']) || error.get("field").is_some(), "{whose}: {message}");
    }
    assert!(text.len() < 20_000, "{whose}: {} bytes", text.len());
    all
}

#[tokio::test]
async fn what_an_error_quotes_is_short() {
    let world = World::with(Engine::Sqlite, tests::Setup { idle: true, ..Default::default() }).await;
    let long = "x".repeat(LONG);
    for document in [
        "{ LONG }",
        "{ jobs(LONG: 1) { totalCount } }",
        "{ jobs { LONG } }",
        "query($a: LONG) { jobs(first: $a) { totalCount } }",
        "query($LONG: Int) { viewer { role } }",
        "{ jobs(first: $LONG) { totalCount } }",
        "query($LONG: String) { jobs(first: $LONG) { totalCount } }",
        "{ ...LONG }",
        "{ viewer { role } } fragment LONG on Query { viewer { role } }",
        "{ ...F } fragment F on LONG { viewer { role } }",
        "{ ... on LONG { viewer { role } } }",
        "{ viewer @LONG { role } }",
        "{ viewer @skip(LONG: true) { role } }",
        "{ jobs(filter: {status: LONG}) { totalCount } }",
        "{ jobs(filter: {LONG: 1}) { totalCount } }",
        "{ jobs(first: \"LONG\") { totalCount } }",
        "{ jobs(first: LONG) { totalCount } }",
        "{ jobs(after: \"LONG\") { totalCount } }",
        "{ jobs(filter: {createdAfter: \"LONG\"}) { totalCount } }",
        "{ jobs(filter: {createdAfter: \"LONG LONG\"}) { totalCount } }",
        "{ job(id: LONG) { id } }",
        "{ job(id: {LONG: 1}) { id } }",
        "query LONG { viewer { role } } query LONG { viewer { role } }",
        "{ ...LONG ...LONG } fragment LONG on Query { viewer { role } } fragment LONG on Query { viewer { role } }",
        "{ LONG: jobs { totalCount } LONG: viewer { role } }",
        "subscription LONG { a: jobEvents { type } b: jobEvents { type } }",
        "mutation { deleteJob(id: \"LONG\") { userErrors { code message field } } }",
        "mutation { deletePredictions(ids: [\"LONG\"]) { userErrors { code message field } } }",
        "mutation { createJob(input: {kind: ANNUAL, source: {uploadId: \"LONG\"}}) { userErrors { code message field } } }",
        "mutation { createJob(input: {kind: LONG, source: {uploadId: \"LONG\"}}) { userErrors { code message field } } }",
    ] {
        // What is named twice is half as long, so that the document is not too long.
        let name = &long[..LONG / document.matches("LONG").count()];
        let errors = check(&world, &json!({ "query": document.replace("LONG", name) }), document).await;
        assert!(!errors.is_empty(), "{document} has no error");
        for code in errors.iter().map(|error| &error["extensions"]["code"]) {
            assert_ne!(code, "DOCUMENT_TOO_LARGE", "{document}");
        }
    }
    let known = json!({ "query": "query A { viewer { role } } query B { viewer { role } }", "operationName": long });
    assert_eq!(check(&world, &known, "operationName").await.len(), 1);
    for (kind, query, value) in [
        ("JobStatus!", "jobs(filter: {status: $value}) { totalCount }", json!(long)),
        ("JobFilter", "jobs(filter: $value) { totalCount }", json!({ &long: 1 })),
        ("JobFilter", "jobs(filter: $value) { totalCount }", json!({ "createdAfter": long })),
        ("Int", "jobs(first: $value) { totalCount }", json!(long)),
        ("String", "jobs(after: $value) { totalCount }", json!(long)),
        ("ID!", "job(id: $value) { id }", json!({ &long: 1 })),
        ("ID!", "job(id: $value) { id }", json!([long])),
    ] {
        let query = format!("query($value: {kind}) {{ {query} }}");
        let errors = check(&world, &json!({ "query": query, "variables": { "value": value } }), &query).await;
        assert!(!errors.is_empty(), "{query} has no error");
    }
}

#[tokio::test]
async fn what_a_multipart_request_names_is_quoted_shortly() {
    let world = World::with(Engine::Sqlite, tests::Setup { idle: true, ..Default::default() }).await;
    let long = "z".repeat(LONG);
    let operations = json!({ "query": "query($file: Upload) { viewer { role } }", "variables": { "file": null } });
    let form = reqwest::multipart::Form::new()
        .text("operations", operations.to_string())
        .text("map", json!({ "0": [long] }).to_string())
        .part("0", reqwest::multipart::Part::bytes(b"a".to_vec()).file_name("a.csv"));
    let request = world.post().header("apollo-require-preflight", "1").multipart(form);
    let answer: Value = serde_json::from_str(&raw(request).await.2).unwrap();
    let quoted = &long[..100];
    let expected = format!("The path \"{quoted}…\" of \"map\" leads to no null in \"operations\".");
    assert_eq!(answer["errors"][0]["message"], expected);
}

#[tokio::test]
async fn what_is_long_is_quoted_from_its_beginning() {
    let world = World::with(Engine::Sqlite, tests::Setup { idle: true, ..Default::default() }).await;
    let message = async |name: &str| {
        let answer = world.answer(&format!("{{ {name} }}"), json!({})).await;
        answer["errors"][0]["message"].as_str().unwrap().to_owned()
    };
    for length in [1, 100] {
        let name = "y".repeat(length);
        assert_eq!(message(&name).await, format!("Unknown field \"{name}\" on type \"Query\"."));
    }
    let long = "y".repeat(LONG);
    assert_eq!(message(&long).await, format!("Unknown field \"{}…\" on type \"Query\".", &long[..100]));
}
