//! What a server tells of retention, as it is known here, and a policy as it is told to a server.

use client::operations::{count_retention, preview_retention, read_retention, run_retention};
use entity::stored::RetentionAction;
use sea_orm::prelude::DateTimeUtc;

use crate::{
    cli::jobs::word,
    jobs::status::JobStatus,
    retention::{
        due::Item,
        policy::{Changes, Policy, Rule, RuleChanges},
    },
};

/// A part of an answer that this version does not understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strange(pub String);

/// Reads what a server has written.
fn read<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Strange> {
    read(text).ok_or_else(|| Strange(format!("an answer that is not understood: {text:?}")))
}

/// Reads a time.
pub fn time(text: &str) -> Result<DateTimeUtc, Strange> {
    read(text, |text| text.parse().ok())
}

fn number(bytes: u64) -> Result<i64, Strange> {
    read(&bytes.to_string(), |_| bytes.try_into().ok())
}

fn action(word: &str) -> Result<RetentionAction, Strange> {
    read(word, |word| RetentionAction::from_stored(&word.to_lowercase()))
}

// Each operation has types of its own.
macro_rules! items {
    ($($operation:ident),*) => {$(
        impl TryFrom<$operation::Item> for Item {
            type Error = Strange;

            fn try_from(told: $operation::Item) -> Result<Self, Strange> {
                let status = word(&told.job_status);
                Ok(Self {
                    job: read(&told.job_id, |id| id.parse().ok())?,
                    status: read(&status, |status| JobStatus::known(&status.to_lowercase()))?.as_stored().to_owned(),
                    finished_at: time(&told.job_finished_at)?,
                    action: action(&word(&told.action))?,
                    predictions_deleted: told.deleted_predictions,
                    predictions_released: told.released_predictions,
                    artifacts: told.artifacts,
                    bytes: number(told.bytes)?,
                    error: told.error,
                })
            }
        }
    )*};
}

macro_rules! policies {
    ($($operation:ident),*) => {$(
        impl TryFrom<$operation::Rule> for Rule {
            type Error = Strange;

            fn try_from(told: $operation::Rule) -> Result<Self, Strange> {
                Ok(Self {
                    after: read(&told.after, |after| after.parse().ok())?,
                    action: action(&word(&told.action))?,
                    delete_predictions: told.delete_predictions,
                    keep_logs: told.keep_logs,
                })
            }
        }

        impl TryFrom<$operation::Policy> for Policy {
            type Error = Strange;

            fn try_from(told: $operation::Policy) -> Result<Self, Strange> {
                Ok(Self {
                    completed: told.completed.try_into()?,
                    failed: told.failed.try_into()?,
                    cancelled: told.cancelled.try_into()?,
                    include_adopted: told.include_adopted,
                })
            }
        }
    )*};
}

macro_rules! changes {
    ($($operation:ident),*) => {$(
        impl From<&RuleChanges> for $operation::RetentionRuleInput {
            fn from(changes: &RuleChanges) -> Self {
                Self {
                    after: changes.after.map(|after| after.to_string()),
                    action: changes.action.map(told_action),
                    delete_predictions: changes.delete_predictions,
                    keep_logs: changes.keep_logs,
                }
            }
        }

        impl From<&Changes> for $operation::RetentionPolicyInput {
            fn from(changes: &Changes) -> Self {
                Self {
                    completed: Some((&changes.completed).into()),
                    failed: Some((&changes.failed).into()),
                    cancelled: Some((&changes.cancelled).into()),
                    include_adopted: changes.include_adopted,
                }
            }
        }
    )*};
}

items!(preview_retention, read_retention);
policies!(preview_retention, count_retention, read_retention);
changes!(preview_retention, count_retention, run_retention);

fn told_action(action: RetentionAction) -> client::operations::RetentionAction {
    use client::operations::RetentionAction as Told;
    match action {
        RetentionAction::Keep => Told::KEEP,
        RetentionAction::Clean => Told::CLEAN,
        RetentionAction::Delete => Told::DELETE,
    }
}
