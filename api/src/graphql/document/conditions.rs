//! Variables of `@skip` and `@include` that are null.
//!
//! A default lets a variable that may be null stand where a `Boolean!` is wanted (the specification, 5.8.5); a null that is
//! then given is an error.

use async_graphql::{
    Name, Variables,
    parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet},
};
use async_graphql_value::{ConstValue, Value};

/// Whether a null decides about a field. Of variables that may not be null it is refused with all wrong values, and
/// without a default they may not stand there.
pub fn are_null(document: &ExecutableDocument, operation: &OperationDefinition, variables: &Variables) -> bool {
    let nulls = operation.variable_definitions.iter().map(|definition| &definition.node).filter(|definition| {
        definition.var_type.node.nullable
            && definition.default_value.is_some()
            && variables.get(&definition.name.node) == Some(&ConstValue::Null)
    });
    let nulls: Vec<&Name> = nulls.map(|definition| &definition.name.node).collect();
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let mut sets = fragments.chain([&operation.selection_set.node]);
    !nulls.is_empty() && sets.any(|set| decide(&nulls, set))
}

fn decide(nulls: &[&Name], set: &SelectionSet) -> bool {
    set.items.iter().any(|item| {
        let decides = item.node.directives().iter().any(|directive| {
            let is_condition = super::collect::is_condition(&directive.node.name.node);
            let value = directive.node.get_argument("if").map(|value| &value.node);
            is_condition && matches!(value, Some(Value::Variable(name)) if nulls.contains(&name))
        });
        let inside = match &item.node {
            Selection::Field(field) => Some(&field.node.selection_set.node),
            Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => None,
        };
        decides || inside.is_some_and(|inside| decide(nulls, inside))
    })
}
