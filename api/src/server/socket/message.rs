//! The messages of the protocol, and how a connection is closed.

use axum::extract::ws::{CloseFrame, Message};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::server::check::Operation;

/// What a client sends.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Sent {
    ConnectionInit { payload: Option<Map<String, Value>> },
    Ping { payload: Option<Map<String, Value>> },
    Pong {},
    Subscribe { id: String, payload: Value },
    Complete { id: String },
}

/// What a client wants.
#[derive(Debug)]
pub enum Incoming {
    /// To introduce itself, with this value of `Authorization` where it gives one.
    Init(Option<String>),
    /// To hear whether the server is there.
    Ping(Option<Map<String, Value>>),
    /// Nothing: an answer.
    Pong,
    /// An operation, under this id.
    Subscribe(String, Operation),
    /// No more of the operation of this id.
    Complete(String),
}

impl Incoming {
    /// Reads a message.
    pub fn read(text: &str) -> Result<Self, Close> {
        Ok(match serde_json::from_str(text).map_err(|_| Close::INVALID)? {
            Sent::ConnectionInit { payload } => Self::Init(payload.as_ref().and_then(authorization)),
            Sent::Ping { payload } => Self::Ping(payload),
            Sent::Pong {} => Self::Pong,
            Sent::Subscribe { id, .. } | Sent::Complete { id } if id.is_empty() => return Err(Close::INVALID),
            Sent::Subscribe { id, payload } => {
                let operation = Operation::parse(payload).map_err(|_| Close::INVALID)?;
                if !operation.has_query() {
                    return Err(Close::INVALID);
                }
                Self::Subscribe(id, operation)
            }
            Sent::Complete { id } => Self::Complete(id),
        })
    }
}

fn authorization(payload: &Map<String, Value>) -> Option<String> {
    let (_, value) = payload.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    // What is no text is no token, rather than none given.
    Some(value.as_str().unwrap_or_default().to_owned())
}

/// What the server sends.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// The client is known.
    Ack,
    /// The server is there.
    Pong(Option<Map<String, Value>>),
    /// A result of an operation, as JSON.
    Next(String),
    /// An operation that is not executed: a list of errors. The last message of the operation.
    Error(Value),
    /// The last message of an operation that was executed.
    Complete,
}

impl Outgoing {
    /// Whether the operation ends with it.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Error(_) | Self::Complete)
    }

    /// The message, of the operation of this id.
    pub fn write(self, id: &str) -> Message {
        let text = match self {
            Self::Ack => json!({ "type": "connection_ack" }).to_string(),
            Self::Pong(None) => json!({ "type": "pong" }).to_string(),
            Self::Pong(Some(payload)) => json!({ "type": "pong", "payload": payload }).to_string(),
            // The result's fields stay in their order.
            Self::Next(result) => format!("{{\"id\":{},\"type\":\"next\",\"payload\":{result}}}", json!(id)),
            Self::Error(errors) => json!({ "id": id, "type": "error", "payload": errors }).to_string(),
            Self::Complete => json!({ "id": id, "type": "complete" }).to_string(),
        };
        Message::Text(text.into())
    }
}

/// Why a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    code: u16,
    reason: String,
}

impl Close {
    /// A message that is none of the protocol.
    pub const INVALID: Self = Self::new(4400, String::new());

    const fn new(code: u16, reason: String) -> Self {
        Self { code, reason }
    }

    /// A message before the client is known, or no token.
    pub fn unauthorized() -> Self {
        Self::new(4401, "Unauthorized".to_owned())
    }

    /// A bad or expired token.
    pub fn forbidden() -> Self {
        Self::new(4403, "Forbidden".to_owned())
    }

    /// The client speaks none of our protocols.
    pub fn unknown_protocol() -> Self {
        Self::new(4406, "Subprotocol not acceptable: graphql-transport-ws is spoken here".to_owned())
    }

    /// The client does not introduce itself.
    pub fn init_timeout() -> Self {
        Self::new(4408, "Connection initialisation timeout".to_owned())
    }

    /// An id that is in use.
    pub fn taken(id: &str) -> Self {
        // A reason has at most 123 bytes.
        let id: String = id.chars().take(20).collect();
        Self::new(4409, format!("Subscriber for {id} already exists"))
    }

    /// The client introduces itself twice.
    pub fn too_many_inits() -> Self {
        Self::new(4429, "Too many initialisation requests".to_owned())
    }

    /// The client's token cannot be looked at.
    pub fn failed() -> Self {
        Self::new(4500, "Internal server error".to_owned())
    }

    /// The client does not answer.
    pub fn silent() -> Self {
        Self::new(3008, "Timeout".to_owned())
    }

    /// Too many introductions from where the client is or connections of its user, or a database that is busy (1013 of
    /// IANA's registry of close codes).
    pub fn try_later() -> Self {
        Self::new(1013, "Try again later".to_owned())
    }

    /// The server stops.
    pub fn going_away() -> Self {
        Self::new(1001, "The server stops".to_owned())
    }

    /// The message that says so.
    pub fn write(self) -> Message {
        let reason = if self == Self::INVALID { "Invalid message".to_owned() } else { self.reason };
        Message::Close(Some(CloseFrame { code: self.code, reason: reason.into() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_closes_the_connection() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":null}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"complete","id":""}"#,
            r#"{"type":"connection_init","payload":"x"}"#,
            r#"{"type":"ping","payload":[]}"#,
        ] {
            assert_eq!(Incoming::read(text).err(), Some(Close::INVALID), "{text}");
        }
        let init = |text| match Incoming::read(text) {
            Ok(Incoming::Init(token)) => token,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(init(r#"{"type":"connection_init"}"#), None);
        assert_eq!(init(r#"{"type":"connection_init","payload":null}"#), None);
        assert_eq!(
            init(r#"{"type":"connection_init","payload":{"authorization":"Bearer a"}}"#),
            Some("Bearer a".into())
        );
        assert_eq!(init(r#"{"type":"connection_init","payload":{"Authorization":7}}"#), Some(String::new()));
    }
}
