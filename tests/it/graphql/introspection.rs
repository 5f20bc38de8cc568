//! The schema describes itself to the tools that ask.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Engine, Setup, World};

/// What graphql-js 16.15 asks with every option on, as GraphiQL does: `getIntrospectionQuery`.
const QUERY: &str = include_str!("introspection.graphql");

async fn schema(world: &World) -> Value {
    world.data(QUERY, json!({})).await["__schema"].take()
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|thing| thing["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_question_of_graphiql_passes_and_names_all_types() {
    // Without a login too: the page asks before anybody signs in.
    let world = World::with(Engine::Sqlite, Setup { tokens: true, ..Default::default() }).await;
    let schema = schema(&world).await;
    assert_eq!((&schema["queryType"]["name"], &schema["mutationType"]["name"]), (&json!("Query"), &json!("Mutation")));
    let sdl = api::graphql::sdl();
    let mut named: BTreeSet<&str> = sdl
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            ["type", "interface", "input", "enum", "scalar"].contains(&words.next()?).then(|| words.next())?
        })
        .collect();
    assert!(named.len() > 40);
    named.extend(["Boolean", "ID", "Int", "String"]);
    let types = names(&schema["types"]);
    let missing: Vec<_> = named.difference(&types).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(names(&schema["directives"]).is_superset(&BTreeSet::from(["skip", "include", "specifiedBy", "oneOf"])));
    for ty in schema["types"].as_array().unwrap() {
        assert!(ty["kind"].is_string() && !ty["name"].as_str().unwrap().is_empty(), "{ty}");
    }
}

#[tokio::test]
async fn interfaces_name_their_objects() {
    let world = World::new(Engine::Sqlite).await;
    let schema = schema(&world).await;
    let ty = |name: &str| schema["types"].as_array().unwrap().iter().find(|ty| ty["name"] == name).unwrap();
    let predictions = BTreeSet::from(["AnnualPrediction", "QuarterlyPrediction"]);
    assert_eq!(names(&ty("Prediction")["possibleTypes"]), predictions);
    let nodes = [
        "Job",
        "Company",
        "DeletionReceipt",
        "Artifact",
        "AuditEntry",
        "BackfillRun",
        "RetentionRun",
        "User",
        "Organization",
    ];
    assert_eq!(names(&ty("Node")["possibleTypes"]), predictions.iter().copied().chain(nodes).collect());
    for name in predictions {
        assert_eq!(names(&ty(name)["interfaces"]), BTreeSet::from(["Node", "Prediction"]), "{name}");
    }
    assert_eq!(ty("FileSource")["isOneOf"], true);
    assert_eq!(ty("DateTime")["specifiedByURL"], "https://scalars.graphql.org/andimarek/date-time.html");
    let delete =
        ty("Mutation")["fields"].as_array().unwrap().iter().find(|field| field["name"] == "deleteJob").unwrap();
    let argument =
        delete["args"].as_array().unwrap().iter().find(|argument| argument["name"] == "deletePredictions").unwrap();
    assert_eq!((&argument["type"]["name"], &argument["defaultValue"]), (&json!("Boolean"), &json!("false")));
}
