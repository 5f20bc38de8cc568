//! An operation on its way to execution: nothing is executed that has not passed here.

use async_graphql::{
    Request as GraphqlRequest, Response as GraphqlResponse, ServerError, parser::types::OperationType,
};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Edge, rejection::Rejection};
use crate::graphql::{document, failure, nesting, validation};

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
}

impl Operation {
    /// Whether there is a document in it.
    pub fn has_query(&self) -> bool {
        self.query.is_some()
    }

    /// Reads it from JSON.
    pub fn parse(json: Value) -> Result<Self, Rejection> {
        let wrong = "The body is not a GraphQL request: an object with \"query\" and, where needed, \"variables\" and \"operationName\" is expected.";
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
        failure::finish(&mut response, request_id, code);
        Self { status: StatusCode::BAD_REQUEST, legacy_status: StatusCode::OK, errors: json!(response.errors) }
    }
}

/// An operation that may be executed.
pub struct Checked {
    /// With the prepared document.
    pub request: GraphqlRequest,
    /// What it is.
    pub operation: OperationType,
}

/// Checks an operation, on whatever way it came: nothing is executed that has not passed here.
pub async fn check(edge: &Edge, signed_in: bool, operation: Operation, request_id: &str) -> Result<Checked, Unfit> {
    let rejected = |status, code, message: String| Unfit::rejected(&Rejection::new(status, code, message), request_id);
    let invalid = |errors, code| Unfit::invalid(GraphqlResponse::from_errors(errors), code, request_id);
    let Some(query) = operation.query else {
        return Err(Unfit::rejected(&Rejection::bad_request("The request has no \"query\"."), request_id));
    };
    let limit = edge.app.limits.document_bytes;
    if query.len() > limit {
        let message = format!("The document is too large: at most {limit} bytes are allowed.");
        return Err(rejected(StatusCode::BAD_REQUEST, "DOCUMENT_TOO_LARGE", message));
    }
    if nesting::is_too_nested(&query) {
        let message = document::Unprepared::TooDeep.to_string();
        return Err(rejected(StatusCode::BAD_REQUEST, "QUERY_TOO_COMPLEX", message));
    }
    let document = async_graphql::parser::parse_query(&query).map_err(|error| unparsable(&error, request_id))?;
    let variables = async_graphql::Variables::from_json(Value::Object(operation.variables.unwrap_or_default()));
    let name = operation.operation_name.as_deref();
    let prepared = match document::prepare(&document, name, &variables, edge.executor.types()) {
        Ok(prepared) => prepared,
        Err(error @ (document::Unprepared::UnknownOperation | document::Unprepared::Circular)) => {
            return Err(invalid(vec![ServerError::new(error.to_string(), None)], "GRAPHQL_VALIDATION_FAILED"));
        }
        Err(error @ document::Unprepared::NullCondition) => {
            return Err(invalid(vec![ServerError::new(error.to_string(), None)], "BAD_USER_INPUT"));
        }
        Err(limit) => return Err(rejected(StatusCode::BAD_REQUEST, "QUERY_TOO_COMPLEX", limit.to_string())),
    };
    if !signed_in && !prepared.roots.iter().all(|root| root.starts_with("__")) {
        return Err(Unfit::rejected(&Rejection::unauthenticated(), request_id));
    }
    let mut request = GraphqlRequest::new(query).variables(variables);
    request.operation_name = operation.operation_name;
    // Without the variables' values, which are judged when the document is valid.
    let mut to_check = GraphqlRequest::new(request.query.clone());
    to_check.operation_name.clone_from(&request.operation_name);
    to_check.set_parsed_query(document.clone());
    let mut checked = edge.executor.check(to_check).await;
    checked.errors.retain(|error| !validation::is_judged_here(error));
    if !checked.errors.is_empty() {
        return Err(Unfit::invalid(checked, "GRAPHQL_VALIDATION_FAILED", request_id));
    }
    let rules = edge.executor.rules();
    let broken = rules.broken_by_document(&document, &request.query);
    if !broken.is_empty() {
        return Err(invalid(broken, "GRAPHQL_VALIDATION_FAILED"));
    }
    let broken = rules.broken_by_variables(&document, request.operation_name.as_deref(), &request.variables);
    if !broken.is_empty() {
        return Err(invalid(broken, "BAD_USER_INPUT"));
    }
    if let Some(error) = prepared.not_one_stream() {
        return Err(invalid(vec![error], "GRAPHQL_VALIDATION_FAILED"));
    }
    request.set_parsed_query(prepared.document);
    Ok(Checked { request, operation: prepared.operation })
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
