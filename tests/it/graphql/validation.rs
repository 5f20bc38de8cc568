//! Documents that graphql-js refuses are refused, as it judged them against this schema, and no others.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Engine, World};

use super::{
    judged::{INVALID, VALID},
    says_one_sentence,
};

/// Asks as a client of the newer media type, with values for variables that need one.
async fn ask(world: &World, document: &str) -> (StatusCode, Value) {
    let values = [
        ("$a: ID!", json!("x")),
        ("$a: String!", json!("x")),
        ("$a: Int!", json!(1)),
        ("$a: Boolean!", json!(true)),
        ("$a: Upload!", json!("x")),
        ("$a: JobStatus!", json!("FAILED")),
        ("$a: JobOrderField!", json!("STATUS")),
    ];
    let value = values.into_iter().find(|(declared, _)| document.contains(declared)).map(|(_, value)| value);
    let mut variables = value.map_or(json!({}), |value| json!({ "a": value }));
    for flag in ["v", "w"].into_iter().filter(|flag| document.contains(&format!("${flag}: Boolean!"))) {
        variables[flag] = json!(true);
    }
    let name = document.contains("query A").then_some("A");
    let body = json!({ "query": document, "variables": variables, "operationName": name });
    let request = world.post().header("accept", "application/graphql-response+json").json(&body);
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test]
async fn valid_documents_are_executed() {
    let world = World::new(Engine::Sqlite).await;
    for document in VALID {
        let (status, answer) = ask(&world, document).await;
        // A file that no part of the request holds is found missing when it is used.
        assert_eq!(status, StatusCode::OK, "{document}: {answer}");
        assert!(answer.get("data").is_some(), "{document}: {answer}");
        assert!(answer.get("errors").is_none() || document.contains("Upload"), "{document}: {answer}");
    }
}

#[tokio::test]
async fn invalid_documents_are_refused_and_nothing_is_executed() {
    let world = World::new(Engine::Sqlite).await;
    for document in INVALID {
        let (status, answer) = ask(&world, document).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{document}: {answer}");
        assert!(answer.get("data").is_none(), "{document}: {answer}");
        let errors = answer["errors"].as_array().unwrap();
        assert!(!errors.is_empty(), "{document}");
        for error in errors {
            let code = error["extensions"]["code"].as_str().unwrap();
            assert!(["GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"].contains(&code), "{document}: {answer}");
            says_one_sentence(error);
        }
    }
}

#[tokio::test]
async fn values_of_variables_are_checked_before_anything_is_executed() {
    let world = World::new(Engine::Sqlite).await;
    let query = "query($id: ID!, $first: Int, $filter: JobFilter, $kind: PredictionKind, $flag: Boolean! = false) {
        viewer @skip(if: $flag) { role } job(id: $id) { id } jobs(first: $first, filter: $filter) { totalCount }
        all: jobs(filter: {kind: $kind}) { totalCount } }";
    let right = [
        json!({ "id": "x" }),
        json!({ "id": 7, "first": null, "filter": null, "kind": null }),
        json!({ "id": "x", "first": 1, "filter": { "status": "FAILED" }, "kind": "ANNUAL", "flag": true, "more": 1 }),
        json!({ "id": "x", "filter": { "status": ["FAILED", "PENDING"], "createdAfter": "2026-01-01T00:00:00+02:00" } }),
    ];
    for variables in right {
        let answer = world.answer(query, variables.clone()).await;
        assert!(answer.get("errors").is_none(), "{variables}: {answer}");
    }
    let wrong = [
        (json!({}), "Variable \"$id\" is wrong: a value of type \"ID!\" is required."),
        (json!({ "id": null }), "Variable \"$id\" is wrong: null is not allowed."),
        (json!({ "id": 1.5 }), "Variable \"$id\" is wrong: a value of type \"ID\" is expected."),
        (json!({ "id": ["x"] }), "Variable \"$id\" is wrong: a value of type \"ID\" is expected."),
        (
            json!({ "id": "x", "first": "1" }),
            "Variable \"$first\" is wrong: a value of type \"Int\" is expected, a whole number of 32 bits.",
        ),
        (
            json!({ "id": "x", "first": 2_147_483_648_i64 }),
            "Variable \"$first\" is wrong: a value of type \"Int\" is expected, a whole number of 32 bits.",
        ),
        (json!({ "id": "x", "kind": "MONTHLY" }), "Variable \"$kind\" is wrong: one of ANNUAL, QUARTERLY is expected."),
        (
            json!({ "id": "x", "filter": { "status": ["FAILED", null] } }),
            "Variable \"$filter.status.1\" is wrong: null is not allowed.",
        ),
        (
            json!({ "id": "x", "filter": { "nothing": 1 } }),
            "Variable \"$filter\" is wrong: type \"JobFilter\" has no field \"nothing\".",
        ),
        (
            json!({ "id": "x", "filter": { "createdAfter": "yesterday" } }),
            "Variable \"$filter.createdAfter\" is wrong: a value of type \"DateTime\" is expected, like \"2026-03-05T09:47:23Z\".",
        ),
        (
            json!({ "id": "x", "filter": [] }),
            "Variable \"$filter\" is wrong: a value of type \"JobFilter\" is expected.",
        ),
        (json!({ "id": "x", "flag": null }), "Variable \"$flag\" is wrong: null is not allowed."),
    ];
    for (variables, message) in wrong {
        let body = json!({ "query": query, "variables": variables });
        for (accept, status) in
            [("application/graphql-response+json", StatusCode::BAD_REQUEST), ("application/json", StatusCode::OK)]
        {
            let response = world.post().header("accept", accept).json(&body).send().await.unwrap();
            assert_eq!(response.status(), status, "{variables}");
            let answer: Value = response.json().await.unwrap();
            assert_eq!(answer["errors"][0]["message"], message);
            assert_eq!(super::code(&answer), "BAD_USER_INPUT");
            assert!(answer.get("data").is_none(), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_null_decides_about_no_field() {
    let world = World::new(Engine::Sqlite).await;
    for document in [
        "query($v: Boolean = true) { a: __typename @include(if: $v) }",
        "query($v: Boolean = true) { ...F } fragment F on Query { ... @skip(if: $v) { a: __typename } }",
    ] {
        let body = json!({ "query": document, "variables": { "v": null } });
        let request = world.post().header("accept", "application/graphql-response+json").json(&body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{document}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(super::code(&answer), "BAD_USER_INPUT");
        assert!(answer.get("data").is_none(), "{answer}");
        says_one_sentence(&answer["errors"][0]);
    }
    // Where it is never asked, it does no harm.
    let document = "query($v: Boolean = true) { a: __typename viewer @skip(if: true) { role @skip(if: $v) } }";
    let answer = world.answer(document, json!({ "v": null })).await;
    assert_eq!(answer, json!({ "data": { "a": "Query" } }));
}

#[tokio::test]
async fn what_may_have_been_meant_is_asked_in_a_sentence_that_ends_once() {
    let world = World::new(Engine::Sqlite).await;
    let (_, answer) = ask(&world, "{ viewr { role } }").await;
    assert_eq!(answer["errors"][0]["message"], "Unknown field \"viewr\" on type \"Query\". Did you mean \"viewer\"?");
}
