//! What is told to others: of each deletion and each retention run, by a webhook and by mail.
//!
//! An event is written in the transaction in which it happens, so that none is lost and none is told that did not happen, and
//! is delivered afterwards, at least once; nobody waits for it.

pub mod event;
pub mod mail;
pub mod outbox;
pub mod webhook;

use std::{fmt, sync::Arc};

use entity::stored::{Channel, NotifiedEvent};
use tokio::sync::Notify;

use self::{mail::Mail, webhook::Webhook};

/// Who is told. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Notifications(Arc<Receivers>);

#[derive(Debug, Default)]
struct Receivers {
    webhook: Option<Webhook>,
    mail: Option<Mail>,
    webhook_waits: Notify,
    mail_waits: Notify,
}

/// Why something was not delivered; one sentence, without what the settings keep secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered(pub String);

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Notifications {
    /// Those who are told from now on.
    pub fn new(webhook: Option<Webhook>, mail: Option<Mail>) -> Self {
        Self(Arc::new(Receivers { webhook, mail, ..Receivers::default() }))
    }

    /// How anybody is told.
    fn channels(&self) -> impl Iterator<Item = Channel> {
        Channel::ALL.iter().copied().filter(|channel| match channel {
            Channel::Webhook => self.0.webhook.is_some(),
            Channel::Mail => self.0.mail.is_some(),
        })
    }

    /// How this is told: a webhook takes everything, a mail is for what somebody has to look after.
    fn channels_for(&self, event: NotifiedEvent) -> impl Iterator<Item = Channel> {
        let is_trouble = matches!(event, NotifiedEvent::RunFailed | NotifiedEvent::RunInterrupted);
        self.channels().filter(move |channel| *channel == Channel::Webhook || is_trouble)
    }

    fn waits(&self, channel: Channel) -> &Notify {
        match channel {
            Channel::Webhook => &self.0.webhook_waits,
            Channel::Mail => &self.0.mail_waits,
        }
    }

    async fn deliver(&self, notification: &entity::notification::Model, channel: Channel) -> Result<(), Undelivered> {
        match (channel, &self.0.webhook, &self.0.mail) {
            (Channel::Webhook, Some(webhook), _) => webhook.deliver(notification).await,
            (Channel::Mail, _, Some(mail)) => mail.deliver(notification).await,
            _ => Err(Undelivered("nobody is told by it any more".to_owned())),
        }
    }
}
