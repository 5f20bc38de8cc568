//! A server: where it is, who asks, and how an operation is sent and answered.

use std::{fmt, time::Duration};

use graphql_client::GraphQLQuery;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderValue},
    redirect::Policy,
};
use tokio::time::sleep;

use crate::Error;

/// How long it may take until there is a connection.
const CONNECT: Duration = Duration::from_secs(15);
/// How long an answer may pause: a page of deletions of large jobs takes its time.
const PAUSE: Duration = Duration::from_mins(10);
/// The longest that is waited, in all, for a server that takes no more requests for now.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long to wait where the server does not say.
const USUAL_WAIT: u64 = 1;
/// When a repeatable request is sent again after its answer was lost.
const PAUSES: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

/// Whether a request may be sent again where its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It changes nothing, or done twice it is as if it had been done once.
    Yes,
    /// It may have been done, and doing it twice would be another thing.
    No,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// The data, in part where there are errors too.
    pub data: Option<T>,
    /// What failed.
    pub errors: Vec<Error>,
}

/// A server, as somebody sees it.
#[derive(Clone)]
pub struct Server {
    base: Url,
    has_token: bool,
    pub(crate) http: Client,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.name())
    }
}

impl Server {
    /// A server at an address such as `http://127.0.0.1:8080`, asked by the owner of a token. Nothing is sent yet.
    pub fn new(address: &str, token: Option<&str>) -> Result<Self, Error> {
        // The address may hold a password that somebody believed to be of use.
        let wrong = || Error::Address(address.rsplit('@').next().unwrap_or_default().to_owned());
        let base = Url::parse(address).map_err(|_| wrong())?;
        let is_plain = base.username().is_empty() && base.password().is_none() && base.query().is_none();
        if !["http", "https"].contains(&base.scheme()) || !base.has_host() || !is_plain || base.fragment().is_some() {
            return Err(wrong());
        }
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| Error::Token)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        // Another part of the program may have chosen the cryptography before; it is the same everywhere.
        _ = rustls::crypto::ring::default_provider().install_default();
        let agent = concat!("joblink/", env!("CARGO_PKG_VERSION"));
        let builder = Client::builder().default_headers(headers).user_agent(agent).redirect(Policy::none());
        let builder = builder.connect_timeout(CONNECT).read_timeout(PAUSE);
        // What is on this machine is not asked for elsewhere.
        let builder = if is_here(&base) { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| Error::on_the_way(base.as_str(), &error))?;
        Ok(Self { base, has_token: token.is_some(), http })
    }

    /// Where it is, for people.
    pub fn name(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// An address of the server's, below the one that it was given by.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.name())
    }

    /// Asks, and gives the data; an answer with an error has none.
    pub async fn ask<Q: GraphQLQuery>(&self, variables: Q::Variables, again: Again) -> Result<Q::ResponseData, Error> {
        let answer = self.answer::<Q>(variables, again).await?;
        match (answer.errors.into_iter().next(), answer.data) {
            (Some(error), _) => Err(error),
            (None, Some(data)) => Ok(data),
            (None, None) => Err(Error::OtherVersion { server: self.name(), why: "an answer without data".to_owned() }),
        }
    }

    /// Asks, and gives data and errors.
    pub async fn answer<Q: GraphQLQuery>(
        &self,
        variables: Q::Variables,
        again: Again,
    ) -> Result<Answer<Q::ResponseData>, Error> {
        let body = Q::build_query(variables);
        let mut pauses = PAUSES.iter();
        loop {
            let request =
                || self.http.post(self.address("graphql")).header(header::ACCEPT, "application/json").json(&body);
            let answer = match self.send(request).await {
                Ok(response) => self.read::<Q>(response).await,
                Err(error) => Err(error),
            };
            let passing = match &answer {
                Ok(answer) => answer.data.is_none() && answer.errors.iter().any(Error::may_pass),
                Err(error) => error.may_pass(),
            };
            match pauses.next() {
                Some(pause) if passing && again == Again::Yes => sleep(*pause).await,
                _ => return answer,
            }
        }
    }

    /// Sends a request, and waits and sends it again where the server turned it away at the door.
    pub(crate) async fn send(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, Error> {
        let mut waited = Duration::ZERO;
        loop {
            let response = request().send().await.map_err(|error| Error::on_the_way(&self.name(), &error))?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return self.admitted(response);
            }
            let told = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let seconds = told.unwrap_or(USUAL_WAIT).max(1);
            waited = waited.saturating_add(Duration::from_secs(seconds));
            if waited > PATIENCE {
                return Err(Error::TooMany { server: self.name(), seconds });
            }
            sleep(Duration::from_secs(seconds)).await;
        }
    }

    fn admitted(&self, response: Response) -> Result<Response, Error> {
        let (server, status) = (self.name(), response.status());
        if status == StatusCode::UNAUTHORIZED {
            return Err(if self.has_token { Error::TokenRefused { server } } else { Error::NotSignedIn { server } });
        }
        if status.is_redirection() {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
            let to: String = to.chars().filter(|char| !char.is_control()).take(200).collect();
            return Err(Error::Stranger { server, why: format!("it sends to {to}") });
        }
        Ok(response)
    }

    async fn read<Q: GraphQLQuery>(&self, response: Response) -> Result<Answer<Q::ResponseData>, Error> {
        let (server, status) = (self.name(), response.status());
        let request_id = request_id(&response);
        let is_json = is_json(&response);
        let body = response.bytes().await.map_err(|error| Error::on_the_way(&server, &error))?;
        if !is_json {
            // A proxy in front of a server that is away says so in its own words.
            return Err(if status.is_server_error() {
                Error::Lost { server, why: status.to_string() }
            } else {
                Error::Stranger { server, why: status.to_string() }
            });
        }
        self.parse(&body, request_id.as_deref())
    }

    /// Reads a result of an operation.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(
        &self,
        body: &[u8],
        request_id: Option<&str>,
    ) -> Result<Answer<T>, Error> {
        let server = self.name();
        let answer: graphql_client::Response<T> = serde_json::from_slice(body).map_err(|error| {
            Error::OtherVersion { server: server.clone(), why: format!("an answer that is not understood: {error}") }
        })?;
        let errors = answer.errors.unwrap_or_default();
        let errors = errors.iter().map(|error| Error::of_graphql(&server, error, request_id)).collect();
        Ok(Answer { data: answer.data, errors })
    }

    /// Reads a refusal of an address other than GraphQL's.
    pub(crate) async fn refusal(&self, response: Response) -> Error {
        let (server, status, request_id) = (self.name(), response.status(), request_id(&response));
        let stranger = Error::Stranger { server: server.clone(), why: status.to_string() };
        let Ok(body) = response.bytes().await else { return stranger };
        let parsed = serde_json::from_slice::<graphql_client::Response<serde_json::Value>>(&body).ok();
        let first = parsed.and_then(|parsed| parsed.errors?.into_iter().next());
        first.map_or(stranger, |error| Error::of_graphql(&server, &error, request_id.as_deref()))
    }
}

fn request_id(response: &Response) -> Option<String> {
    response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned)
}

fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.contains("json"))
}

fn is_here(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}
