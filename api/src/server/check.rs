//! An operation on its way to execution: nothing is executed that has not passed here.

use std::sync::Arc;

use async_graphql::{
    Request as GraphqlRequest, Response as GraphqlResponse, ServerError,
    parser::types::{ExecutableDocument, OperationType},
};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Edge,
    observe::{self, Seen},
    rejection::Rejection,
};
use crate::{
    app::Limits,
    graphql::{
        document::{self, exceeded::Exceeded},
        failure, validation,
    },
};

/// The body of a request.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the specification")]
pub struct Operation {
    #[serde(default)]
    query: Option<String>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    #[serde(default)]
    extensions: Option<Map<String, Value>>,
}

/// The most errors that a document is answered with; who made more is told of these first.
const MOST_ERRORS: usize = 50;

impl Operation {
    /// Whether there is a document in it.
    pub fn has_query(&self) -> bool {
        self.query.is_some()
    }

    /// Its name, where the client gives one.
    pub fn name(&self) -> Option<&str> {
        self.operation_name.as_deref()
    }

    /// Whether the answer shall tell what it cost: `{"extensions": {"cost": true}}`.
    fn asks_for_cost(&self) -> bool {
        self.extensions.as_ref().and_then(|extensions| extensions.get("cost")) == Some(&Value::Bool(true))
    }

    /// Reads it from JSON.
    pub fn parse(json: Value) -> Result<Self, Rejection> {
        let wrong = "The request is none of GraphQL: an object with \"query\" and, where needed, \"variables\", \"operationName\" and \"extensions\" is expected.";
        if json.is_array() {
            return Err(Rejection::bad_request("A list of requests is not taken: send each request by itself."));
        }
        // A list would be taken for the fields in their order.
        let json = Some(json).filter(Value::is_object).ok_or_else(|| Rejection::bad_request(wrong))?;
        serde_json::from_value(json).map_err(|_| Rejection::bad_request(wrong))
    }
}

/// A request of which nothing was executed: statuses for HTTP, and why.
pub struct Unfit {
    pub status: StatusCode,
    /// In the older media type a request that could be read is answered with 200, whatever became of it.
    pub legacy_status: StatusCode,
    /// A list of errors.
    pub errors: Value,
}

impl Unfit {
    /// Refused before its document was looked at, or for its size.
    pub fn rejected(rejection: &Rejection, request_id: &str) -> Self {
        let mut body = rejection.body(request_id);
        Self { status: rejection.status, legacy_status: rejection.status, errors: body["errors"].take() }
    }

    /// A document that cannot be executed.
    fn invalid(mut response: GraphqlResponse, code: &'static str, request_id: &str) -> Self {
        response.errors.truncate(MOST_ERRORS);
        failure::finish(&mut response, request_id, code);
        Self { status: StatusCode::BAD_REQUEST, legacy_status: StatusCode::OK, errors: json!(response.errors) }
    }
}

impl Unfit {
    /// What is told of it.
    pub fn seen(&self) -> Seen {
        Seen { codes: observe::codes(&self.errors), graphql: true, ..Seen::default() }
    }
}

/// An operation that may be executed.
pub struct Checked {
    /// With the prepared document.
    pub request: GraphqlRequest,
    /// What it is.
    pub operation: OperationType,
    /// What its answer shall tell of its cost.
    pub cost: Option<Cost>,
}

/// What an operation costs, for a client that wants to know how near it is to the limit.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    requested: u64,
    allowed: u64,
}

impl Cost {
    /// Puts it into an answer.
    pub fn tell(self, response: &mut GraphqlResponse) {
        let cost = async_graphql::value!({ "requested": self.requested, "allowed": self.allowed });
        response.extensions.insert("cost".to_owned(), cost);
    }
}

/// Checks an operation, on whatever way it came: nothing is executed that has not passed here.
pub async fn check(edge: &Edge, signed_in: bool, operation: Operation, request_id: &str) -> Result<Checked, Unfit> {
    let invalid = |errors, code| Unfit::invalid(GraphqlResponse::from_errors(errors), code, request_id);
    let exceeded = |exceeded: Exceeded| Unfit::rejected(&exceeded.into(), request_id);
    let wants_cost = operation.asks_for_cost();
    let Some(query) = operation.query else {
        return Err(Unfit::rejected(&Rejection::bad_request("The request has no \"query\"."), request_id));
    };
    let limits = &edge.app.limits.document;
    let known = edge.known.get(&query);
    let document = if let Some(valid) = &known {
        valid.document.clone()
    } else {
        document::text::check(&query, limits).map_err(exceeded)?;
        Arc::new(async_graphql::parser::parse_query(&query).map_err(|error| unparsable(&error, request_id))?)
    };
    let variables = async_graphql::Variables::from_json(Value::Object(operation.variables.unwrap_or_default()));
    let name = operation.operation_name.as_deref();
    let prepared_before = known.as_ref().and_then(|valid| valid.prepared(name, &variables));
    let is_new = prepared_before.is_none();
    let prepare = || document::prepare(&document, name, &variables, edge.executor.types(), limits).map(Arc::new);
    let prepared = match prepared_before.map_or_else(prepare, Ok) {
        Ok(prepared) => prepared,
        Err(document::Unprepared::Exceeded(limit)) => return Err(exceeded(limit)),
        Err(error) => {
            let is_value = matches!(error, document::Unprepared::NullCondition);
            let code = if is_value { "BAD_USER_INPUT" } else { "GRAPHQL_VALIDATION_FAILED" };
            return Err(invalid(vec![ServerError::new(error.to_string(), None)], code));
        }
    };
    if !signed_in && !prepared.roots.iter().all(|root| is_open_to_all(root, &edge.app.limits)) {
        return Err(Unfit::rejected(&Rejection::unauthenticated(), request_id));
    }
    if known.is_none() {
        let broken = broken_by_document(edge, &query, name, &document).await;
        if !broken.is_empty() {
            return Err(invalid(broken, "GRAPHQL_VALIDATION_FAILED"));
        }
    }
    let broken = edge.executor.rules().broken_by_variables(&document, name, &variables);
    if !broken.is_empty() {
        return Err(invalid(broken, "BAD_USER_INPUT"));
    }
    if let Some(error) = prepared.not_one_stream() {
        return Err(invalid(vec![error], "GRAPHQL_VALIDATION_FAILED"));
    }
    if is_new {
        edge.known.keep(&query, &document, name, &prepared);
    }
    let mut request = GraphqlRequest::new(query).variables(variables);
    request.operation_name = operation.operation_name;
    request.set_parsed_query(prepared.document.clone());
    let cost = wants_cost.then_some(Cost { requested: prepared.cost, allowed: limits.cost });
    Ok(Checked { request, operation: prepared.operation, cost })
}

/// Whether a root field is answered to who is not signed in.
fn is_open_to_all(root: &str, limits: &Limits) -> bool {
    root == "__typename" || (limits.anonymous_introspection && root.starts_with("__"))
}

/// What is wrong with a document itself, whatever the values of its variables.
async fn broken_by_document(
    edge: &Edge,
    text: &str,
    operation: Option<&str>,
    document: &ExecutableDocument,
) -> Vec<ServerError> {
    // Without the variables' values, which are judged when the document is valid.
    let mut request = GraphqlRequest::new(text);
    request.operation_name = operation.map(ToOwned::to_owned);
    request.set_parsed_query(document.clone());
    let mut broken = edge.executor.check(request).await.errors;
    broken.retain(|error| !validation::is_judged_here(error));
    if broken.is_empty() { edge.executor.rules().broken_by_document(document, text) } else { broken }
}

/// A document that cannot be read: where its mistake is, without the grammar of the parser.
fn unparsable(error: &async_graphql::parser::Error, request_id: &str) -> Unfit {
    use async_graphql::parser::Error;
    let at = error.positions().next();
    let place = at.map_or_else(String::new, |at| format!(" at line {}, column {}", at.line, at.column));
    let (code, message) = match error {
        Error::OperationDuplicated { operation, .. } => {
            ("GRAPHQL_VALIDATION_FAILED", format!("There can be only one operation named \"{operation}\"."))
        }
        Error::FragmentDuplicated { fragment, .. } => {
            ("GRAPHQL_VALIDATION_FAILED", format!("There can be only one fragment named \"{fragment}\"."))
        }
        Error::MultipleOperations { .. } => {
            ("GRAPHQL_VALIDATION_FAILED", "An operation without a name must be the only one.".to_owned())
        }
        Error::MissingOperation => ("GRAPHQL_VALIDATION_FAILED", "The document has no operation.".to_owned()),
        _ => ("GRAPHQL_PARSE_FAILED", format!("The document has a syntax error{place}.")),
    };
    let error = ServerError::new(message, at);
    Unfit::invalid(GraphqlResponse::from_errors(vec![error]), code, request_id)
}
