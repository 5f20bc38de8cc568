//! `__typename` is a field like others: the library asks nothing of its arguments, selections and directives.

use async_graphql::{
    ServerError,
    parser::types::{ExecutableDocument, Field, Selection, SelectionSet},
};

use super::{directives, error};

/// What is wrong with the fields `__typename` of a document.
pub fn broken(document: &ExecutableDocument) -> Vec<ServerError> {
    let mut broken = Vec::new();
    for (_, operation) in document.operations.iter() {
        set(&operation.node.selection_set.node, &mut broken);
    }
    for fragment in document.fragments.values() {
        set(&fragment.node.selection_set.node, &mut broken);
    }
    broken
}

fn set(selections: &SelectionSet, broken: &mut Vec<ServerError>) {
    for item in &selections.items {
        match &item.node {
            Selection::Field(one) if one.node.name.node == "__typename" => field(&one.node, broken),
            Selection::Field(one) => set(&one.node.selection_set.node, broken),
            Selection::InlineFragment(one) => set(&one.node.selection_set.node, broken),
            Selection::FragmentSpread(_) => {}
        }
    }
}

fn field(field: &Field, broken: &mut Vec<ServerError>) {
    if let Some((name, _)) = field.arguments.first() {
        broken.push(error(format!("Unknown argument \"{}\" on field \"__typename\".", name.node), [name.pos]));
    }
    if !field.selection_set.node.items.is_empty() {
        let message = "Field \"__typename\" must not have a selection, since it is a leaf.".to_owned();
        broken.push(error(message, [field.selection_set.pos]));
    }
    broken.extend(directives::on_field(&field.directives));
}
