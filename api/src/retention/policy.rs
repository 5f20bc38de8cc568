//! How long which jobs are kept, and what is done to them then.

use std::{fmt, str::FromStr, time::Duration};

use chrono::Datelike;
use entity::stored::RetentionAction;
use sea_orm::prelude::DateTimeUtc;
use serde::{Deserialize, Serialize};

use super::age;
use crate::{jobs::status::JobStatus, paging::STORABLE_YEARS};

/// When a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum After {
    /// Not at all.
    Never,
    /// So long after a job's end: whole seconds, and at least one.
    Age(Duration),
}

/// Why a text is no [`After`]; one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAfter(String);

impl FromStr for After {
    type Err = NotAfter;

    fn from_str(text: &str) -> Result<Self, NotAfter> {
        match age::parse(text) {
            _ if text == "never" => Ok(Self::Never),
            Some(Duration::ZERO) => {
                Err(NotAfter("0 would take jobs as they end; give 1s or more, or \"never\"".to_owned()))
            }
            Some(age) => Ok(Self::Age(age)),
            None => Err(NotAfter(format!("{}; \"never\" switches the rule off", age::HOW))),
        }
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Age(age) => f.write_str(&age::short(*age)),
        }
    }
}

impl From<After> for String {
    fn from(after: After) -> Self {
        after.to_string()
    }
}

impl TryFrom<String> for After {
    type Error = NotAfter;

    fn try_from(text: String) -> Result<Self, NotAfter> {
        text.parse()
    }
}

/// What is done to the jobs of one status, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// How long after their end.
    pub after: After,
    /// What.
    #[serde(with = "action")]
    pub action: RetentionAction,
    /// Deleting a job deletes the predictions linked to it too; else they are released.
    pub delete_predictions: bool,
    /// Cleaning a job leaves its log.
    pub keep_logs: bool,
}

impl Rule {
    /// A job that ended then or before is due; `None` = no job is.
    pub fn ended_until(&self, at: DateTimeUtc) -> Option<DateTimeUtc> {
        match (self.action, self.after) {
            (RetentionAction::Keep, _) | (_, After::Never) => None,
            (_, After::Age(age)) => {
                let until = chrono::TimeDelta::from_std(age).ok().and_then(|age| at.checked_sub_signed(age));
                // No job ended before the times that a database knows of.
                until.filter(|until| STORABLE_YEARS.contains(&until.year()))
            }
        }
    }

    /// In words, for receipts and for whoever asks why.
    pub fn in_words(&self, status: JobStatus) -> String {
        let done = match self.action {
            RetentionAction::Keep => "kept",
            RetentionAction::Clean => "cleaned",
            RetentionAction::Delete => "deleted",
        };
        let status = status.as_stored().to_uppercase();
        match self.after {
            After::Age(age) if self.action != RetentionAction::Keep => {
                format!("retention: {status} jobs are {done} {} after their end", age::in_words(age))
            }
            After::Age(_) | After::Never => format!("retention: {status} jobs are kept"),
        }
    }
}

/// The states that a rule can be about, in the order in which a run goes through them.
pub const STATES: [JobStatus; 3] = [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled];

/// A rule for each state in which a job can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// For completed jobs.
    pub completed: Rule,
    /// For failed jobs.
    pub failed: Rule,
    /// For cancelled jobs.
    pub cancelled: Rule,
    /// The rules are about jobs of an existing installation too.
    pub include_adopted: bool,
}

/// How long the files of completed jobs are kept.
const COMPLETED_AFTER: Duration = Duration::from_hours(7 * 24);
/// How long failed and cancelled jobs are kept.
const OTHERS_AFTER: Duration = Duration::from_hours(12);

impl Default for Policy {
    fn default() -> Self {
        let rule =
            |after, action| Rule { after: After::Age(after), action, delete_predictions: false, keep_logs: false };
        Self {
            completed: rule(COMPLETED_AFTER, RetentionAction::Clean),
            failed: rule(OTHERS_AFTER, RetentionAction::Delete),
            cancelled: rule(OTHERS_AFTER, RetentionAction::Delete),
            include_adopted: false,
        }
    }
}

impl Policy {
    /// The rule for a state; `None` for one in which a job has not ended.
    pub const fn rule(&self, status: JobStatus) -> Option<&Rule> {
        match status {
            JobStatus::Completed => Some(&self.completed),
            JobStatus::Failed => Some(&self.failed),
            JobStatus::Cancelled => Some(&self.cancelled),
            JobStatus::Pending | JobStatus::Running | JobStatus::Cancelling => None,
        }
    }

    /// The policy with these changes.
    pub fn with(self, changes: &Changes) -> Self {
        Self {
            completed: changes.completed.apply(self.completed),
            failed: changes.failed.apply(self.failed),
            cancelled: changes.cancelled.apply(self.cancelled),
            include_adopted: changes.include_adopted.unwrap_or(self.include_adopted),
        }
    }
}

/// What is to be otherwise in a policy; what is not given stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// For completed jobs.
    pub completed: RuleChanges,
    /// For failed jobs.
    pub failed: RuleChanges,
    /// For cancelled jobs.
    pub cancelled: RuleChanges,
    /// Whether the rules are about jobs of an existing installation too.
    pub include_adopted: Option<bool>,
}

/// All of a policy, whatever the other one is.
impl From<Policy> for Changes {
    fn from(policy: Policy) -> Self {
        Self {
            completed: policy.completed.into(),
            failed: policy.failed.into(),
            cancelled: policy.cancelled.into(),
            include_adopted: Some(policy.include_adopted),
        }
    }
}

impl From<Rule> for RuleChanges {
    fn from(rule: Rule) -> Self {
        Self {
            after: Some(rule.after),
            action: Some(rule.action),
            delete_predictions: Some(rule.delete_predictions),
            keep_logs: Some(rule.keep_logs),
        }
    }
}

/// What is to be otherwise in a rule; what is not given stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleChanges {
    /// When.
    pub after: Option<After>,
    /// What.
    pub action: Option<RetentionAction>,
    /// Whether the linked predictions go too.
    pub delete_predictions: Option<bool>,
    /// Whether the log stays.
    pub keep_logs: Option<bool>,
}

impl RuleChanges {
    fn apply(&self, rule: Rule) -> Rule {
        Rule {
            after: self.after.unwrap_or(rule.after),
            action: self.action.unwrap_or(rule.action),
            delete_predictions: self.delete_predictions.unwrap_or(rule.delete_predictions),
            keep_logs: self.keep_logs.unwrap_or(rule.keep_logs),
        }
    }
}

/// An action as it is stored.
mod action {
    use entity::stored::RetentionAction;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(action: &RetentionAction, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(action.as_stored())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RetentionAction, D::Error> {
        let text = String::deserialize(deserializer)?;
        RetentionAction::from_stored(&text).ok_or_else(|| D::Error::custom(format!("no such action: {text}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_back_from_its_json() {
        let changes = Changes {
            completed: RuleChanges { after: Some(After::Never), keep_logs: Some(true), ..RuleChanges::default() },
            include_adopted: Some(true),
            ..Changes::default()
        };
        for policy in [Policy::default(), Policy::default().with(&changes)] {
            let text = serde_json::to_string(&policy).expect("JSON");
            assert_eq!(serde_json::from_str::<Policy>(&text).expect("a policy"), policy);
        }
    }

    #[test]
    fn a_duration_of_nothing_is_refused_and_never_is_not() {
        assert_eq!("never".parse(), Ok(After::Never));
        assert_eq!("12h".parse(), Ok(After::Age(Duration::from_hours(12))));
        for text in ["0s", "0d", "", "soon", "Never", "-1d"] {
            assert!(text.parse::<After>().is_err(), "{text}");
        }
    }

    #[test]
    fn receipts_name_the_rule_in_words() {
        let words = Policy::default().failed.in_words(JobStatus::Failed);
        assert_eq!(words, "retention: FAILED jobs are deleted 12 hours after their end");
    }

    #[test]
    fn no_age_is_too_large_to_be_taken_from_a_date() {
        let rule = Rule { after: "4294967295d".parse().expect("an age"), ..Policy::default().failed };
        assert_eq!(rule.ended_until(crate::database::now()), None);
    }
}
