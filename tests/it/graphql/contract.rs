//! The checked-in contract is what the server serves, every part of it is described, and `joblink schema` prints it.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tests::{Engine, World};

use super::program;

#[test]
fn the_checked_in_contract_is_the_servers() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema.graphql");
    let checked_in = fs::read_to_string(file).unwrap();
    assert!(checked_in == api::graphql::sdl(), "schema.graphql is out of date: joblink schema > schema.graphql");
}

#[tokio::test]
async fn everything_has_a_description() {
    let world = World::new(Engine::Sqlite).await;
    let query = "{ __schema { types { name description fields(includeDeprecated: true) { name description args { name description } }
        inputFields { name description } enumValues(includeDeprecated: true) { name description } }
        directives { name description args { name description } } } }";
    let schema = &world.data(query, json!({})).await["__schema"];
    let mut described = 0;
    let mut check = |place: String, thing: &Value| {
        let text = thing["description"].as_str().unwrap_or_default();
        assert!(!text.trim().is_empty(), "{place} has no description");
        described += 1;
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    // The types of introspection and the specification's own scalars are the library's.
    let foreign = |name: &str| name.starts_with("__") || ["ID", "Int", "Float", "String", "Boolean"].contains(&name);
    let own = list(&schema["types"]).into_iter().filter(|ty| !foreign(ty["name"].as_str().unwrap()));
    for ty in own {
        let name = &ty["name"];
        check(name.to_string(), &ty);
        for field in list(&ty["fields"]) {
            check(format!("{name}.{}", field["name"]), &field);
            for argument in list(&field["args"]) {
                check(format!("{name}.{}({})", field["name"], argument["name"]), &argument);
            }
        }
        for part in list(&ty["inputFields"]).into_iter().chain(list(&ty["enumValues"])) {
            check(format!("{name}.{}", part["name"]), &part);
        }
    }
    assert!(described > 250, "only {described} descriptions were seen");
}

#[tokio::test]
async fn the_program_prints_the_contract() {
    let printed = program(&["schema"]).output().unwrap();
    assert!(printed.status.success());
    assert!(String::from_utf8(printed.stdout).unwrap() == api::graphql::sdl());
}
