//! Mails to those who look after retention, when a run of it goes wrong.

use std::{fmt, time::Duration};

use entity::{notification, stored::NotifiedEvent};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MessageBuilder, header::ContentType},
};
use migration::counted::counted;
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Undelivered,
    event::{JobError, RunData},
};

/// How long a mail server may take for a command.
const COMMAND_WITHIN: Duration = Duration::from_secs(15);
/// How long it may take for a mail.
const WITHIN: Duration = Duration::from_mins(1);

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
    #[error("mails want addresses with commas between them, such as `ops@example.com, Night <night@example.com>`")]
    Address,
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
        let mailbox = |text: &str| text.trim().parse::<Mailbox>().map_err(|_| BadMail::Address);
        let to = to.split(',').map(mailbox).collect::<Result<_, _>>()?;
        Ok(Self { to, from: mailbox(from)?, transport: transport.timeout(Some(COMMAND_WITHIN)).build() })
    }

    /// Sends it.
    pub async fn deliver(&self, notification: &notification::Model) -> Result<(), Undelivered> {
        let message = self.message(notification)?;
        match timeout(WITHIN, self.transport.send(message)).await {
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

    fn message(&self, notification: &notification::Model) -> Result<Message, Undelivered> {
        let (subject, text) = told(notification)?;
        // Who gets a mail twice sees that it is the same.
        let id = format!("<{}@{}>", notification.id, Address::domain(&self.from.email));
        let head = Message::builder().from(self.from.clone()).message_id(Some(id)).subject(subject);
        self.to
            .iter()
            .cloned()
            .fold(head, MessageBuilder::to)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|_| Undelivered("no mail can be made of it".to_owned()))
    }
}

#[derive(Deserialize)]
struct Body {
    data: RunData,
}

/// Subject and text.
fn told(notification: &notification::Model) -> Result<(String, String), Undelivered> {
    let Body { data: run } =
        serde_json::from_str(&notification.body).map_err(|_| Undelivered("it is not to be understood".to_owned()))?;
    let subject = match NotifiedEvent::from_stored(&notification.event) {
        Some(NotifiedEvent::RunInterrupted) => "Joblink: a retention run was cut off".to_owned(),
        _ => format!("Joblink: retention failed for {}", counted(run.failed, "job")),
    };
    let mut lines = vec![
        format!("Run      {}", run.run_id),
        format!("Cleaned  {}", run.cleaned),
        format!("Deleted  {}", run.deleted),
        format!("Failed   {}", run.failed),
        String::new(),
    ];
    if let Some(why) = &run.error {
        lines.push(format!("{why} A server goes on with it; `retentionRuns` says how far it is."));
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

    #[test]
    fn settings_that_make_no_mail_are_refused() {
        let new = |server: &str, from: &str, to: &str| Mail::new(server, from, to).err();
        assert_eq!(new("smtp://127.0.0.1:25", "joblink@example.com", "a@example.com, B <b@example.com>"), None);
        assert_eq!(new("smtps://user:word@mail.example.com", "Joblink <j@example.com>", "a@example.com"), None);
        for server in ["", "mail.example.com", "http://mail.example.com"] {
            assert_eq!(new(server, "j@example.com", "a@example.com"), Some(BadMail::Server), "{server}");
        }
        for to in ["", ",", "nobody", "a@example.com,"] {
            assert_eq!(new("smtp://127.0.0.1", "j@example.com", to), Some(BadMail::Address), "{to}");
        }
    }
}
