//! What limits allow, who sets them, and what an operation costs.

use api::app::{DocumentLimits, Limits, SocketLimits};
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use super::{attacks::Program, code, program};
use crate::events::client::Client;

async fn limited(document: DocumentLimits) -> World {
    World::with(Engine::Sqlite, Setup { limits: Limits { document, ..Limits::default() }, ..Default::default() }).await
}

/// The limit that refuses a document, with its numbers.
async fn refusal(world: &World, document: &str) -> Value {
    let mut answer = world.answer(document, json!({})).await;
    match answer.get_mut("errors") {
        None => Value::Null,
        Some(errors) => {
            let told = &mut errors[0]["extensions"];
            assert!(["DOCUMENT_TOO_LARGE", "QUERY_TOO_COMPLEX"].contains(&told["code"].as_str().unwrap()), "{told}");
            json!([told["limit"], told["allowed"], told["found"]])
        }
    }
}

#[tokio::test]
async fn what_is_just_within_a_limit_is_answered() {
    let limits = DocumentLimits {
        bytes: 220,
        tokens: 40,
        directives: 2,
        fields: 18,
        depth: 4,
        aliases: 3,
        root_fields: 2,
        cost: 200,
    };
    let world = limited(limits).await;
    let ids = |count: usize| format!("{{ nodes(ids: [{}]) {{ id }} }}", "\"x\" ".repeat(count));
    for (within, beyond, refused) in [
        (
            format!("{{__typename}}#{}", "x".repeat(207)),
            format!("{{__typename}}#{}", "x".repeat(208)),
            json!(["bytes", 220, 221]),
        ),
        (
            format!("{{ {}}}", "__typename ".repeat(18)),
            format!("{{ {}}}", "__typename ".repeat(19)),
            json!(["fields", 18, 19]),
        ),
        (
            "{ a: __typename @skip(if: false) b: __typename @include(if: true) }".to_owned(),
            "{ a: __typename @skip(if: false) @include(if: true) b: __typename @include(if: true) }".to_owned(),
            json!(["directives", 2, 3]),
        ),
        (
            "{ viewer { a: role b: role c: role } }".to_owned(),
            "{ viewer { ...F ...F } } fragment F on Viewer { a: role b: role }".to_owned(),
            json!(["aliases", 3, 4]),
        ),
        (
            "{ a: __typename b: __typename }".to_owned(),
            "{ a: __typename b: __typename __typename }".to_owned(),
            json!(["rootFields", 2, 3]),
        ),
        (
            "{ jobs(first: 1) { nodes { createdBy { id } } } }".to_owned(),
            "{ jobs(first: 1) { ...F } } fragment F on JobConnection { edges { node { createdBy { id } } } }"
                .to_owned(),
            json!(["depth", 4, 5]),
        ),
        // One for `jobs`, and for each of 99 or 100 jobs one for `nodes` and one for its id.
        (
            "{ jobs(first: 99) { nodes { id } } }".to_owned(),
            "{ jobs(first: 100) { nodes { id } } }".to_owned(),
            json!(["cost", 200, 201]),
        ),
        (ids(28), ids(29), json!(["tokens", 40, 41])),
    ] {
        assert_eq!(refusal(&world, &within).await, Value::Null, "{within}");
        assert_eq!(refusal(&world, &beyond).await, refused, "{beyond}");
    }
}

#[tokio::test]
async fn an_answer_tells_its_cost_where_it_is_asked_for() {
    let world = World::new(Engine::Sqlite).await;
    let document = "query($n: Int) { jobs(first: $n) { totalCount nodes { id status } } }";
    let body = |extensions: Value| json!({ "query": document, "variables": { "n": 30 }, "extensions": extensions });
    let answer = async |extensions: Value| -> Value {
        world.post().json(&body(extensions)).send().await.unwrap().json().await.unwrap()
    };
    let cost = json!({ "requested": 1 + 30 * (1 + 1 + 2), "allowed": 50_000 });
    assert_eq!(answer(json!({ "cost": true })).await["extensions"], json!({ "cost": cost }));
    for silent in [json!({ "cost": false }), json!({ "cost": "true" }), json!({}), Value::Null] {
        assert_eq!(answer(silent).await.get("extensions"), None);
    }
    let mut client = Client::new(&world).await;
    client.send(json!({ "id": "1", "type": "subscribe", "payload": body(json!({ "cost": true })) })).await;
    assert_eq!(client.next().await["payload"]["extensions"], json!({ "cost": cost }));
}

#[tokio::test]
async fn the_question_of_graphiql_costs_what_a_schema_may() {
    let world = World::new(Engine::Sqlite).await;
    let body = json!({ "query": include_str!("introspection.graphql"), "extensions": { "cost": true } });
    let answer: Value = world.post().json(&body).send().await.unwrap().json().await.unwrap();
    assert!(answer.get("errors").is_none(), "{}", answer["errors"]);
    let cost = answer["extensions"]["cost"]["requested"].as_u64().unwrap();
    assert!((1_000..40_000).contains(&cost), "{cost}");
}

#[tokio::test]
async fn operations_of_a_connection_are_counted() {
    let socket = SocketLimits { operations: 2, ..SocketLimits::default() };
    let limits = Limits { socket, ..Limits::default() };
    let world = World::with(Engine::Sqlite, Setup { limits, ..Default::default() }).await;
    let mut client = Client::new(&world).await;
    for id in ["1", "2", "3"] {
        client.ask(id, "subscription { jobEvents { type } }", json!({})).await;
    }
    let message = client.next().await;
    assert_eq!((&message["id"], &message["type"]), (&json!("3"), &json!("error")), "{message}");
    let told = &message["payload"][0]["extensions"];
    assert_eq!(
        (&told["code"], &told["limit"], &told["allowed"], &told["found"]),
        (&json!("QUERY_TOO_COMPLEX"), &json!("subscriptions"), &json!(2), &json!(3))
    );
}

#[tokio::test]
async fn the_schema_can_be_kept_from_strangers() {
    let limits = Limits { anonymous_introspection: false, ..Limits::default() };
    let world = World::with(Engine::Sqlite, Setup { tokens: true, limits, ..Default::default() }).await;
    for document in [
        "{ __schema { queryType { name } } }",
        "{ a: __typename b: __type(name: \"Job\") { name } }",
        "{ ...F } fragment F on Query { __schema { queryType { name } } }",
        "mutation { __typename ... { deleteJob(id: \"x\") { deletedJobId } } }",
    ] {
        let answer = world.answer(document, json!({})).await;
        assert_eq!(code(&answer), "UNAUTHENTICATED", "{document}: {answer}");
        assert!(answer.get("data").is_none(), "{answer}");
    }
    assert_eq!(world.data("{ __typename }", json!({})).await, json!({ "__typename": "Query" }));
    let people = tests::people(&world).await;
    let data = world.data_to(&people.anna.token, "{ __schema { queryType { name } } }", json!({})).await;
    assert_eq!(data["__schema"]["queryType"]["name"], "Query");
}

/// Each by flag, by environment, by file; and a limit that is set is the one that holds.
#[tokio::test]
async fn limits_are_settings() {
    let help = program(&["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, limits) = help.split_once("Limits of GraphQL requests:").expect("a heading");
    for (flag, default) in [
        ("document-bytes", "256000"),
        ("tokens", "10000"),
        ("directives", "50"),
        ("fields", "10000"),
        ("depth", "15"),
        ("aliases", "100"),
        ("root-fields", "20"),
        ("cost", "50000"),
        ("subscriptions", "100"),
    ] {
        let (_, rest) = limits.split_once(&format!("--max-{flag} ")).unwrap_or_else(|| panic!("no {flag}: {help}"));
        let variable = format!("JOBLINK_MAX_{}=", flag.replace('-', "_").to_uppercase());
        assert!(rest.contains(&variable) && rest.contains(&format!("[default: {default}]")), "{flag}: {rest}");
    }
    assert!(limits.contains("--anonymous-introspection") && limits.contains("[default: true]"), "{help}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("joblink.toml"), "max-aliases = 1\nmax-cost = 30\nmax-depth = 1\n").unwrap();
    let server = Program::start(folder.path(), &[("JOBLINK_MAX_DEPTH", "3")], &["--max-root-fields", "2"]);
    for (document, limit, allowed) in [
        ("{ a: __typename b: __typename }", "aliases", 1),
        ("{ jobs(first: 31) { totalCount } }", "cost", 30),
        ("{ jobs(first: 1) { nodes { createdBy { id } } } }", "depth", 3),
        ("{ __typename viewer { role } jobs(first: 1) { totalCount } }", "rootFields", 2),
    ] {
        let request = tests::http().post(format!("{}/graphql", server.base)).json(&json!({ "query": document }));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let told = &answer["errors"][0]["extensions"];
        assert_eq!((&told["limit"], &told["allowed"]), (&json!(limit), &json!(allowed)), "{document}: {answer}");
    }
}
