//! Deletes what was shown, page by page.

use client::{
    Again, Error, Server,
    operations::{DeleteJobs, JobStatus, delete_jobs},
};
use futures_util::{StreamExt, stream};

use super::{
    outcome::{Deleted, NO_ANSWER, Outcome, Report},
    preview::{Deletable, predictions},
};
use crate::cli::{Exit, progress::Progress};

/// Jobs of one request; the server takes up to 100. Fewer show sooner how far it is, leave less for the last request alone, and
/// cost next to nothing.
const PAGE: usize = 10;
/// Requests at a time: deletions of different jobs do not wait for each other on PostgreSQL, and while one waits for the disk
/// others compute.
const AT_A_TIME: usize = 6;
/// How often a job is tried whose deletion failed in the server; what was done is answered with its receipt.
const ATTEMPTS: usize = 3;

/// What is asked of the server.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Delete the linked predictions too.
    pub delete_predictions: bool,
    /// Delete active jobs too.
    pub force: bool,
    /// Why.
    pub reason: Option<String>,
}

/// Deletes them and reports on each but those whose preview is stale, which it gives.
pub async fn execute(
    server: &Server,
    wanted: &Wanted,
    jobs: &[Deletable],
    report: &mut Report,
) -> Result<Vec<(String, String)>, Exit> {
    let progress = Progress::of(jobs.len(), "jobs deleted");
    let pages: Vec<_> = jobs.chunks(PAGE).map(|page| delete(server, wanted, page)).collect();
    let mut pages = stream::iter(pages).buffer_unordered(AT_A_TIME);
    let mut stale = Vec::new();
    while let Some(page) = pages.next().await {
        progress.add(page.len() as u64);
        for (id, outcome) in page {
            match outcome {
                Outcome::Stale { message } => stale.push((id, message)),
                outcome => progress.beside(|| report.add(&id, outcome))?,
            }
        }
    }
    Ok(stale)
}

/// Deletes a page, and says of each of its jobs what became of it.
async fn delete(server: &Server, wanted: &Wanted, page: &[Deletable]) -> Vec<(String, Outcome)> {
    let mut outcomes = Vec::with_capacity(page.len());
    let mut left: Vec<&Deletable> = page.iter().collect();
    for attempt in 1..=ATTEMPTS {
        let failed = match ask(server, wanted, &left).await {
            Ok((done, failed)) => {
                left.retain(|job| !done.iter().any(|(id, _)| *id == job.job.id));
                outcomes.extend(done);
                failed
            }
            // Asking has been tried again where that could help.
            Err(error) => {
                outcomes.extend(left.drain(..).map(|job| (job.job.id.clone(), Outcome::of_error(&error))));
                None
            }
        };
        if left.is_empty() {
            break;
        }
        if attempt == ATTEMPTS {
            let unsaid = || Outcome::failed("UNKNOWN", "the server does not say what became of it".to_owned());
            let outcome = |_| failed.as_ref().map_or_else(unsaid, Outcome::of_error);
            outcomes.extend(left.drain(..).map(|job| (job.job.id.clone(), outcome(job))));
        }
    }
    outcomes
}

type Page = (Vec<(String, Outcome)>, Option<Error>);

/// What became of those that the server speaks of, and what failed.
async fn ask(server: &Server, wanted: &Wanted, jobs: &[&Deletable]) -> Result<Page, Error> {
    // What an active job has made grows until it is gone.
    let at_rest = jobs
        .iter()
        .filter(|job| matches!(job.job.status, JobStatus::COMPLETED | JobStatus::FAILED | JobStatus::CANCELLED));
    let expected =
        at_rest.map(|job| delete_jobs::JobExpectation { id: job.job.id.clone(), predictions: predictions(job) });
    let variables = delete_jobs::Variables {
        ids: jobs.iter().map(|job| job.job.id.clone()).collect(),
        delete_predictions: wanted.delete_predictions,
        force: wanted.force,
        reason: wanted.reason.clone(),
        expected: expected.collect(),
    };
    let answer = server.answer::<DeleteJobs>(variables, Again::Yes).await?;
    let failed = answer.errors.into_iter().next();
    let Some(payload) = answer.data.and_then(|data| data.delete_jobs) else { return Ok((Vec::new(), failed)) };
    if let Some(error) = payload.user_errors.into_iter().next() {
        let each =
            |job: &&Deletable| (job.job.id.clone(), Outcome::refused(&error.code, error.message.clone(), None::<&()>));
        return Ok((jobs.iter().map(each).collect(), failed));
    }
    let deleted =
        payload.receipts.into_iter().map(|receipt| (receipt.job_id.clone(), Outcome::Deleted(Deleted::of(&receipt))));
    let refused = payload.refused.into_iter().map(|refused| {
        let outcome = Outcome::refused(&refused.error.code, refused.error.message, refused.receipt.as_ref());
        (refused.job_id, outcome)
    });
    Ok((deleted.chain(refused).collect(), failed))
}

impl Outcome {
    fn of_error(error: &Error) -> Self {
        Self::failed(error.code().unwrap_or(NO_ANSWER), error.to_string())
    }
}

impl Deleted {
    fn of(receipt: &delete_jobs::Receipt) -> Self {
        Self {
            predictions: receipt.deleted_annual_predictions + receipt.deleted_quarterly_predictions,
            released: receipt.released_predictions,
            files: receipt.artifacts.total,
            bytes: receipt.artifacts.bytes,
            receipt: serde_json::to_value(receipt).unwrap_or_default(),
        }
    }
}
