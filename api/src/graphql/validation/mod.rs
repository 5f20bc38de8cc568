//! Rules of the specification's chapter on validation that the library leaves out.
//!
//! Measured on 7.0.19 against graphql-js: variables in places of another type, enum values as strings, objects that are
//! none, numbers beyond 32 bits, and most fields that cannot be merged all pass. So do wrong values of variables, which
//! then fail in the middle of the execution. These rules run after the library's own and take for granted what those hold.

mod directives;
mod merging;
mod repeated;
mod schema;
mod typename;
mod values;

use async_graphql::{
    Pos, ServerError, Variables,
    parser::types::{ExecutableDocument, OperationType},
};

use self::schema::Schema;

/// The rules for one schema.
#[derive(Debug)]
pub struct Rules {
    schema: Schema,
}

impl Rules {
    /// For a schema's document.
    pub fn new(sdl: &str) -> Self {
        Self { schema: Schema::new(sdl) }
    }

    /// What a document breaks, and its text.
    pub fn broken_by_document(&self, document: &ExecutableDocument, text: &str) -> Vec<ServerError> {
        let mut broken: Vec<_> = repeated::field(text).into_iter().collect();
        broken.extend(directives::on_variables(document));
        broken.extend(typename::broken(document));
        for (_, operation) in document.operations.iter() {
            broken.extend(values::Uses::new(&self.schema, document, &operation.node).broken());
            broken.extend(merging::conflict(&self.schema, document, &operation.node));
        }
        broken
    }

    /// What the variables' values break.
    pub fn broken_by_variables(
        &self,
        document: &ExecutableDocument,
        name: Option<&str>,
        variables: &Variables,
    ) -> Vec<ServerError> {
        let wanted =
            |known: Option<&async_graphql::Name>| name.is_none() || known.map(async_graphql::Name::as_str) == name;
        let operation = document.operations.iter().find(|(known, _)| wanted(*known));
        operation.map_or_else(Vec::new, |(_, operation)| values::wrong(&self.schema, &operation.node, variables))
    }
}

/// Whether the library's error is judged anew here: it overlooks variables in directives on fragments.
pub fn is_judged_here(error: &ServerError) -> bool {
    error.message.starts_with("Variable \"$") && error.message.contains("\" is not used")
}

/// The type at the root of an operation.
fn root(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

fn error(message: String, at: impl IntoIterator<Item = Pos>) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.locations.extend(at);
    error
}
