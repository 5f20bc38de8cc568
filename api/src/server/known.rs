//! Documents that were found valid, kept so that who asks the same again need not wait for the same checks.
//!
//! Only what no request's own values decide is kept: the parsed document, and what it was prepared to with what was told of
//! its variables. The values themselves are checked for each request.

use std::sync::Arc;

use async_graphql::{
    Positioned, Variables,
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};
use async_graphql_value::Value;
use quick_cache::{Weighter, sync::Cache};

use crate::graphql::document::Prepared;

/// As many bytes all of them may take, about.
const MOST_BYTES: u64 = 32_000_000;
/// What takes more is checked anew each time.
const LARGEST: u64 = 1_000_000;
/// What a selection, a value or an operation takes once it is parsed, about, in bytes.
const NODE: u64 = 400;
/// Preparations that are kept of a document: for other values of `first`, or of what `@skip` and `@include` ask.
const MOST_VARIANTS: usize = 8;
/// The number of documents for which there is room at first.
const EXPECTED: usize = 1_000;

/// The documents.
#[derive(Debug)]
pub struct Known(Cache<Arc<str>, Arc<Valid>, Size>);

/// A valid document.
#[derive(Clone, Debug)]
pub struct Valid {
    /// As it was sent.
    pub document: Arc<ExecutableDocument>,
    variants: Vec<Variant>,
    /// Bytes that it takes.
    size: u64,
}

/// What a document is under some values of its variables.
#[derive(Clone, Debug)]
struct Variant {
    operation: Option<String>,
    prepared: Arc<Prepared>,
    size: u64,
}

#[derive(Clone, Debug)]
struct Size;

impl Weighter<Arc<str>, Arc<Valid>> for Size {
    fn weight(&self, _: &Arc<str>, valid: &Arc<Valid>) -> u64 {
        valid.size
    }
}

impl Default for Known {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED, MOST_BYTES, Size))
    }
}

impl Known {
    /// The document of this text, if it is known.
    pub fn get(&self, text: &str) -> Option<Arc<Valid>> {
        self.0.get(text)
    }

    /// Keeps what passed all checks, unless it is too large.
    pub fn keep(
        &self,
        text: &str,
        document: &Arc<ExecutableDocument>,
        operation: Option<&str>,
        prepared: &Arc<Prepared>,
    ) {
        let mut valid = match self.get(text) {
            Some(known) => Valid::clone(&known),
            None => Valid {
                document: document.clone(),
                variants: Vec::new(),
                size: text.len() as u64 + bytes_of_document(document),
            },
        };
        if let Some(place) = valid.variants.iter().position(|it| it.is_of(operation, prepared)) {
            valid.size -= valid.variants.remove(place).size;
        } else if valid.variants.len() == MOST_VARIANTS {
            valid.size -= valid.variants.remove(0).size;
        }
        let size = NODE + bytes_of_document(&prepared.document);
        valid.size += size;
        let operation = operation.map(ToOwned::to_owned);
        valid.variants.push(Variant { operation, prepared: prepared.clone(), size });
        if valid.size <= LARGEST {
            self.0.insert(text.into(), Arc::new(valid));
        }
    }
}

impl Valid {
    /// What it was prepared to for another request, if the same would come of it again.
    pub fn prepared(&self, operation: Option<&str>, variables: &Variables) -> Option<Arc<Prepared>> {
        let same = |it: &&Variant| it.operation.as_deref() == operation && it.prepared.holds_for(variables);
        self.variants.iter().find(same).map(|variant| variant.prepared.clone())
    }
}

impl Variant {
    /// Whether another request made the same of the document meanwhile.
    fn is_of(&self, operation: Option<&str>, prepared: &Prepared) -> bool {
        self.operation.as_deref() == operation && self.prepared.is_told_as(prepared)
    }
}

fn bytes_of_document(document: &ExecutableDocument) -> u64 {
    let operations = document.operations.iter().map(|(_, operation)| {
        let declared = NODE * operation.node.variable_definitions.len() as u64;
        NODE + declared + bytes_of_set(&operation.node.selection_set)
    });
    let fragments = document.fragments.values().map(|fragment| NODE + bytes_of_set(&fragment.node.selection_set));
    operations.chain(fragments).sum()
}

fn bytes_of_set(set: &Positioned<SelectionSet>) -> u64 {
    let bytes = |selection: &Positioned<Selection>| match &selection.node {
        Selection::Field(field) => {
            let arguments = field.node.arguments.iter().map(|(_, value)| bytes_of_value(&value.node));
            arguments.sum::<u64>() + bytes_of_set(&field.node.selection_set)
        }
        Selection::InlineFragment(fragment) => bytes_of_set(&fragment.node.selection_set),
        Selection::FragmentSpread(_) => 0,
    };
    let directives = |selection: &Positioned<Selection>| NODE * selection.node.directives().len() as u64;
    set.node.items.iter().map(|selection| NODE + directives(selection) + bytes(selection)).sum()
}

fn bytes_of_value(value: &Value) -> u64 {
    NODE + match value {
        Value::String(text) => text.len() as u64,
        Value::List(items) => items.iter().map(bytes_of_value).sum(),
        Value::Object(fields) => fields.values().map(bytes_of_value).sum(),
        _ => 0,
    }
}
