//! Top-level errors: what a client is told of them, and what stays in the log.
//!
//! Resolvers pass errors up as they are; here, at the edge, each gets its code, and what the client cannot mend is masked.

use std::sync::Arc;

use async_graphql::{Context, Error as GraphqlError, ErrorExtensions, PathSegment, Response, ServerError, Value};

use super::quoting::shorten;
use crate::{error::Error, paging::BadPage};

/// A top-level error with a code of its own.
pub fn coded(code: &'static str, message: impl Into<String>) -> GraphqlError {
    GraphqlError::new(message.into()).extend_with(|_, extensions| extensions.set("code", code))
}

/// A bad argument of a query; says what is allowed.
pub fn bad_input(message: impl Into<String>) -> GraphqlError {
    coded("BAD_USER_INPUT", message)
}

/// Where an error keeps its place on its way up.
const PLACE: &str = "place";

/// Keeps the place of an error that nulls more than its own field: each list on its way up would take it for its own.
pub fn placed(ctx: &Context<'_>) -> impl Fn(GraphqlError) -> GraphqlError {
    // Looked for where there is an error: fields without one are many.
    move |error| {
        let path = ctx.set_error_path(ServerError::new("", None)).path;
        let place = path.into_iter().map(|segment| match segment {
            PathSegment::Field(name) => Value::from(name),
            PathSegment::Index(index) => Value::from(index),
        });
        let place = Value::List(place.collect());
        error.extend_with(|_, extensions| extensions.set(PLACE, place))
    }
}

/// Puts a kept place where it belongs.
fn put_in_place(error: &mut ServerError) {
    let Some(extensions) = &mut error.extensions else { return };
    let Some(Value::List(place)) = extensions.get(PLACE).cloned() else { return };
    extensions.unset(PLACE);
    let segment = |value: Value| match value {
        Value::String(name) => Some(PathSegment::Field(name)),
        Value::Number(index) => Some(PathSegment::Index(usize::try_from(index.as_u64()?).ok()?)),
        _ => None,
    };
    error.path = place.into_iter().filter_map(segment).collect();
}

/// What an error is to the client.
enum Told {
    /// It has a code and a message for the client.
    AsItIs,
    /// The client's own mistake, which the library found.
    Mistake(&'static str),
    /// The database cannot be reached.
    Busy,
    /// The database did not say whether it made a change.
    Unknown,
    /// Anything else.
    Masked,
}

fn told(error: &ServerError, mistake: &'static str) -> Told {
    let failed = |error: &Error| {
        tracing::error!("{error}");
        match error {
            Error::CommitUnknown(_) => Told::Unknown,
            error if error.is_busy() => Told::Busy,
            _ => Told::Masked,
        }
    };
    if error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some()) {
        Told::AsItIs
    } else if error.source::<BadPage>().is_some() {
        Told::Mistake("BAD_USER_INPUT")
    } else if let Some(error) = error.source::<Error>() {
        failed(error)
    } else if let Some(error) = error.source::<Arc<Error>>() {
        failed(error)
    } else if let Some(error) = error.source::<sea_orm::DbErr>() {
        failed(&Error::from(error.clone()))
    } else if error.source.is_some() {
        tracing::error!("{}", error.message);
        Told::Masked
    } else {
        Told::Mistake(mistake)
    }
}

/// Gives every error its code and the request's id, and masks what the client cannot mend.
///
/// `mistake` is the code of what the library itself found wrong. Answers whether the database was the trouble.
pub fn finish(response: &mut Response, request_id: &str, mistake: &'static str) -> bool {
    let mut busy = false;
    for error in &mut response.errors {
        put_in_place(error);
        let (code, message) = match told(error, mistake) {
            Told::AsItIs => (None, None),
            Told::Mistake(code) => {
                error.message = sentence(&error.message);
                (Some(code), None)
            }
            Told::Busy => {
                busy = true;
                (Some("DATABASE_BUSY"), Some("The database is busy or cannot be reached; try again in a moment."))
            }
            Told::Unknown => {
                busy = true;
                let message =
                    "The database did not answer: it is unknown whether this was done; look before you ask again.";
                (Some("DATABASE_BUSY"), Some(message))
            }
            Told::Masked => (
                Some("INTERNAL_SERVER_ERROR"),
                Some("Something went wrong on the server; its log has the details under this request id."),
            ),
        };
        if let Some(message) = message {
            message.clone_into(&mut error.message);
        }
        shorten(&mut error.message);
        let extensions = error.extensions.get_or_insert_default();
        if let Some(code) = code {
            extensions.set("code", code);
        }
        extensions.set("requestId", Value::from(request_id));
    }
    busy
}

/// A message of the library as one sentence for people.
fn sentence(message: &str) -> String {
    // Where it parsed what is of no use without the library's source.
    let message = message.split(" (occurred while parsing").next().unwrap_or_default();
    let message = match message.strip_prefix("Failed to parse \"").and_then(|rest| rest.split_once("\": ")) {
        Some((ty, why)) => format!("A value of type \"{ty}\" is wrong: {why}"),
        None => message.to_owned(),
    };
    let message = if message.contains("ecursion depth") {
        "The document is too deep, or one of its fragments contains itself".to_owned()
    } else if let Some((place, _)) = message.split_once(", Oneof ") {
        format!("{place}: exactly one of its fields must be given, and not null")
    } else if let Some((what, " is required but not provided")) =
        // The library names the parent's type as the argument's.
        message
            .split_once(" of type ")
            .and_then(|(what, rest)| Some((what, &rest[rest.rfind('"')? + 1..])))
    {
        format!("{what} is required but not provided")
    } else {
        message
    };
    let message = message.trim_end_matches('.');
    let end = if message.ends_with('?') { None } else { Some('.') };
    let mut chars = message.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn messages_of_the_library_become_sentences() {
        for (message, wanted) in [
            ("Unknown fragment: \"F\"", "Unknown fragment: \"F\"."),
            ("Unknown field \"x\" on type \"Job\".", "Unknown field \"x\" on type \"Job\"."),
            (
                "Unknown field \"i\" on type \"Job\". Did you mean \"id\"?",
                "Unknown field \"i\" on type \"Job\". Did you mean \"id\"?",
            ),
            (
                "Field \"job\" argument \"id\" of type \"Query\" is required but not provided",
                "Field \"job\" argument \"id\" is required but not provided.",
            ),
            (
                "Failed to parse \"Upload\": a file is sent as a part (occurred while parsing \"FileSource\")",
                "A value of type \"Upload\" is wrong: a file is sent as a part.",
            ),
            (
                "Invalid value for argument \"input.source\", Oneof input objects requires have exactly one field",
                "Invalid value for argument \"input.source\": exactly one of its fields must be given, and not null.",
            ),
            (
                "The recursion depth of the query cannot be greater than `100`",
                "The document is too deep, or one of its fragments contains itself.",
            ),
        ] {
            assert_eq!(sentence(message), wanted);
        }
    }
}
