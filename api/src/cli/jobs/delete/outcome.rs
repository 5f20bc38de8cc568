//! What became of each job, and of all of them.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{
    Exit,
    output::{self, bytes, clean, count},
};

/// The jobs that a person is shown one by one; of more there are sums.
const SHOWN: usize = 20;

/// What became of a job.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is gone.
    Deleted(Deleted),
    /// It was gone before.
    AlreadyDeleted {
        /// The receipt of that.
        receipt: Value,
    },
    /// There is none, or none that the caller may see.
    NotFound,
    /// The server refuses.
    Refused {
        /// The kind of refusal.
        code: String,
        /// Why.
        message: String,
    },
    /// It is not as it was shown.
    Stale {
        /// How it is.
        message: String,
    },
    /// It failed.
    Failed {
        /// The kind of failure.
        code: String,
        /// Why.
        message: String,
    },
}

/// What went with a job.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// Predictions.
    pub predictions: i64,
    /// Predictions that stay.
    pub released: i64,
    /// Files.
    pub files: i64,
    /// Their bytes.
    pub bytes: u64,
    /// The receipt.
    pub receipt: Value,
}

/// The code of a failure of which nobody knows what it left.
pub const NO_ANSWER: &str = "NO_ANSWER";

impl Outcome {
    /// A failure.
    pub fn failed(code: &str, message: String) -> Self {
        Self::Failed { code: code.to_owned(), message }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Deleted(_) => "deleted",
            Self::AlreadyDeleted { .. } => "already_deleted",
            Self::NotFound => "not_found",
            Self::Refused { .. } => "refused",
            Self::Stale { .. } => "stale",
            Self::Failed { .. } => "failed",
        }
    }

    fn json(&self, id: &str) -> Value {
        let error = |code: &str, message: &str| json!({ "jobId": id, "outcome": self.word(), "error": { "code": code, "message": message } });
        match self {
            Self::Deleted(Deleted { receipt, .. }) | Self::AlreadyDeleted { receipt } => {
                json!({ "jobId": id, "outcome": self.word(), "receipt": receipt })
            }
            Self::NotFound => error("JOB_NOT_FOUND", "Job not found"),
            Self::Stale { message } => error("PREVIEW_STALE", message),
            Self::Refused { code, message } | Self::Failed { code, message } => error(code, message),
        }
    }
}

/// What became of all.
#[derive(Debug, Default)]
pub struct Report {
    json: bool,
    ignore_missing: bool,
    deleted: usize,
    predictions: i64,
    released: i64,
    files: i64,
    bytes: u64,
    already_deleted: usize,
    not_found: usize,
    refused: usize,
    failed: usize,
    /// Jobs that may be gone: the server was asked and did not answer.
    unanswered: usize,
    /// What a person is told of those that stay.
    stay: Vec<String>,
    archive: Option<Value>,
}

impl Report {
    /// Nothing yet. `ignore_missing`: what is not there is done.
    pub fn new(json: bool, ignore_missing: bool) -> Self {
        Self { json, ignore_missing, ..Self::default() }
    }

    /// Names the archive that holds what is deleted.
    pub fn archived(&mut self, path: &Path, sha256: &str) {
        self.archive = Some(json!({ "file": path.display().to_string(), "sha256": sha256 }));
    }

    /// Adds what became of a job. A program is told at once, and whether it still listens changes nothing.
    pub fn add(&mut self, id: &str, outcome: Outcome) -> Result<(), Exit> {
        if self.json {
            output::say_line(&outcome.json(id))?;
        }
        let why = match outcome {
            Outcome::Deleted(went) => {
                self.deleted += 1;
                self.predictions += went.predictions;
                self.released += went.released;
                self.files += went.files;
                self.bytes += went.bytes;
                return Ok(());
            }
            Outcome::AlreadyDeleted { .. } => {
                self.already_deleted += 1;
                return Ok(());
            }
            Outcome::NotFound => {
                self.not_found += 1;
                "there is no such job that you may see".to_owned()
            }
            Outcome::Refused { message, .. } | Outcome::Stale { message } => {
                self.refused += 1;
                message
            }
            Outcome::Failed { code, message } => {
                if code == NO_ANSWER {
                    self.unanswered += 1;
                } else {
                    self.failed += 1;
                }
                message
            }
        };
        self.stay.push(format!("{}  {}", output::name(id), clean(&why)));
        Ok(())
    }

    /// Tells the sums, and how the program ends.
    pub fn end(&self) -> Result<(), Exit> {
        if self.json { self.say_summary() } else { self.say_sums() }?;
        let missing = if self.ignore_missing { 0 } else { self.not_found };
        let (failed, refused) = (self.failed + self.unanswered + missing, self.refused);
        let parts = [
            (self.failed, "failed"),
            (self.unanswered, "without an answer"),
            (missing, "not there"),
            (refused, "refused"),
        ];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{number} {what}"))
            .collect();
        let jobs = count(failed + refused, "job");
        let text = if self.unanswered > 0 {
            format!("{jobs} not known to be deleted: {}; the same command says what is gone", parts.join(", "))
        } else {
            format!("{jobs} not deleted: {}", parts.join(", "))
        };
        match (failed, refused) {
            (0, 0) => Ok(()),
            (0, _) => Err(Exit::Refused(text)),
            _ => Err(Exit::Failed(text)),
        }
    }

    fn say_summary(&self) -> Result<(), Exit> {
        let summary = json!({ "summary": {
            "deleted": self.deleted, "deletedPredictions": self.predictions, "releasedPredictions": self.released,
            "artifacts": self.files, "bytes": self.bytes, "alreadyDeleted": self.already_deleted,
            "notFound": self.not_found, "refused": self.refused, "failed": self.failed + self.unanswered, "archive": self.archive,
        } });
        output::say_line(&summary).map(|_| ())
    }

    fn say_sums(&self) -> Result<(), Exit> {
        for line in self.stay.iter().take(SHOWN) {
            output::say(line)?;
        }
        if self.stay.len() > SHOWN {
            output::say(format!("and {} more; --json names all", self.stay.len() - SHOWN))?;
        }
        if self.deleted > 0 {
            let number = |number: i64| usize::try_from(number).unwrap_or_default();
            output::say(format!(
                "Deleted: {}, {} of {}; {} deleted, {} kept without a job",
                count(self.deleted, "job"),
                count(number(self.files), "file"),
                bytes(self.bytes),
                count(number(self.predictions), "prediction"),
                self.released
            ))?;
        }
        if self.already_deleted > 0 {
            let number = count(self.already_deleted, "job");
            output::say(format!("Deleted before: {number}; `joblink jobs receipt ID` shows when and by whom"))?;
        }
        Ok(())
    }
}
