//! What a run of `joblink retention` tells: for people and for programs.

use std::collections::BTreeMap;

use entity::stored::RetentionAction;
use migration::counted::counted;
use sea_orm::prelude::DateTimeUtc;
use serde_json::{Value, json};

use super::{output, retention::time};
use crate::{
    deletion::purge::Waiting,
    jobs::status::JobStatus,
    retention::{
        due::Item,
        policy::{Policy, Rule},
    },
};

/// What was done, or would be.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it began.
    pub start: DateTimeUtc,
    /// When it ended.
    pub end: DateTimeUtc,
    /// Nothing was done.
    pub dry_run: bool,
    /// By which rules.
    pub policy: Policy,
    /// Of each job.
    pub items: Vec<Item>,
    /// Whose files are still to be removed, where that is known.
    pub waiting: Option<Waiting>,
}

impl Report {
    /// How many jobs could not be dealt with.
    pub fn failures(&self) -> usize {
        self.items.iter().filter(|item| item.error.is_some()).count()
    }

    fn done(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.error.is_none())
    }

    fn count_of(&self, action: RetentionAction) -> usize {
        self.done().filter(|item| item.action == action).count()
    }

    fn sum(&self, of: impl Fn(&Item) -> i64) -> i64 {
        self.done().map(of).sum()
    }

    /// How many jobs by status and action.
    fn counts(&self) -> BTreeMap<(String, &'static str), usize> {
        self.done().fold(BTreeMap::new(), |mut counts, item| {
            *counts.entry((item.status.clone(), item.action.as_stored())).or_default() += 1;
            counts
        })
    }

    /// The summary as JSON.
    pub fn json(&self) -> String {
        let mut jobs: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for ((status, action), count) in self.counts() {
            jobs.entry(status.to_uppercase()).or_default().insert(action.to_uppercase(), count);
        }
        let failed =
            self.items.iter().filter_map(|item| Some(json!({ "id": item.job, "error": item.error.as_ref()? })));
        let told = json!({
            "start": time(self.start),
            "end": time(self.end),
            "dryRun": self.dry_run,
            "policy": of_policy(&self.policy),
            "jobs": jobs,
            "recordsDeleted": self.count_of(RetentionAction::Delete),
            "recordsPreserved": self.count_of(RetentionAction::Clean),
            "bytesFreed": self.sum(|item| item.bytes),
            "artifactsDeleted": self.sum(|item| item.artifacts),
            "predictionsDeleted": self.sum(|item| item.predictions_deleted),
            "predictionsPreserved": self.sum(|item| item.predictions_released),
            "purgesPending": self.waiting.map(|waiting| waiting.jobs),
            "errors": failed.collect::<Vec<Value>>(),
            "items": self.items.iter().map(of_item).collect::<Vec<Value>>(),
        });
        format!("{told:#}\n")
    }

    /// A table for people. `each`: with a line for each job, else for those that failed.
    pub fn text(&self, each: bool) -> String {
        let told = self.items.iter().filter(|item| each || item.error.is_some());
        let mut lines: Vec<String> = told.map(|item| self.line(item)).collect();
        if self.items.is_empty() {
            lines.push("nothing is due".to_owned());
        } else {
            lines.push(format!("{:<12}{:<10}{:>8}", "status", "action", "jobs"));
        }
        lines.extend(self.counts().into_iter().map(|((status, action), count)| {
            format!("{:<12}{:<10}{count:>8}", status.to_uppercase(), action.to_uppercase())
        }));
        let (would, taken) = if self.dry_run { ("would be ", "that would be taken") } else { ("", "taken") };
        let (files, bytes) = (self.sum(|item| item.artifacts), self.sum(|item| item.bytes));
        lines.push(format!(
            "files {taken} from jobs: {files}, {}",
            output::bytes(u64::try_from(bytes).unwrap_or_default())
        ));
        let (deleted, kept) = (self.sum(|item| item.predictions_deleted), self.sum(|item| item.predictions_released));
        lines.push(format!("predictions {would}deleted: {deleted}, kept without their job: {kept}"));
        if self.failures() > 0 {
            lines.push(format!("failed: {}", self.failures()));
        }
        if let Some(waiting) = self.waiting.filter(|waiting| waiting.jobs > 0) {
            let jobs = counted(waiting.jobs, "job");
            lines.push(format!("not removed yet: the files of {jobs}; a server or the next run removes them"));
        }
        lines.join("\n") + "\n"
    }

    fn line(&self, item: &Item) -> String {
        let rule = || {
            let status = JobStatus::known(&item.status)?;
            Some(self.policy.rule(status)?.in_words(status))
        };
        let failed = item.error.as_ref().map(|error| format!("failed: {}", output::clean(error)));
        let why = failed.or_else(rule).unwrap_or_default();
        let ended = item.finished_at.format("%Y-%m-%dT%H:%M:%SZ");
        let (action, status) = (item.action.as_stored().to_uppercase(), item.status.to_uppercase());
        let size = output::bytes(u64::try_from(item.bytes).unwrap_or_default());
        format!("{}  {status:<9}  {ended}  {action:<6}  {size:>11}  {why}", item.job)
    }
}

/// With the names of the GraphQL schema.
fn of_policy(policy: &Policy) -> Value {
    let rule = |rule: &Rule| {
        json!({
            "after": rule.after.to_string(),
            "action": rule.action.as_stored().to_uppercase(),
            "deletePredictions": rule.delete_predictions,
            "keepLogs": rule.keep_logs,
        })
    };
    json!({
        "completed": rule(&policy.completed),
        "failed": rule(&policy.failed),
        "cancelled": rule(&policy.cancelled),
        "includeAdopted": policy.include_adopted,
    })
}

fn of_item(item: &Item) -> Value {
    let deletes = item.action == RetentionAction::Delete && item.error.is_none();
    json!({
        "id": item.job,
        "status": item.status.to_uppercase(),
        "finishedAt": time(item.finished_at),
        "action": item.action.as_stored().to_uppercase(),
        "deleted": {
            "job": deletes,
            "artifacts": item.artifacts,
            "predictions": item.predictions_deleted,
        },
        "predictionsPreserved": item.predictions_released,
        "bytes": item.bytes,
        "error": item.error,
    })
}
