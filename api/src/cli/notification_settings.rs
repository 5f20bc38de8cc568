//! Who is told of deletions and retention runs: the same settings for `serve` and for `retention --direct`.

use clap::Args;

use super::Exit;
use crate::notifications::{Notifications, mail::Mail, webhook::Webhook};

/// A webhook and mails.
#[derive(Clone, Args)]
pub struct NotificationSettings {
    /// Tell this URL of each deleted job and of each retention run's end, by a signed request (Standard Webhooks)
    #[arg(long, env = "JOBLINK_RETENTION_WEBHOOK_URL", hide_env_values = true, value_name = "URL")]
    retention_webhook_url: Option<String>,
    /// What signs these requests: `whsec_` and 24 to 64 bytes in base64; several with spaces between them all sign. Other users
    /// of this machine may see flags in the list of processes: the variable is better
    #[arg(long, env = "JOBLINK_RETENTION_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    retention_webhook_secret: Option<String>,
    /// Send a mail to these addresses, with commas between them, when a retention run fails for a job or is cut off
    #[arg(long, env = "JOBLINK_RETENTION_MAIL_ON_ERROR", value_name = "ADDRESSES")]
    retention_mail_on_error: Option<String>,
    /// The mail server: `smtps://USER:PASSWORD@HOST`, or `smtp://HOST:587?tls=required` for STARTTLS. With a password the variable
    /// is better than the flag
    #[arg(long, env = "JOBLINK_SMTP_URL", hide_env_values = true, value_name = "URL")]
    smtp_url: Option<String>,
    /// The sender of mails
    #[arg(long, env = "JOBLINK_MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,
}

impl std::fmt::Debug for NotificationSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // They hold passwords.
        f.write_str("NotificationSettings")
    }
}

impl NotificationSettings {
    /// Those that they name.
    pub fn notifications(&self) -> Result<Notifications, Exit> {
        let webhook = match (&self.retention_webhook_url, &self.retention_webhook_secret) {
            (Some(url), Some(secrets)) => Some(Webhook::new(url, secrets).map_err(refused)?),
            (Some(_), None) => return Err(refused("--retention-webhook-url wants --retention-webhook-secret as well")),
            (None, _) => None,
        };
        let mail = match (&self.retention_mail_on_error, &self.smtp_url, &self.mail_from) {
            (Some(to), Some(server), Some(from)) => Some(Mail::new(server, from, to).map_err(refused)?),
            (Some(_), ..) => {
                return Err(refused("--retention-mail-on-error wants --smtp-url and --mail-from as well"));
            }
            (None, ..) => None,
        };
        Ok(Notifications::new(webhook, mail))
    }
}

fn refused(why: impl std::fmt::Display) -> Exit {
    Exit::Usage(why.to_string())
}
