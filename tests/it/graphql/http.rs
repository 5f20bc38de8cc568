//! GraphQL over HTTP: the ways to ask, and the forms of an answer.

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::{code, raw};

tests::on_both!(
    a_get_runs_queries_and_changes_nothing,
    a_get_that_cannot_be_read_is_refused,
    an_answer_has_the_form_that_its_caller_likes,
    a_body_is_one_request,
);

const MODERN: &str = "application/graphql-response+json";

fn get(world: &World, parameters: &[(&str, &str)]) -> RequestBuilder {
    let url = format!("{}/graphql", world.base());
    world.http.get(reqwest::Url::parse_with_params(&url, parameters).unwrap())
}

async fn a_get_runs_queries_and_changes_nothing(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await;
    let anna = people(&world).await.anna;
    let job = world.adopted_job(anna.id, anna.organization, "annual", "completed").await;
    let document = format!(
        "query Look($id: ID!) {{ job(id: $id) {{ id }} }} mutation Delete {{ deleteJob(id: \"{job}\") {{ deletedJobId }} }}"
    );
    let variables = json!({ "id": job }).to_string();
    let look = [("query", &*document), ("operationName", "Look"), ("variables", &variables), ("extensions", "{}")];
    let answer: Value = get(&world, &look).bearer_auth(&anna.token).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({ "data": { "job": { "id": job } } }));

    let head = world.http.head(get(&world, &look).build().unwrap().url().clone()).bearer_auth(&anna.token);
    let head = head.send().await.unwrap();
    assert_eq!((head.status(), head.headers()[header::CACHE_CONTROL].as_bytes()), (StatusCode::OK, &b"no-store"[..]));
    assert!(head.bytes().await.unwrap().is_empty());

    let delete = [("query", &*document), ("operationName", "Delete")];
    for accept in ["*/*", MODERN, "text/event-stream"] {
        for method in [Method::GET, Method::HEAD] {
            let url = get(&world, &delete).build().unwrap().url().clone();
            let request = world.http.request(method.clone(), url).bearer_auth(&anna.token).header("accept", accept);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {accept}");
            assert_eq!(response.headers()[header::ALLOW], "POST", "{method} {accept}");
            if method == Method::GET {
                assert_eq!(code(&response.json().await.unwrap()), "METHOD_NOT_ALLOWED");
            }
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM audit_log").await, 0);

    // Who asks is said as in any other request.
    let (status, _, text) = raw(get(&world, &look)).await;
    assert_eq!((status, text.contains("UNAUTHENTICATED")), (StatusCode::UNAUTHORIZED, true));
    assert_eq!(raw(get(&world, &[("query", "{ __typename }")])).await.2, "{\"data\":{\"__typename\":\"Query\"}}");
}

async fn a_get_that_cannot_be_read_is_refused(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    let query = ("query", "query A { __typename }");
    for (parameters, wrong) in [
        (vec![], "BAD_REQUEST"),
        (vec![("operationName", "A")], "BAD_REQUEST"),
        (vec![query, query], "BAD_REQUEST"),
        (vec![query, ("variables", "{")], "BAD_REQUEST"),
        (vec![query, ("variables", "[]")], "BAD_REQUEST"),
        (vec![query, ("variables", "\"a\"")], "BAD_REQUEST"),
        (vec![query, ("extensions", "1")], "BAD_REQUEST"),
        (vec![query, ("variables", "{}"), ("variables", "{}")], "BAD_REQUEST"),
        (vec![query, ("operationName", "B")], "GRAPHQL_VALIDATION_FAILED"),
        (vec![("query", "")], "GRAPHQL_PARSE_FAILED"),
        (vec![("query", "subscription { jobEvents { at } }")], "GRAPHQL_VALIDATION_FAILED"),
    ] {
        let (status, _, text) = raw(get(&world, &parameters).header("accept", MODERN)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{parameters:?}");
        assert_eq!(code(&serde_json::from_str(&text).unwrap()), wrong, "{parameters:?}");
    }
    for parameters in [
        vec![query, ("operationName", "A")],
        vec![query, ("operationName", ""), ("variables", ""), ("extensions", "")],
        vec![query, ("variables", "null"), ("extensions", "{\"a\": {}}")],
        vec![query, ("utm_source", "a"), ("utm_source", "b")],
    ] {
        assert_eq!(raw(get(&world, &parameters)).await.0, StatusCode::OK, "{parameters:?}");
    }
}

async fn an_answer_has_the_form_that_its_caller_likes(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    let modern = format!("{MODERN}; charset=utf-8");
    let json = "application/json; charset=utf-8";
    let events = "text/event-stream; charset=utf-8";
    for (accept, good, bad, kind) in [
        ("*/*", 200, 200, json),
        ("application/json", 200, 200, json),
        (MODERN, 200, 400, &*modern),
        ("application/graphql-response+json;q=0.2, application/json;q=0.1", 200, 400, &*modern),
        ("application/json, application/graphql-response+json;q=0.9", 200, 200, json),
        ("text/html, */*;q=0.1", 200, 200, json),
        ("text/event-stream", 200, 200, events),
        ("text/html", 406, 406, json),
        ("application/graphql-response+json;q=0", 406, 406, json),
    ] {
        let ask = |query: &str| world.post().header("accept", accept).json(&json!({ "query": query }));
        for (query, wanted) in [
            ("{ __typename }", good),
            ("{", bad),
            ("{ nothing }", bad),
            ("query($a: Int!) { jobs(first: $a) { totalCount } }", bad),
        ] {
            let response = ask(query).send().await.unwrap();
            let headers = response.headers();
            assert_eq!(
                (response.status().as_u16(), headers[header::CONTENT_TYPE].to_str().unwrap()),
                (wanted, if wanted == 406 { "application/json" } else { kind }),
                "{accept}: {query}"
            );
            assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{accept}: {query}");
        }
    }
    let (_, _, text) =
        raw(world.post().header("accept", "text/event-stream").json(&json!({ "query": "{ a: __typename }" }))).await;
    assert_eq!(text, "event: next\ndata: {\"data\":{\"a\":\"Query\"}}\n\nevent: complete\ndata:\n\n");
    let refused = world.post().header("accept", "text/html").json(&json!({ "query": "{ __typename }" }));
    assert_eq!(code(&refused.send().await.unwrap().json().await.unwrap()), "NOT_ACCEPTABLE");
}

async fn a_body_is_one_request(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    let one = json!({ "query": "{ __typename }" });
    let with = |name: &str, value: Value| {
        let mut body = one.clone();
        body[name] = value;
        body
    };
    for body in [json!([one]), json!([]), json!([one, one])] {
        let (status, _, text) = raw(world.post().json(&body)).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, code(&answer)), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("list of requests"), "{text}");
    }
    for body in [
        json!(null),
        json!("{ __typename }"),
        json!({}),
        with("query", json!(1)),
        with("query", json!(["{ __typename }"])),
        with("operationName", json!({})),
        with("variables", json!("{}")),
        with("variables", json!([])),
        with("extensions", json!("a")),
        with("extensions", json!([])),
    ] {
        for accept in [MODERN, "application/json"] {
            let (status, _, text) = raw(world.post().header("accept", accept).json(&body)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
            assert_eq!(code(&serde_json::from_str(&text).unwrap()), "BAD_REQUEST", "{body}");
        }
    }
    for body in [
        with("operationName", Value::Null),
        with("variables", Value::Null),
        with("extensions", Value::Null),
        with("extensions", json!({ "persisted": { "deep": [1, null] } })),
        with("unknown", json!(1)),
    ] {
        assert_eq!(raw(world.post().json(&body)).await.2, "{\"data\":{\"__typename\":\"Query\"}}", "{body}");
    }
}
