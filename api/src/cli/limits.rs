//! The settings that bound what callers may ask.

use clap::Args;

use crate::app::{DocumentLimits, Limits, SocketLimits};

/// Limits of GraphQL requests.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Limits of GraphQL requests")]
pub struct GraphqlLimits {
    /// The longest document, in bytes
    #[arg(long, env = "JOBLINK_MAX_DOCUMENT_BYTES", default_value_t = DocumentLimits::default().bytes)]
    max_document_bytes: usize,
    /// The most tokens of a document
    #[arg(long, env = "JOBLINK_MAX_TOKENS", default_value_t = DocumentLimits::default().tokens)]
    max_tokens: usize,
    /// The most directives of a document, as written
    #[arg(long, env = "JOBLINK_MAX_DIRECTIVES", default_value_t = DocumentLimits::default().directives)]
    max_directives: usize,
    /// The most fields of a document, with fragments expanded
    #[arg(long, env = "JOBLINK_MAX_FIELDS", default_value_t = DocumentLimits::default().fields)]
    max_fields: usize,
    /// The most levels of fields; GraphiQL needs 15
    #[arg(long, env = "JOBLINK_MAX_DEPTH", default_value_t = DocumentLimits::default().depth)]
    max_depth: usize,
    /// The most aliases, with fragments expanded
    #[arg(long, env = "JOBLINK_MAX_ALIASES", default_value_t = DocumentLimits::default().aliases)]
    max_aliases: usize,
    /// The most fields at the root of an operation
    #[arg(long, env = "JOBLINK_MAX_ROOT_FIELDS", default_value_t = DocumentLimits::default().root_fields)]
    max_root_fields: usize,
    /// The most values that an answer could have; a list counts as often as it may have items
    #[arg(long, env = "JOBLINK_MAX_COST", default_value_t = DocumentLimits::default().cost)]
    max_cost: u64,
    /// The most operations at a time on a WebSocket connection, subscriptions above all
    #[arg(long, env = "JOBLINK_MAX_SUBSCRIPTIONS", default_value_t = SocketLimits::default().operations)]
    max_subscriptions: usize,
    /// Whether who is not signed in may ask for the schema
    #[arg(long, env = "JOBLINK_ANONYMOUS_INTROSPECTION", default_value_t = Limits::default().anonymous_introspection,
        value_name = "true|false", action = clap::ArgAction::Set)]
    anonymous_introspection: bool,
}

impl GraphqlLimits {
    /// Puts them among the others.
    pub fn apply(self, limits: Limits) -> Limits {
        let document = DocumentLimits {
            bytes: self.max_document_bytes,
            tokens: self.max_tokens,
            directives: self.max_directives,
            fields: self.max_fields,
            depth: self.max_depth,
            aliases: self.max_aliases,
            root_fields: self.max_root_fields,
            cost: self.max_cost,
        };
        let socket = SocketLimits { operations: self.max_subscriptions, ..limits.socket };
        Limits { document, socket, anonymous_introspection: self.anonymous_introspection, ..limits }
    }
}
