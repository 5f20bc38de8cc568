//! The GraphQL contract: thin types and resolvers over the rooms.

mod batch;
mod connection;
pub mod document;
pub mod failure;
mod filters;
pub mod loaders;
mod model;
mod mutation;
mod payloads;
mod query;
pub mod quoting;
mod reference;
mod scalars;
mod shown;
mod subscription;
mod tokens;
pub mod validation;

use async_graphql::{
    Response, SDLExportOptions, Schema as GraphqlSchema, SchemaBuilder, ValidationMode,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute},
};
pub use mutation::Files;
pub use scalars::UPLOAD_MARK;

use futures_util::stream::BoxStream;

use self::{model::Prediction, mutation::Mutation, query::Query, subscription::Subscription};
use crate::app::App;

type Schema = GraphqlSchema<Query, Mutation, Subscription>;

/// The longest document, in bytes, whose wrong names are compared with the right ones to suggest one. That takes time by the
/// length of all wrong names together, and nobody misspells a document of this length by hand.
const LONGEST_SUGGESTED: usize = 8_000;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query, Mutation, Subscription)
        .register_output_type::<Prediction>()
        .register_output_type::<model::Node>()
        .limit_recursive_depth(100)
}

/// The contract as a document.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(SDLExportOptions::new().include_specified_by())
}

/// Checks documents and executes them.
#[derive(Clone)]
pub struct Executor {
    checking: Schema,
    checking_long: Schema,
    executing: Schema,
    types: std::sync::Arc<document::Types>,
    rules: std::sync::Arc<validation::Rules>,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Executor")
    }
}

impl Executor {
    /// For an app.
    pub fn new(app: App) -> Self {
        Self {
            checking: builder().extension(StopBeforeExecution).finish(),
            checking_long: builder().extension(StopBeforeExecution).disable_suggestions().finish(),
            // What is executed was checked before, in the form in which the client sent it.
            executing: builder().validation_mode(ValidationMode::Fast).data(app).finish(),
            types: std::sync::Arc::new(document::Types::new(&sdl())),
            rules: std::sync::Arc::new(validation::Rules::new(&sdl())),
        }
    }

    /// What the schema says of types, for preparing documents.
    pub fn types(&self) -> &document::Types {
        &self.types
    }

    /// Whether a request is valid: executes nothing, and answers with errors or without.
    pub async fn check(&self, request: async_graphql::Request) -> Response {
        let is_long = request.query.len() > LONGEST_SUGGESTED;
        let checking = if is_long { &self.checking_long } else { &self.checking };
        checking.execute(request).await
    }

    /// The rules beyond those of [`Self::check`], for documents that it found valid.
    pub fn rules(&self) -> &validation::Rules {
        &self.rules
    }

    /// Executes a request that was checked and prepared.
    pub async fn execute(&self, request: async_graphql::Request) -> Response {
        self.executing.execute(request).await
    }

    /// Executes a subscription that was checked and prepared.
    pub fn subscribe(&self, request: async_graphql::Request) -> BoxStream<'static, Response> {
        self.executing.execute_stream(request)
    }
}

/// Ends a request after its validation.
struct StopBeforeExecution;

impl ExtensionFactory for StopBeforeExecution {
    fn create(&self) -> std::sync::Arc<dyn Extension> {
        std::sync::Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for StopBeforeExecution {
    async fn execute(
        &self,
        _ctx: &ExtensionContext<'_>,
        _operation_name: Option<&str>,
        _next: NextExecute<'_>,
    ) -> Response {
        Response::new(async_graphql::Value::Null)
    }
}
