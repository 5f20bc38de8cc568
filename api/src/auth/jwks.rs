//! The published keys of whoever issues tokens: read from a file or fetched from a URL, and again as they change.

use std::{
    net::IpAddr,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode, Url, header, redirect::Policy};
use tokio::io::AsyncReadExt;

use super::key::{KeySet, Unusable};

/// The largest set in bytes. Identity providers publish some thousand.
const LARGEST: u64 = 1_000_000;

/// Where keys are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// An address: https, or http on this machine.
    Url(Url),
}

/// A place that keys are not taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSource {
    /// Whoever is in between could give keys of their own.
    #[error("keys come from a file, an https URL, or an http URL of this machine (127.0.0.1, [::1], localhost)")]
    NotSafe,
    /// It would be shown in the log.
    #[error("the URL of the keys must not hold a name or a password")]
    Password,
    /// Something with `://` that is no URL.
    #[error("this is no URL")]
    NoUrl,
}

impl FromStr for Source {
    type Err = BadSource;

    fn from_str(text: &str) -> Result<Self, BadSource> {
        if !text.contains("://") {
            return Ok(Self::File(text.into()));
        }
        let url = Url::parse(text).map_err(|_| BadSource::NoUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadSource::Password);
        }
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here(&url));
        if is_safe { Ok(Self::Url(url)) } else { Err(BadSource::NotSafe) }
    }
}

fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// How often keys are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The longest that reading them may take.
    pub within: Duration,
    /// How often they are read without a reason.
    pub every: Duration,
    /// How often at most they are read because a token names a key that is not there.
    pub again: Duration,
}

impl Timing {
    /// What suits a source: a changed file is seen soon, an address is not asked for much.
    pub const fn of(source: &Source) -> Self {
        let every = match source {
            Source::File(_) => Duration::from_secs(5),
            Source::Url(_) => Duration::from_mins(5),
        };
        Self { within: Duration::from_secs(5), every, again: Duration::from_secs(10) }
    }
}

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("it cannot be read ({0})")]
    File(std::io::Error),
    #[error("it took longer than {0:?}")]
    Slow(Duration),
    #[error("it cannot be reached ({0})")]
    Away(String),
    #[error("it answered {0}; redirects are not followed")]
    Status(StatusCode),
    #[error("it is larger than {LARGEST} bytes")]
    TooLarge,
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// The keys cannot be had at the start.
#[derive(Debug, thiserror::Error)]
#[error("cannot take the keys of tokens from {place}: {why}")]
pub struct NoKeys {
    place: String,
    why: String,
}

/// The published keys, as they were last.
#[derive(Debug)]
pub struct Jwks {
    source: Source,
    timing: Timing,
    client: Option<Client>,
    latest: RwLock<Latest>,
    /// When keys that can be used were read last.
    read: Mutex<Instant>,
    /// When a token's key was last looked for.
    asked: tokio::sync::Mutex<Option<Instant>>,
    /// Held while keys are read.
    reading: tokio::sync::Mutex<()>,
    /// What went wrong the last time, so that it is not said again and again.
    trouble: Mutex<Option<String>>,
}

#[derive(Clone, Debug)]
struct Latest {
    set: Arc<KeySet>,
    /// As it was published.
    text: Arc<[u8]>,
}

impl Jwks {
    /// Reads the keys, and again from time to time for as long as they are used.
    pub async fn follow(source: Source, timing: Timing) -> Result<Arc<Self>, NoKeys> {
        let place = shown(&source);
        let failed = |why: &dyn std::fmt::Display| NoKeys { place: place.clone(), why: why.to_string() };
        let client = match &source {
            Source::File(_) => None,
            Source::Url(url) => Some(client(url).map_err(|error| failed(&deepest(&error)))?),
        };
        let text = read(&source, client.as_ref(), timing.within).await.map_err(|error| failed(&error))?;
        let set = KeySet::parse(&text, 1).map_err(|error| failed(&error))?;
        tracing::info!(keys = set.len(), "took the keys of tokens from {place}");
        let latest = RwLock::new(Latest { set: Arc::new(set), text: text.into() });
        let jwks = Arc::new(Self {
            source,
            timing,
            client,
            latest,
            read: Mutex::new(Instant::now()),
            asked: tokio::sync::Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            trouble: Mutex::default(),
        });
        tokio::spawn(follow(Arc::downgrade(&jwks), timing.every));
        Ok(jwks)
    }

    /// The keys in force.
    pub(super) fn set(&self) -> Arc<KeySet> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).set.clone()
    }

    /// How long ago keys that can be used were read, whether they had changed or not.
    pub(super) fn age(&self) -> Duration {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Looks for newer keys than these, unless that was done a moment ago, and gives those in force then.
    pub(super) async fn newer_than(self: &Arc<Self>, generation: u64) -> Arc<KeySet> {
        let own = self.clone();
        // In a task of its own: a caller who hangs up must not end what all others wait for.
        let looking = tokio::spawn(async move {
            let mut asked = own.asked.lock().await;
            let lately = asked.is_some_and(|at| at.elapsed() < own.timing.again);
            if own.set().generation == generation && !lately {
                *asked = Some(Instant::now());
                own.refresh().await;
            }
        });
        if let Err(error) = looking.await {
            tracing::error!("reading the keys of tokens ended badly: {error}");
        }
        self.set()
    }

    /// Reads the keys again. Where that fails, those that were read last stay in force.
    async fn refresh(&self) {
        // One at a time: what was read earlier must not replace what was read later.
        let _reading = self.reading.lock().await;
        let trouble = match read(&self.source, self.client.as_ref(), self.timing.within).await {
            Ok(text) => self.take(text).err().map(Failure::from),
            Err(failure) => Some(failure),
        };
        let trouble = trouble.map(|failure| failure.to_string());
        if trouble.is_none() {
            *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        let mut before = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *before != trouble {
            let place = shown(&self.source);
            if let Some(why) = &trouble {
                tracing::warn!("the keys of tokens stay as they were; {place}: {why}");
            } else {
                tracing::info!("the keys of tokens can be read again from {place}");
            }
            *before = trouble;
        }
    }

    fn take(&self, text: Vec<u8>) -> Result<(), Unusable> {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        if *latest.text != *text {
            let set = KeySet::parse(&text, latest.set.generation + 1)?;
            latest.text = text.into();
            if !set.is_as(&latest.set) {
                tracing::info!(keys = set.len(), "the keys of tokens have changed");
                latest.set = Arc::new(set);
            }
        }
        Ok(())
    }
}

async fn follow(jwks: Weak<Jwks>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(jwks) = jwks.upgrade() else { return };
        jwks.refresh().await;
    }
}

/// A source as it is shown: a query might be a secret.
fn shown(source: &Source) -> String {
    match source {
        Source::File(path) => path.display().to_string(),
        Source::Url(url) => {
            let mut url = url.clone();
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
    }
}

fn client(url: &Url) -> Result<Client, reqwest::Error> {
    // The same cryptography as everywhere else; another part of the program may have chosen it before.
    _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().redirect(Policy::none());
    // What is on this machine is not asked for elsewhere.
    if is_here(url) { builder.no_proxy() } else { builder.https_only(true) }.build()
}

async fn read(source: &Source, client: Option<&Client>, within: Duration) -> Result<Vec<u8>, Failure> {
    let reading = async {
        match (source, client) {
            (Source::Url(url), Some(client)) => fetch(client, url).await,
            (Source::Url(_), None) => Err(Failure::Away("no client".to_owned())),
            (Source::File(path), _) => {
                let mut text = Vec::new();
                let file = tokio::fs::File::open(path).await.map_err(Failure::File)?;
                file.take(LARGEST + 1).read_to_end(&mut text).await.map_err(Failure::File)?;
                Ok(text)
            }
        }
    };
    let text = tokio::time::timeout(within, reading).await.map_err(|_| Failure::Slow(within))??;
    if text.len() as u64 > LARGEST { Err(Failure::TooLarge) } else { Ok(text) }
}

async fn fetch(client: &Client, url: &Url) -> Result<Vec<u8>, Failure> {
    let away = |error: reqwest::Error| Failure::Away(deepest(&error));
    let request = client.get(url.clone()).header(header::ACCEPT, "application/jwk-set+json, application/json");
    let mut response = request.send().await.map_err(away)?;
    if response.status() != StatusCode::OK {
        return Err(Failure::Status(response.status()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(away)? {
        text.extend_from_slice(&chunk);
        if text.len() as u64 > LARGEST {
            return Err(Failure::TooLarge);
        }
    }
    Ok(text)
}

/// What is behind an error: the ones before it name the whole URL.
fn deepest(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_files_and_from_where_nobody_is_in_between() {
        for url in [
            "https://login.example.com/keys",
            "HTTPS://login.example.com/keys",
            "http://127.0.0.1:8081/keys",
            "http://[::1]:8081/keys",
            "http://localhost/keys",
        ] {
            assert!(matches!(url.parse(), Ok(Source::Url(_))), "{url}");
        }
        for file in ["keys.json", "/etc/joblink/keys.json", "C:\\keys.json"] {
            assert_eq!(file.parse(), Ok(Source::File(file.into())));
        }
        for (url, why) in [
            ("http://login.example.com/keys", BadSource::NotSafe),
            ("http://127.0.0.1.example.com/keys", BadSource::NotSafe),
            ("http://localhost.example.com/keys", BadSource::NotSafe),
            ("http://localhost@example.com/keys", BadSource::Password),
            ("ftp://127.0.0.1/keys", BadSource::NotSafe),
            ("file:///etc/keys.json", BadSource::NotSafe),
            ("https://user:password@login.example.com/keys", BadSource::Password),
            ("https://", BadSource::NoUrl),
        ] {
            assert_eq!(url.parse::<Source>(), Err(why), "{url}");
        }
        let source = "https://login.example.com/keys?secret=1#x".parse().unwrap();
        assert_eq!(shown(&source), "https://login.example.com/keys");
    }
}
