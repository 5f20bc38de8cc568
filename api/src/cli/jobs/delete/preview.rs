//! What would go, and what would be refused.

use client::{
    Again, Error, Server,
    operations::{ErrorCode, PreviewDeletion, preview_deletion},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::{
    Arguments,
    outcome::{Outcome, Report},
};
use crate::cli::{
    Exit,
    jobs::list::word,
    output::{self, bytes, count},
    progress::Progress,
};

/// The most that one preview takes (`deletionPreview` in the schema).
const PAGE: usize = 100;
/// Previews that are asked for at a time.
const AT_A_TIME: usize = 4;
/// The jobs that a person is shown; of more there are sums.
const SHOWN: usize = 50;

/// A job that would be deleted.
pub type Deletable = preview_deletion::PreviewDeletionDeletionPreviewDeletable;
type Refused = preview_deletion::PreviewDeletionDeletionPreviewRefused;

/// What deleting jobs would do.
#[derive(Debug, Default)]
pub struct Preview {
    /// What would go, in the order of the ids.
    pub deletable: Vec<Deletable>,
    /// What would not.
    refused: Vec<Refused>,
}

impl Preview {
    /// Asks for it, page by page.
    pub async fn fetch(server: &Server, ids: &[String], force: bool) -> Result<Self, Error> {
        let progress = Progress::of(ids.len(), "jobs looked at");
        let pages = ids.chunks(PAGE).map(|page| {
            let (progress, variables) = (&progress, preview_deletion::Variables { ids: page.to_vec(), force });
            async move {
                let data = server.ask::<PreviewDeletion>(variables, Again::Yes).await?;
                progress.add(page.len() as u64);
                Ok::<_, Error>(data.deletion_preview)
            }
        });
        let pages = stream::iter(pages.collect::<Vec<_>>()).buffered(AT_A_TIME);
        let preview = pages.try_fold(Self::default(), |mut all, page| async {
            if let Some(page) = page {
                all.deletable.extend(page.deletable);
                all.refused.extend(page.refused);
            }
            Ok(all)
        });
        preview.await
    }

    /// Reports what no deletion is needed for: what is deleted already, is not there, or is refused.
    pub fn settle(&mut self, report: &mut Report) -> Result<(), Exit> {
        for refused in self.refused.drain(..) {
            let Refused { job_id, error, receipt } = refused;
            report.add(&job_id, Outcome::refused(&error.code, error.message, receipt.as_ref()))?;
        }
        Ok(())
    }

    /// Shows a person what would go.
    pub fn show(&self, arguments: &Arguments) -> Result<(), Exit> {
        if arguments.remote.json || self.deletable.is_empty() {
            return Ok(());
        }
        let mut table = output::table(&["ID", "STATUS", "KIND", "PREDICTIONS", "FILES", "SIZE", "FILE"]);
        let shown = if arguments.dry_run { self.deletable.len() } else { SHOWN };
        table.add_rows(self.deletable.iter().take(shown).map(|one| {
            [
                output::clean(&one.job.id),
                word(&one.job.status),
                word(&one.job.kind),
                predictions(one).to_string(),
                one.artifacts.to_string(),
                bytes(one.bytes),
                output::name(&one.job.file_name),
            ]
        }));
        output::say_table(table)?;
        if self.deletable.len() > shown {
            output::say(format!("and {} more; --dry-run shows all", self.deletable.len() - shown))?;
        }
        output::say(self.sums(arguments.with_predictions))?;
        Ok(())
    }

    fn sums(&self, with_predictions: bool) -> String {
        let sum = |number: fn(&Deletable) -> i64| {
            usize::try_from(self.deletable.iter().map(number).sum::<i64>()).unwrap_or_default()
        };
        let linked = count(sum(predictions), "prediction");
        let predictions = if with_predictions {
            format!("{linked} deleted")
        } else {
            format!("{linked} kept without a job (--with-predictions deletes them)")
        };
        let files = count(sum(|one| one.artifacts), "file");
        let size = bytes(self.deletable.iter().map(|one| one.bytes).sum());
        format!("Would go: {}, {files} of {size}; {predictions}", count(self.deletable.len(), "job"))
    }

    /// Prints what would go for programs.
    pub fn say_lines(&self, arguments: &Arguments) -> Result<(), Exit> {
        if !arguments.remote.json {
            return Ok(());
        }
        for one in &self.deletable {
            output::say_line(&json!({ "jobId": one.job.id, "outcome": "would_delete", "preview": one }))?;
        }
        Ok(())
    }
}

/// The linked predictions of a job, of both kinds together.
pub fn predictions(one: &Deletable) -> i64 {
    one.annual_predictions + one.quarterly_predictions
}

impl Outcome {
    /// What a refusal comes to.
    pub fn refused(code: &ErrorCode, message: String, receipt: Option<&impl serde::Serialize>) -> Self {
        let receipt = receipt.and_then(|receipt| serde_json::to_value(receipt).ok());
        match (code, receipt) {
            (ErrorCode::JOB_ALREADY_DELETED, Some(receipt)) => Self::AlreadyDeleted { receipt },
            (ErrorCode::JOB_NOT_FOUND, _) => Self::NotFound,
            (ErrorCode::PREVIEW_STALE, _) => Self::Stale { message },
            _ => Self::Refused { code: word(code), message },
        }
    }
}
