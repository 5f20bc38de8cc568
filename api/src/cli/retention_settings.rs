//! How long jobs are kept: the same settings for `serve` and for `retention`.

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use entity::stored::RetentionAction;

use crate::{
    app::App,
    retention::{
        BATCH_SIZE, Retention,
        policy::{After, Policy, Rule},
    },
};

/// What is done to a job.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Action {
    /// Nothing
    Keep,
    /// Remove its files, keep its record and its predictions
    Clean,
    /// Delete it, with a receipt
    Delete,
}

impl From<Action> for RetentionAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Keep => Self::Keep,
            Action::Clean => Self::Clean,
            Action::Delete => Self::Delete,
        }
    }
}

/// The policy, and how a run goes about it. A switch without a value is on; `=false` takes back what a file or the environment says.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, clippy::struct_field_names, reason = "one flag each, named as the flag is")]
pub struct RetentionSettings {
    /// How long after their end completed jobs are dealt with: 30s, 10m, 12h, 7d or never
    #[arg(long, env = "JOBLINK_RETENTION_COMPLETED_AFTER", default_value = "7d", value_name = "AGE")]
    retention_completed_after: After,
    /// What is done to completed jobs then
    #[arg(long, env = "JOBLINK_RETENTION_COMPLETED_ACTION", default_value = "clean", value_name = "ACTION")]
    retention_completed_action: Action,
    /// Completed jobs that are deleted take their predictions with them
    #[arg(long, env = "JOBLINK_RETENTION_COMPLETED_DELETE_PREDICTIONS", num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    retention_completed_delete_predictions: bool,
    /// Completed jobs that are cleaned keep their log
    #[arg(long, env = "JOBLINK_RETENTION_COMPLETED_KEEP_LOGS", num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    retention_completed_keep_logs: bool,
    /// How long after their end failed jobs are dealt with: 30s, 10m, 12h, 7d or never
    #[arg(long, env = "JOBLINK_RETENTION_FAILED_AFTER", default_value = "12h", value_name = "AGE")]
    retention_failed_after: After,
    /// What is done to failed jobs then
    #[arg(long, env = "JOBLINK_RETENTION_FAILED_ACTION", default_value = "delete", value_name = "ACTION")]
    retention_failed_action: Action,
    /// Failed jobs that are deleted take their predictions with them
    #[arg(long, env = "JOBLINK_RETENTION_FAILED_DELETE_PREDICTIONS", num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    retention_failed_delete_predictions: bool,
    /// Failed jobs that are cleaned keep their log
    #[arg(long, env = "JOBLINK_RETENTION_FAILED_KEEP_LOGS", num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    retention_failed_keep_logs: bool,
    /// How long after their end cancelled jobs are dealt with: 30s, 10m, 12h, 7d or never
    #[arg(long, env = "JOBLINK_RETENTION_CANCELLED_AFTER", default_value = "12h", value_name = "AGE")]
    retention_cancelled_after: After,
    /// What is done to cancelled jobs then
    #[arg(long, env = "JOBLINK_RETENTION_CANCELLED_ACTION", default_value = "delete", value_name = "ACTION")]
    retention_cancelled_action: Action,
    /// Cancelled jobs that are deleted take their predictions with them
    #[arg(long, env = "JOBLINK_RETENTION_CANCELLED_DELETE_PREDICTIONS", num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    retention_cancelled_delete_predictions: bool,
    /// Cancelled jobs that are cleaned keep their log
    #[arg(long, env = "JOBLINK_RETENTION_CANCELLED_KEEP_LOGS", num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    retention_cancelled_keep_logs: bool,
    /// Deal with the jobs of an existing installation too
    #[arg(long, env = "JOBLINK_RETENTION_INCLUDE_ADOPTED", num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    retention_include_adopted: bool,
    /// Jobs that a run looks up at a time
    #[arg(long, env = "JOBLINK_RETENTION_BATCH_SIZE", default_value_t = BATCH_SIZE, value_name = "JOBS",
        value_parser = clap::value_parser!(u64).range(1..=10_000))]
    retention_batch_size: u64,
    /// Jobs whose files are purged at a time
    #[arg(long, env = "JOBLINK_RETENTION_WORKERS", default_value_t = 4, value_name = "JOBS",
        value_parser = clap::value_parser!(u8).range(1..=64))]
    retention_workers: u8,
}

impl RetentionSettings {
    /// The policy that they say.
    pub fn policy(&self) -> Policy {
        Policy {
            completed: Rule {
                after: self.retention_completed_after,
                action: self.retention_completed_action.into(),
                delete_predictions: self.retention_completed_delete_predictions,
                keep_logs: self.retention_completed_keep_logs,
            },
            failed: Rule {
                after: self.retention_failed_after,
                action: self.retention_failed_action.into(),
                delete_predictions: self.retention_failed_delete_predictions,
                keep_logs: self.retention_failed_keep_logs,
            },
            cancelled: Rule {
                after: self.retention_cancelled_after,
                action: self.retention_cancelled_action.into(),
                delete_predictions: self.retention_cancelled_delete_predictions,
                keep_logs: self.retention_cancelled_keep_logs,
            },
            include_adopted: self.retention_include_adopted,
        }
    }

    /// Sets an app by them.
    pub fn apply(&self, app: &mut App) {
        app.limits.purges = self.retention_workers.into();
        app.retention =
            Retention { policy: self.policy(), batch_size: self.retention_batch_size, ..app.retention.clone() };
    }
}
