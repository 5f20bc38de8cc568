//! Sends spans with the client that the program has anyway.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::{Client, redirect::Policy};
use tokio::runtime::Handle;

/// The longest answer of a collector that is read, in bytes: it says at most which spans it did not want.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Why spans could not be sent the last time.
#[derive(Clone, Debug, Default)]
pub struct Failure(Arc<Mutex<String>>);

impl Failure {
    fn set(&self, why: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A client whose requests run on the program's runtime: the thread that collects spans has none.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    runtime: Handle,
    failure: Failure,
}

impl Sender {
    /// To be made where the runtime is. A request takes at most `within`.
    pub fn new(within: Duration) -> Result<Self, reqwest::Error> {
        // The same cryptography as everywhere else; another part of the program may have chosen it before.
        _ = rustls::crypto::ring::default_provider().install_default();
        // What the environment gives for the collector's eyes, such as a key in a header, is for no other's.
        let client = Client::builder().redirect(Policy::none()).timeout(within).build()?;
        Ok(Self { client, runtime: Handle::current(), failure: Failure::default() })
    }

    /// Where it says why spans could not be sent.
    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }
}

impl HttpClient for Sender {
    fn send_bytes<'own, 'sending>(
        &'own self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sending>>
    where
        'own: 'sending,
        Self: 'sending,
    {
        Box::pin(async move {
            let sent = match self.runtime.spawn(send(self.client.clone(), request)).await {
                Ok(sent) => sent,
                Err(ended) => Err(ended.into()),
            };
            match &sent {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => self.failure.set(format!("it answered {}", answer.status())),
                Err(error) => self.failure.set(deepest(&**error)),
            }
            sent
        })
    }
}

async fn send(client: Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await?
        && body.len() + chunk.len() <= LONGEST_ANSWER
    {
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body.into());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

/// What is behind an error: the ones before it name the whole URL.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
