//! Expected refusals, as data.

use async_graphql::SimpleObject;

use super::enums::ErrorCode;
use crate::error::Refusal;

/// An expected refusal: what is wrong and, where one argument is at fault, which.
#[derive(SimpleObject, Clone)]
pub struct UserError {
    /// Which kind, for programs.
    code: ErrorCode,
    /// One sentence, for people.
    message: String,
    /// The path of the argument at fault.
    field: Option<Vec<String>>,
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code.into(), message: refusal.message, field: refusal.field }
    }
}
