//! Signed HTTP requests, by the specification of Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>): headers
//! `webhook-id`, `webhook-timestamp` and `webhook-signature`.

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use client::{deepest, is_tls};
use entity::notification;
use reqwest::{Client, Url, header, redirect::Policy};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook as Signer};

use super::Undelivered;
use crate::database::now;

/// How long a receiver may take; the specification recommends 15 to 30 seconds.
const WITHIN: Duration = Duration::from_secs(15);
/// Bytes of a secret, by the specification.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A receiver.
pub struct Webhook {
    url: Url,
    signers: Vec<Signer>,
    client: Client,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest of the URL may be as good as a password.
        f.debug_struct("Webhook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// Settings that make no webhook; one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWebhook {
    /// Something else.
    #[error("the webhook wants an http or https URL")]
    Url,
    /// Nothing would be signed, or signed too weakly.
    #[error(
        "the webhook wants secrets as `whsec_` and 24 to 64 bytes in base64, as `echo whsec_$(openssl rand -base64 32)` makes"
    )]
    Secret,
    /// The HTTP client could not be made.
    #[error("there is no HTTP client for the webhook")]
    Client,
}

impl Webhook {
    /// One that is told at `url`. `secrets`: with spaces between them; each signs, so that they can be changed without a gap.
    pub fn new(url: &str, secrets: &str) -> Result<Self, BadWebhook> {
        let url = Url::parse(url).map_err(|_| BadWebhook::Url)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(BadWebhook::Url);
        }
        let signers: Vec<_> =
            secrets.split_whitespace().map(signer).collect::<Option<_>>().ok_or(BadWebhook::Secret)?;
        if signers.is_empty() {
            return Err(BadWebhook::Secret);
        }
        _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(WITHIN)
            .user_agent(concat!("joblink/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| BadWebhook::Client)?;
        Ok(Self { url, signers, client })
    }

    /// Sends it; any status of 2xx takes it.
    pub async fn deliver(&self, notification: &notification::Model) -> Result<(), Undelivered> {
        let (id, at) = (notification.id.to_string(), now().timestamp());
        let sign = |signer: &Signer| signer.sign(&id, at, notification.body.as_bytes());
        let signatures: Result<Vec<_>, _> = self.signers.iter().map(sign).collect();
        let signatures = signatures.map_err(|_| Undelivered("it cannot be signed".to_owned()))?;
        let sent = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(HEADER_WEBHOOK_ID, id)
            .header(HEADER_WEBHOOK_TIMESTAMP, at)
            .header(HEADER_WEBHOOK_SIGNATURE, signatures.join(" "))
            .body(notification.body.clone())
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(Undelivered(format!("the receiver answered {}", answer.status()))),
            Err(error) if error.is_timeout() => Err(Undelivered(format!("the receiver did not answer in {WITHIN:?}"))),
            Err(error) if is_tls(&error) => {
                Err(Undelivered(format!("the receiver cannot be trusted: {}", deepest(&error))))
            }
            Err(error) if error.is_connect() => {
                Err(Undelivered(format!("the receiver cannot be reached: {}", deepest(&error))))
            }
            Err(error) => Err(Undelivered(format!("the receiver gave no answer: {}", deepest(&error)))),
        }
    }
}

fn signer(secret: &str) -> Option<Signer> {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    SECRET_BYTES.contains(&key.len()).then(|| Signer::from_bytes(key).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn settings_that_make_no_webhook_are_refused() {
        assert!(Webhook::new("https://example.com/hook?key=x", SECRET).is_ok());
        assert!(Webhook::new("http://127.0.0.1:9/", &format!("{SECRET} {SECRET}")).is_ok());
        for url in ["", "example.com", "ftp://example.com/", "data:text/plain,x"] {
            assert_eq!(Webhook::new(url, SECRET).err(), Some(BadWebhook::Url), "{url}");
        }
        for secret in ["", " ", "whsec_", "whsec_c2hvcnQ=", &SECRET[6..], "whsec_not base64 at all, but long enough"] {
            assert_eq!(Webhook::new("https://example.com/", secret).err(), Some(BadWebhook::Secret), "{secret}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let webhook = Webhook::new("https://user:word@example.com/hook?key=x", SECRET);
        assert_eq!(format!("{webhook:?}"), "Ok(Webhook { host: Some(\"example.com\"), .. })");
    }
}
