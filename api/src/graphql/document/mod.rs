//! Prepares a document for execution: one operation, without fragments, each response key once.
//!
//! The executor runs a field twice when two fragments select it, mutations too, and knows nothing of a variable's
//! default in `@skip` and `@include`. Here fields are collected as the specification says (CollectFields, 6.3.2), so
//! that neither matters. What is beyond the limits is refused before any other work is done on it: its text before it is
//! parsed ([`text`]), its fields and fragments before any of them is followed ([`weigh`]), and then what its answer could
//! cost ([`collect`]).

mod collect;
pub mod exceeded;
pub mod text;
pub mod types;
mod values;
mod weigh;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, ServerError, Variables,
    parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection},
};

pub use self::types::Types;
use self::{
    collect::Collector,
    exceeded::Exceeded,
    values::{Told, Values},
};
use crate::app::DocumentLimits;

/// A document that is ready.
#[derive(Debug)]
pub struct Prepared {
    /// One operation, without fragments.
    pub document: ExecutableDocument,
    /// Whether it reads or changes.
    pub operation: OperationType,
    /// The names of its root fields.
    pub roots: Vec<Name>,
    /// How many values its answer could have: each field one, and what is in a list as often as the list may have items.
    pub cost: u64,
    /// What it hangs on besides the document and the operation's name.
    told: Vec<(Name, Told)>,
}

impl Prepared {
    /// Whether the same comes of its document with other values of the variables.
    pub fn holds_for(&self, variables: &Variables) -> bool {
        let mut operations = self.document.operations.iter();
        operations.next().is_some_and(|(_, operation)| Values::of(&operation.node, variables).agree(&self.told))
    }

    /// Whether another preparation of the document was told the same, so that the same came of it.
    pub fn is_told_as(&self, other: &Self) -> bool {
        self.told == other.told
    }

    /// What is wrong where a subscription has not exactly one root field (5.2.3.1 of the specification).
    pub fn not_one_stream(&self) -> Option<ServerError> {
        let wrong = self.operation == OperationType::Subscription && self.roots.len() != 1;
        wrong.then(|| ServerError::new("A subscription must select exactly one field at its root.", None))
    }
}

/// Why a document cannot be prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unprepared {
    /// No operation has the given name, or several have one and none was given.
    #[error("The document has no such operation; name one of its operations in operationName.")]
    UnknownOperation,
    /// A fragment that never ends.
    #[error("A fragment contains itself, directly or through others.")]
    Circular,
    /// A variable whose value is null decides about a field; a default lets it stand there.
    #[error("A variable of @skip or @include is null; give true or false, or leave it out.")]
    NullCondition,
    /// Beyond a limit.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
}

/// Prepares the operation that a request names.
///
/// What comes of it depends on nothing but what is given. Of the variables those matter that stand in the conditions of
/// `@skip` and `@include`, and those that are the arguments `first`, `last` or `ids` of a field, of which the length alone
/// matters; where one of them is not given, its default does. Of those that are arguments it matters whether they have a value.
pub fn prepare(
    document: &ExecutableDocument,
    name: Option<&str>,
    variables: &Variables,
    types: &Types,
    limits: &DocumentLimits,
) -> Result<Prepared, Unprepared> {
    weigh::check(document, limits)?;
    let (name, operation) = operation(document, name).ok_or(Unprepared::UnknownOperation)?;
    let root = match operation.node.ty {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    };
    let values = Values::of(&operation.node, variables);
    let mut collector = Collector::new(types, &document.fragments, &values, limits);
    let (selection, cost) = collector.operation(&Name::new(root), &operation.node.selection_set.node)?;
    Exceeded::check_wide(exceeded::Limit::Cost, limits.cost, cost)?;
    let roots = selection.items.iter().filter_map(|item| match &item.node {
        Selection::Field(field) => Some(field.node.name.node.clone()),
        _ => None,
    });
    let roots = roots.collect();
    let mut prepared = operation.clone();
    prepared.node.selection_set.node = selection;
    let ty = prepared.node.ty;
    let operations = match name {
        Some(name) => DocumentOperations::Multiple(HashMap::from([(name.clone(), prepared)])),
        None => DocumentOperations::Single(prepared),
    };
    let document = ExecutableDocument { operations, fragments: HashMap::new() };
    Ok(Prepared { document, operation: ty, roots, cost, told: values.told() })
}

fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<(Option<&'a Name>, &'a Positioned<OperationDefinition>)> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some((None, operation)),
        (DocumentOperations::Multiple(all), Some(name)) => {
            all.iter().find(|(known, _)| *known == name).map(|(name, operation)| (Some(name), operation))
        }
        (DocumentOperations::Multiple(all), None) if all.len() == 1 => {
            all.iter().next().map(|(name, operation)| (Some(name), operation))
        }
        _ => None,
    }
}
