//! Mails to those who look after retention, when a run of it goes wrong.

use std::{fmt, net::IpAddr, time::Duration};

use entity::{notification, stored::NotifiedEvent};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use migration::counted::counted;
use reqwest::Url;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{
    Undelivered,
    event::{JobError, RunData},
};

/// How long it may take until a mail server is connected.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// How long the server may take for all addresses: as long as it is given after a text (RFC 5321, 4.5.3.2.6).
const WITHIN: Duration = Duration::from_mins(10);

/// Receivers, and the server that takes mails for them.
pub struct Mail {
    to: Vec<Mailbox>,
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("to", &self.to.len()).finish_non_exhaustive()
    }
}

/// Settings that make no mail; one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMail {
    /// Something else than addresses.
    #[error("{0:?} is no address; mails want such as `ops@example.com` or `Night <night@example.com>`")]
    Address(String),
    /// Whoever is in between would read it.
    #[error("the mail server's URL has a password, so it wants `smtps://`, or `?tls=required` for STARTTLS")]
    Clear,
    /// Something else than a mail server.
    #[error(
        "the mail server wants a URL such as `smtps://USER:PASSWORD@HOST`, or `smtp://HOST:587?tls=required` for STARTTLS"
    )]
    Server,
}

impl Mail {
    /// Mails from one to some, by the server at an `smtp:` or `smtps:` URL.
    pub fn new(server: &str, from: &str, to: &str) -> Result<Self, BadMail> {
        _ = rustls::crypto::ring::default_provider().install_default();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(server).map_err(|_| BadMail::Server)?;
        if gives_password_away(server) {
            return Err(BadMail::Clear);
        }
        let mailbox = |text: &str| text.trim().parse::<Mailbox>().map_err(|_| BadMail::Address(text.trim().to_owned()));
        let to = to.split(',').map(mailbox).collect::<Result<_, _>>()?;
        Ok(Self { to, from: mailbox(from)?, transport: transport.timeout(Some(CONNECT_WITHIN)).build() })
    }

    /// Sends it to each; one address that is refused keeps it from no other, and somebody who has it is enough.
    pub async fn deliver(&self, notification: &notification::Model) -> Result<(), Undelivered> {
        let mut outcome = Err(Undelivered("there is no address".to_owned()));
        let until = Instant::now() + WITHIN;
        for to in &self.to {
            match self.send(self.message(notification, to)?, until).await {
                Ok(()) => outcome = Ok(()),
                Err(why) => {
                    tracing::warn!("a mail to {} was not taken: {why}", to.email);
                    outcome = outcome.or(Err(why));
                }
            }
        }
        outcome
    }

    async fn send(&self, message: Message, until: Instant) -> Result<(), Undelivered> {
        match timeout_at(until, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_timeout() => {
                Err(Undelivered("the mail server did not answer in time".to_owned()))
            }
            Ok(Err(error)) if error.is_tls() => Err(Undelivered("the mail server cannot be trusted (TLS)".to_owned())),
            Ok(Err(error)) => Err(Undelivered(match error.status() {
                Some(code) => format!("the mail server refused it ({code})"),
                None => "the mail server cannot be reached".to_owned(),
            })),
            Err(_) => Err(Undelivered(format!("the mail server did not take it in {WITHIN:?}"))),
        }
    }

    fn message(&self, notification: &notification::Model, to: &Mailbox) -> Result<Message, Undelivered> {
        let (subject, text) = told(notification)?;
        // Who gets a mail twice sees that it is the same.
        let id = format!("<{}@{}>", notification.id, Address::domain(&self.from.email));
        Message::builder()
            .from(self.from.clone())
            .to(to.clone())
            .message_id(Some(id))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|_| Undelivered("no mail can be made of it".to_owned()))
    }
}

/// Whether a password would go over a network unencrypted.
fn gives_password_away(server: &str) -> bool {
    Url::parse(server).is_ok_and(|url| {
        let is_encrypted =
            url.scheme() == "smtps" || url.query_pairs().any(|pair| pair == ("tls".into(), "required".into()));
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        url.password().is_some() && !is_encrypted && !is_here
    })
}

#[derive(Deserialize)]
struct Body {
    data: RunData,
}

/// Subject and text.
fn told(notification: &notification::Model) -> Result<(String, String), Undelivered> {
    let Body { data: run } =
        serde_json::from_str(&notification.body).map_err(|_| Undelivered("it is not to be understood".to_owned()))?;
    let is_interrupted = notification.event == NotifiedEvent::RunInterrupted.as_stored();
    let subject = if is_interrupted {
        "Joblink: a retention run was cut off".to_owned()
    } else if notification.event == NotifiedEvent::RunFailed.as_stored() {
        format!("Joblink: retention failed for {}", counted(run.failed, "job"))
    } else {
        return Err(Undelivered("this version does not know it".to_owned()));
    };
    let mut lines = vec![
        format!("Run      {}", run.run_id),
        format!("Cleaned  {}", run.cleaned),
        format!("Deleted  {}", run.deleted),
        format!("Failed   {}", run.failed),
        String::new(),
    ];
    if is_interrupted {
        lines.push(
            "Its process was gone. A server goes on with it; of a command the next run does the rest.".to_owned(),
        );
    }
    lines.extend(run.errors.iter().map(|JobError { job_id, error }| format!("{job_id}  {error}")));
    let named = i64::try_from(run.errors.len()).unwrap_or(i64::MAX);
    if !run.errors.is_empty() && run.failed > named {
        lines.push(format!("and {} more", run.failed - named));
    }
    if run.failed > 0 {
        lines.push(String::new());
        lines.push("These jobs are as they were; the next run tries them again.".to_owned());
    }
    Ok((subject, lines.join("\n") + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn settings_that_make_no_mail_are_refused() {
        let new = |server: &str, from: &str, to: &str| Mail::new(server, from, to).err();
        assert_eq!(new("smtp://127.0.0.1:25", "joblink@example.com", "a@example.com, B <b@example.com>"), None);
        for clear in ["smtp://user:word@mail.example.com", "smtp://user:word@mail.example.com?tls=opportunistic"] {
            assert_eq!(new(clear, "j@example.com", "a@example.com"), Some(BadMail::Clear), "{clear}");
        }
        assert_eq!(new("smtp://user:word@mail.example.com:587?tls=required", "j@example.com", "a@example.com"), None);
        assert_eq!(new("smtps://user:word@mail.example.com", "Joblink <j@example.com>", "a@example.com"), None);
        for server in ["", "mail.example.com", "http://mail.example.com"] {
            assert_eq!(new(server, "j@example.com", "a@example.com"), Some(BadMail::Server), "{server}");
        }
        for to in ["", ",", "nobody", "a@example.com,"] {
            assert!(matches!(new("smtp://127.0.0.1", "j@example.com", to), Some(BadMail::Address(_))), "{to}");
        }
    }
}
