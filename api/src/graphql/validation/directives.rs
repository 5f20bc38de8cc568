//! Directives in places where the library does not look for them.

use async_graphql::{
    Positioned, ServerError,
    parser::types::{Directive, ExecutableDocument},
};
use async_graphql_value::Value;

use super::error;

/// Those of variables: no directive of the schema may stand there.
pub fn on_variables(document: &ExecutableDocument) -> Vec<ServerError> {
    let variables = document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
    let directives = variables.flat_map(|variable| &variable.node.directives);
    directives.map(|directive| misplaced(directive, "VARIABLE_DEFINITION")).collect()
}

/// Those of a field: `@skip` and `@include`, each once and with `if`, whose value is judged with all others.
pub fn on_field(directives: &[Positioned<Directive>]) -> Vec<ServerError> {
    let mut broken = Vec::new();
    for (place, directive) in directives.iter().enumerate() {
        let name = &directive.node.name.node;
        if !matches!(name.as_str(), "skip" | "include") {
            broken.push(misplaced(directive, "FIELD"));
        } else if directives[..place].iter().any(|other| other.node.name.node == *name) {
            broken.push(error(format!("Duplicate directive \"{name}\"."), [directive.pos]));
        } else if !matches!(directive.node.arguments.as_slice(), [(argument, value)] if argument.node == "if" && value.node != Value::Null)
        {
            let message = format!("Directive \"@{name}\" takes one argument, \"if\", which must not be null.");
            broken.push(error(message, [directive.pos]));
        }
    }
    broken
}

fn misplaced(directive: &Positioned<Directive>, place: &str) -> ServerError {
    let name = &directive.node.name.node;
    error(format!("Directive \"{name}\" is unknown or may not be used on \"{place}\"."), [directive.pos])
}
