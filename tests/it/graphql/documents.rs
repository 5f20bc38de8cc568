//! What is no request, no document or too much of one is refused at once, with its code and its status.

use std::{fmt::Write as _, time::Duration};

use api::app::{DocumentLimits, Limits};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use super::{code, says_one_sentence};

const MODERN: &str = "application/graphql-response+json";

/// Sends a body and gives status and answer; every error in it is for people.
async fn send(world: &World, accept: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
    let request = world.post().header("content-type", "application/json").header("accept", accept).body(body);
    let response = request.send().await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, format!("{}; charset=utf-8", if accept.contains(MODERN) { MODERN } else { "application/json" }));
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    for error in answer["errors"].as_array().into_iter().flatten() {
        says_one_sentence(error);
    }
    (status, answer)
}

#[tokio::test]
async fn a_document_that_cannot_be_read_or_is_wrong_is_not_executed() {
    let world = World::new(Engine::Sqlite).await;
    for (document, expected) in [
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ viewer { role }", "GRAPHQL_PARSE_FAILED"),
        ("{ viewer(} { role }", "GRAPHQL_PARSE_FAILED"),
        ("{ jobs(first: 1.) { totalCount } }", "GRAPHQL_PARSE_FAILED"),
        ("query { }", "GRAPHQL_PARSE_FAILED"),
        ("\u{0}", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "{ viewer { role } ...F } fragment F on Query { ...G } fragment G on Query { ...F }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "{ ...F } fragment F on Query { jobs { nodes { predictions { nodes { job { ...G } } } } } } fragment G on Job { createdBy @skip(if: true) { id } predictions @skip(if: true) { nodes { job { ...G } } } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("{ ...F } fragment F on Query { ...F ...F ...F ...F }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "{ __typename } fragment F on Query { ...G ...G } fragment G on Query { ...F ...F }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("query A { viewer { role } } query A { viewer { role } }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on Query { viewer { role } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { viewer { role } }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        let body = json!({ "query": document }).to_string();
        for (accept, status) in
            [(MODERN, StatusCode::BAD_REQUEST), ("application/json", StatusCode::OK), ("*/*", StatusCode::OK)]
        {
            let (found, answer) = send(&world, accept, body.clone()).await;
            assert_eq!(found, status, "{document}");
            assert_eq!(answer["errors"][0]["extensions"]["code"], expected, "{document}: {answer}");
            assert!(answer.get("data").is_none(), "{answer}");
        }
    }
    let (_, answer) = send(&world, MODERN, json!({ "query": "{\n  jobs {\n totalCount nodes }" }).to_string()).await;
    assert_eq!(answer["errors"][0]["message"], "The document has a syntax error at line 3, column 20.");
    assert_eq!(answer["errors"][0]["locations"], json!([{ "line": 3, "column": 20 }]));
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused() {
    let world = World::new(Engine::Sqlite).await;
    let bodies = [
        "",
        "{",
        "query",
        "{ viewer { role } }",
        "null",
        "7",
        "\"{ __typename }\"",
        "[]",
        "{}",
        "{\"query\": null}",
        "{\"query\": 7}",
        "{\"query\": [\"{ __typename }\"]}",
        "{\"query\": \"{ __typename }\", \"variables\": []}",
        "{\"query\": \"{ __typename }\", \"variables\": \"{}\"}",
        "{\"query\": \"{ __typename }\", \"variables\": 7}",
        "{\"query\": \"{ __typename }\", \"operationName\": 7}",
        "{\"query\": \"{ __typename }\", \"operationName\": {}}",
        // No batches.
        "[{\"query\": \"{ __typename }\"}]",
        "[{\"query\": \"{ __typename }\"}, {\"query\": \"{ __typename }\"}]",
        "{\"query\": \"{ __typename }\"} x",
        "\u{feff}{\"query\": \"{ __typename }\"",
    ];
    let nested = "[".repeat(100_000);
    for body in bodies.into_iter().map(ToOwned::to_owned).chain([nested]) {
        let start = body[..body.len().min(60)].to_owned();
        for accept in [MODERN, "application/json"] {
            let (status, answer) = send(&world, accept, body.clone()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{start}: {answer}");
            assert_eq!(code(&answer), "BAD_REQUEST", "{start}");
            assert!(answer.get("data").is_none(), "{answer}");
        }
    }
    for body in [
        "{\"query\": \"{ __typename }\"}",
        " {\"query\": \"{ __typename }\", \"variables\": null, \"operationName\": null, \"extensions\": null}\n",
        "{\"query\": \"query A { __typename }\", \"operationName\": \"A\", \"extensions\": {\"a\": 1}, \"more\": true}",
        "{\"query\": \"query A { __typename }\"}",
    ] {
        let (status, answer) = send(&world, MODERN, body).await;
        assert_eq!((status, answer), (StatusCode::OK, json!({ "data": { "__typename": "Query" } })), "{body}");
    }
    let not_utf8 = b"{\"query\": \"{ __typename } # \xff\"}".to_vec();
    assert_eq!(send(&world, MODERN, not_utf8).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_operation_must_be_named_where_there_are_several() {
    let world = World::new(Engine::Sqlite).await;
    let two = "query A { __typename } query B { viewer { role } }";
    for (document, name) in [
        (two, Value::Null),
        (two, json!("C")),
        (two, json!("")),
        ("{ __typename }", json!("A")),
        ("query A { __typename }", json!("a")),
    ] {
        let body = json!({ "query": document, "operationName": name }).to_string();
        let (status, answer) = send(&world, MODERN, body.clone()).await;
        assert_eq!(
            (status, code(&answer)),
            (StatusCode::BAD_REQUEST, "GRAPHQL_VALIDATION_FAILED"),
            "{document} {name}"
        );
        assert!(answer.get("data").is_none(), "{answer}");
        assert_eq!(send(&world, "application/json", body).await.0, StatusCode::OK);
    }
    let (_, answer) = send(&world, MODERN, json!({ "query": two, "operationName": "B" }).to_string()).await;
    assert_eq!(answer, json!({ "data": { "viewer": { "role": "OPERATOR" } } }));
}

/// Sends a document that asks too much; it must be refused at once, and the server goes on.
async fn refused_quickly(world: &World, name: &str, document: String) {
    let sent = send(world, "application/json", json!({ "query": document }).to_string());
    // Without the limits some of these never end; how long they take at most is for the benchmarks.
    let answered = tokio::time::timeout(Duration::from_mins(1), sent).await;
    let (status, answer) = answered.unwrap_or_else(|_| panic!("{name} is not refused"));
    assert_eq!((status, code(&answer)), (StatusCode::BAD_REQUEST, "QUERY_TOO_COMPLEX"), "{name}: {answer}");
    assert!(answer.get("data").is_none(), "{name}");
}

/// So that what is behind the sizes of the text has something to refuse.
const WIDE: DocumentLimits = DocumentLimits {
    bytes: 900_000,
    tokens: 500_000,
    directives: 50,
    fields: 10_000,
    depth: 15,
    aliases: 100,
    root_fields: 20,
    cost: 50_000,
};

#[tokio::test]
async fn what_asks_too_much_is_refused_at_once() {
    let world = World::with(
        Engine::Sqlite,
        Setup { limits: Limits { document: WIDE, ..Limits::default() }, ..Default::default() },
    )
    .await;
    let deep = |levels: usize| {
        // Each turn of `job { predictions { nodes { job` adds three levels.
        let mut document = String::from("{ node(id: \"x\") { ... on Job {");
        let steps = ["predictions(first: 1) {", "nodes {", "job {"];
        for level in 0..levels - 2 {
            document += steps[level % 3];
        }
        document + "__typename" + &"}".repeat(levels - 2) + "} } }"
    };
    let data = world.data(&deep(15), json!({})).await;
    assert_eq!(data, json!({ "node": null }));
    refused_quickly(&world, "16 levels", deep(16)).await;
    refused_quickly(&world, "20,000 levels", deep(20_000)).await;
    let bomb = |fragments: usize, spreads: usize| {
        let mut document = String::from("{ jobs { nodes { ...F0 } } }");
        for place in 0..fragments {
            let next = if place + 1 < fragments { format!("...F{} ", place + 1) } else { "id ".to_owned() };
            write!(document, " fragment F{place} on Job {{ {} }}", next.repeat(spreads)).unwrap();
        }
        document
    };
    assert!(world.answer(&bomb(3, 5), json!({})).await.get("errors").is_none());
    refused_quickly(&world, "a bomb of 10 fragments with 10 spreads", bomb(10, 10)).await;
    refused_quickly(&world, "a chain of 10,000 fragments", bomb(10_000, 1)).await;
    let unused = format!("{} {{ __typename }}", &bomb(10, 10)["{ jobs { nodes { ...F0 } } }".len()..]);
    refused_quickly(&world, "a bomb that nobody uses", unused).await;
    let another = format!("query A {} query B {{ __typename }}", bomb(10, 10));
    refused_quickly(&world, "a bomb in another operation", another).await;
    let nested = |fragments: usize, spreads: usize| {
        let mut document = String::from("{ job(id: \"x\") { ...F0 } }");
        for place in 0..fragments {
            let steps = if place % 2 == 0 {
                ("predictions { nodes { job {", "} } }")
            } else {
                ("predictions { edges { node { job {", "} } } }")
            };
            let next = if place + 1 < fragments { format!("...F{}", place + 1) } else { "id".to_owned() };
            let spreads: String =
                (0..spreads).map(|spread| format!("a{spread}: {} {next} {} ", steps.0, steps.1)).collect();
            write!(document, " fragment F{place} on Job {{ {spreads} }}").unwrap();
        }
        document
    };
    refused_quickly(&world, "a bomb of nested fields", nested(10, 10)).await;
    refused_quickly(&world, "a wide bomb of nested fields", nested(3, 100)).await;
    // Each fragment of the chain is weighed where it stands high, and stands deep by the last spread.
    let mut chain = String::from("{ job(id: \"x\") {");
    for place in (0..=900).step_by(150) {
        write!(chain, " ...F{place}").unwrap();
    }
    chain += " } } fragment F0 on Job { id }";
    for place in 1..=900 {
        write!(chain, " fragment F{place} on Job {{ ...F{} }}", place - 1).unwrap();
    }
    refused_quickly(&world, "a chain of fragments that is weighed in parts", chain).await;
    let fields = "id ".repeat(50_000);
    refused_quickly(&world, "50,000 repeated fields", format!("{{ jobs {{ nodes {{ {fields} }} }} }}")).await;
    let aliases: String = (0..20_000).map(|place| format!("a{place}: __typename ")).collect();
    refused_quickly(&world, "20,000 aliases", format!("{{ {aliases} }}")).await;
    assert_eq!(world.data("{ __typename }", json!({})).await["__typename"], "Query");
}

/// What an answer could hold counts, whatever there is in the database.
#[tokio::test]
async fn pages_in_pages_count_as_often_as_they_may_have_items() {
    let world = World::new(Engine::Sqlite).await;
    let allowed = |document: &str, variables: Value| {
        let (world, body) = (&world, json!({ "query": document, "variables": variables }).to_string());
        async move {
            let (status, answer) = send(world, MODERN, body).await;
            assert!(status == StatusCode::OK || code(&answer) == "QUERY_TOO_COMPLEX", "{answer}");
            (status == StatusCode::OK, answer["errors"][0]["message"].as_str().unwrap_or_default().to_owned())
        }
    };
    // 1 for each `jobs`, 100 times `nodes` and `predictions`, 10,000 times `nodes` and each field: 50,201.
    let refused =
        "{ jobs(first: 100) { nodes { predictions(first: 100) { nodes { id createdAt riskLevel probability } } } } }";
    let (ok, message) = allowed(refused, json!({})).await;
    assert_eq!(
        (ok, message.as_str()),
        (
            false,
            "The document is too complex: its answer could have 50201 values, at most 50000 are allowed; ask for smaller pages."
        )
    );
    assert!(allowed(&refused.replacen("100", "99", 1), json!({})).await.0);
    assert!(!allowed(&refused.replace("first: 100", "last: 100"), json!({})).await.0);
    assert!(!allowed(&refused.replace("first: 100", "first: null, last: 100"), json!({})).await.0);
    // The value of a variable counts, else its default, else the size of a page that names none.
    let by_variable = refused.replace("first: 100", "first: $n");
    for (declared, given, ok) in [
        ("$n: Int", json!({ "n": 100 }), false),
        ("$n: Int", json!({ "n": 10 }), true),
        ("$n: Int", json!({}), true),
        ("$n: Int = 100", json!({}), false),
        ("$n: Int = 100", json!({ "n": 10 }), true),
    ] {
        assert_eq!(
            allowed(&format!("query({declared}) {by_variable}"), given.clone()).await.0,
            ok,
            "{declared} {given}"
        );
    }
    // Each id is a value of a list; on an interface the most expensive type counts.
    let node = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Job { predictions(first: 100) { nodes { id createdAt riskLevel } } } ... on Company { id } } }";
    let ids = |count: usize| json!({ "ids": vec!["x"; count] });
    assert!(allowed(node, ids(100)).await.0);
    assert!(!allowed(&node.replace("riskLevel", "riskLevel probability"), ids(100)).await.0);
    let deep = "predictions(first: 100) { nodes { job { ".repeat(4);
    let document = format!("{{ job(id: \"x\") {{ {deep} id {} }} }}", "} } }".repeat(4));
    refused_quickly(&world, "pages in pages in pages", document).await;
}

#[tokio::test]
async fn a_document_or_a_body_over_the_limit_is_refused() {
    let world = World::new(Engine::Sqlite).await;
    let padded = |bytes: usize| {
        let document = "{ __typename } #";
        format!("{document}{}", "x".repeat(bytes - document.len()))
    };
    let body = |document: &str| json!({ "query": document }).to_string();
    assert_eq!(send(&world, MODERN, body(&padded(256_000))).await.0, StatusCode::OK);
    for accept in [MODERN, "application/json"] {
        let (status, answer) = send(&world, accept, body(&padded(256_001))).await;
        assert_eq!((status, code(&answer)), (StatusCode::BAD_REQUEST, "DOCUMENT_TOO_LARGE"));
        assert_eq!(
            answer["errors"][0]["message"],
            "The document is too large: it has 256001 bytes, at most 256000 are allowed; send what varies as variables."
        );
        let (status, answer) = send(&world, accept, body(&padded(1_000_001))).await;
        assert_eq!((status, code(&answer)), (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"));
        assert_eq!(answer["errors"][0]["message"], "The request is too large: at most 1000000 bytes are allowed.");
        assert!(answer.get("data").is_none(), "{answer}");
    }
    // Just within: what counts is the body.
    let full = json!({ "query": "{ __typename }", "variables": { "x": "" } }).to_string();
    let full = full.replace("\"\"", &format!("\"{}\"", "x".repeat(1_000_000 - full.len())));
    assert_eq!(full.len(), 1_000_000);
    assert_eq!(send(&world, MODERN, full).await.0, StatusCode::OK);
}
