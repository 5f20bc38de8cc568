//! What can go wrong between a client and a server, each in one sentence that says what to do next.

use std::error::Error as _;

use serde_json::Value;

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The address is none.
    #[error("{0:?} is no address of a server; give one such as https://joblink.example.com or http://127.0.0.1:8080")]
    Address(String),
    /// The token cannot be sent.
    #[error("the token is no token: it holds characters that cannot be sent; give it as `joblink token` printed it")]
    Token,
    /// Nobody answers.
    #[error("no server answers at {server} ({why}); check the address, and that the server runs")]
    Unreachable {
        /// Where.
        server: String,
        /// Why.
        why: String,
    },
    /// Who answers cannot show who it is.
    #[error(
        "{server} cannot be trusted ({why}); check the address, or add the authority that signed its certificate to those \
         of this machine (SSL_CERT_FILE names a file of them)"
    )]
    Tls {
        /// Where.
        server: String,
        /// Why.
        why: String,
    },
    /// The answer did not come, and whether anything was done is not known.
    #[error("the connection to {server} broke before its answer came ({why}); look how things stand, and try again")]
    Lost {
        /// Where.
        server: String,
        /// Why.
        why: String,
    },
    /// A token is wanted.
    #[error(
        "{server} wants a token; give one with --token-file or in JOBLINK_TOKEN (its operator makes one with `joblink token`)"
    )]
    NotSignedIn {
        /// Where.
        server: String,
    },
    /// The token was refused.
    #[error("{server} does not accept the token: it has expired, was changed, or is another server's; get a new one")]
    TokenRefused {
        /// Where.
        server: String,
    },
    /// The caller has asked too often, and waiting did not help.
    #[error("{server} takes no more requests for now; try again in {seconds} seconds")]
    TooMany {
        /// Where.
        server: String,
        /// When to come again, in seconds.
        seconds: u64,
    },
    /// What answers speaks another language.
    #[error("what answers at {server} is no Joblink server ({why}); check the address")]
    Stranger {
        /// Where.
        server: String,
        /// What it said instead.
        why: String,
    },
    /// The server does not know what is asked, or answers what is not known.
    #[error("{server} is of another version ({why}); use the joblink that was delivered with it")]
    OtherVersion {
        /// Where.
        server: String,
        /// How that showed.
        why: String,
    },
    /// The server says why not.
    #[error("{server} says: {message}{}", request(.request_id.as_deref()))]
    Server {
        /// Where.
        server: String,
        /// Which kind, for programs.
        code: String,
        /// One sentence.
        message: String,
        /// The id of the request, which the server's log has too.
        request_id: Option<String>,
    },
    /// A file here cannot be read or written.
    #[error("cannot read {file} ({why}); check that it is there and may be read")]
    File {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
}

fn request(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" (request {id})"))
}

impl Error {
    /// The kind that the server gave it.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Server { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same request may have another end in a moment.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            Self::Server { code, .. } => code == "DATABASE_BUSY",
            _ => false,
        }
    }

    /// Whether a server that was there may come back.
    pub fn may_be_away(&self) -> bool {
        self.may_pass() || matches!(self, Self::Unreachable { .. } | Self::TooMany { .. })
    }

    /// What went wrong on the way.
    pub(crate) fn on_the_way(server: &str, error: &reqwest::Error) -> Self {
        let (server, why) = (server.to_owned(), deepest(error));
        if is_tls(error) {
            Self::Tls { server, why }
        } else if error.is_connect() {
            Self::Unreachable { server, why }
        } else {
            Self::Lost { server, why }
        }
    }

    /// What the server gave instead of data.
    pub(crate) fn of_graphql(server: &str, error: &graphql_client::Error, request_id: Option<&str>) -> Self {
        let extension = |name| error.extensions.as_ref().and_then(|all| all.get(name)).and_then(Value::as_str);
        let code = extension("code").unwrap_or("UNKNOWN");
        let (server, message) = (server.to_owned(), error.message.clone());
        if ["GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"].contains(&code) {
            let why = message.trim_end_matches('.').to_owned();
            return Self::OtherVersion { server, why };
        }
        let request_id = extension("requestId").or(request_id).map(ToOwned::to_owned);
        Self::Server { server, code: code.to_owned(), message, request_id }
    }
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |error: &&'_ (dyn std::error::Error + 'static)| (*error).source())
}

/// What is behind an error, without the URL, which the errors before it name whole.
pub fn deepest(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    chain(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Whether it is about who answers, at any depth: an I/O error does not name the error that it was made of as its source.
pub fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner)) || error.source().is_some_and(is_tls)
}
