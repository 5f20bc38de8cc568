//! A document that the server knows from before is treated as if it saw it for the first time.

use api::auth::Role;
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people, token};

tests::on_both!(
    values_of_variables_are_checked_each_time,
    what_variables_decide_is_decided_each_time,
    a_variable_without_a_value_is_told_from_a_null_each_time,
    a_list_of_ids_costs_by_its_length_each_time,
    a_known_document_wants_a_login_too,
    each_operation_of_a_known_document_is_itself,
);

async fn code(world: &World, query: &str, variables: Value) -> Value {
    world.answer(query, variables).await["errors"][0]["extensions"]["code"].take()
}

async fn values_of_variables_are_checked_each_time(engine: Engine) {
    let world = World::new(engine).await;
    let query = "query($first: Int, $id: ID!) { jobs(first: $first) { nodes { id } } job(id: $id) { id } }";
    for _ in 0..3 {
        assert_eq!(world.data(query, json!({ "first": 3, "id": "x" })).await["job"], Value::Null);
        assert_eq!(code(&world, query, json!({ "first": 3 })).await, "BAD_USER_INPUT");
        assert_eq!(code(&world, query, json!({ "first": "3", "id": "x" })).await, "BAD_USER_INPUT");
        assert_eq!(code(&world, query, json!({ "first": 101, "id": "x" })).await, "BAD_USER_INPUT");
        assert_eq!(code(&world, query, json!({ "first": 3, "id": ["x", "y"] })).await, "BAD_USER_INPUT");
    }
}

async fn what_variables_decide_is_decided_each_time(engine: Engine) {
    let world = World::new(engine).await;
    let query = "query($n: Int, $with: Boolean = false, $without: Boolean!) { jobs(first: $n) {
        totalCount @include(if: $with) nodes { id predictions(first: $n) { nodes { id company { id name symbol sector } } } }
        pageInfo @skip(if: $without) { endCursor } } }";
    // More turns than preparations are kept, and each known from the second one on.
    for n in [1, 2, 3, 4, 5, 6].repeat(3) {
        for (with, without) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut fields = vec!["nodes"];
            fields.extend(with.then_some("totalCount"));
            fields.extend((!without).then_some("pageInfo"));
            let data = world.data(query, json!({ "n": n, "with": with, "without": without })).await;
            let mut found: Vec<_> = data["jobs"].as_object().unwrap().keys().map(String::as_str).collect();
            found.sort_unstable();
            fields.sort_unstable();
            assert_eq!(found, fields);
        }
        let default = world.data(query, json!({ "n": n, "without": false })).await;
        assert_eq!(default["jobs"].get("totalCount"), None);
        assert_eq!(code(&world, query, json!({ "n": 100, "without": false })).await, "QUERY_TOO_COMPLEX");
    }
}

async fn a_variable_without_a_value_is_told_from_a_null_each_time(engine: Engine) {
    let world = World::new(engine).await;
    // A default lets a variable that may be null stand there; given as null it decides nothing.
    let query = "query($with: Boolean = true, $old: Boolean) { jobs { totalCount @include(if: $with) }
        __type(name: \"Job\") { fields(includeDeprecated: $old) { name } } }";
    for _ in 0..3 {
        assert_eq!(world.data(query, json!({})).await["jobs"], json!({ "totalCount": 0 }));
        assert_eq!(world.data(query, json!({ "with": false, "old": true })).await["jobs"], json!({}));
        assert_eq!(code(&world, query, json!({ "with": null })).await, "BAD_USER_INPUT");
        assert!(world.data(query, json!({ "old": null })).await["__type"]["fields"].is_array());
    }
}

async fn a_list_of_ids_costs_by_its_length_each_time(engine: Engine) {
    let world = World::new(engine).await;
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let cost = async |count: usize| -> Value {
        let ids = vec!["x"; count];
        let body = json!({ "query": query, "variables": { "ids": ids }, "extensions": { "cost": true } });
        let mut answer: Value = world.post().json(&body).send().await.unwrap().json().await.unwrap();
        answer["extensions"]["cost"]["requested"].take()
    };
    let once = [cost(1).await, cost(2).await, cost(50).await];
    assert_ne!(once[0], once[1]);
    for _ in 0..3 {
        assert_eq!([cost(1).await, cost(2).await, cost(50).await], once);
    }
}

async fn a_known_document_wants_a_login_too(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let token = token(people.anna.id, people.anna.organization, Role::Member);
    let query = "{ jobs { totalCount } }";
    for _ in 0..3 {
        assert_eq!(world.data_to(&token, query, json!({})).await["jobs"]["totalCount"], 0);
        assert_eq!(code(&world, query, json!({})).await, "UNAUTHENTICATED");
    }
}

async fn each_operation_of_a_known_document_is_itself(engine: Engine) {
    let world = World::new(engine).await;
    let query = "query A { a: __typename } query B { b: __typename }";
    let ask = async |name: Value| -> Value {
        let body = json!({ "query": query, "operationName": name });
        world.post().json(&body).send().await.unwrap().json().await.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(ask(json!("A")).await["data"], json!({ "a": "Query" }));
        assert_eq!(ask(json!("B")).await["data"], json!({ "b": "Query" }));
        for wrong in [json!("C"), Value::Null] {
            assert_eq!(ask(wrong).await["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
        }
    }
}
