//! An archive of jobs: a tar file, compressed by zstd, that is whole or not there.
//!
//! `jobs/ID/job.json` is what `joblink jobs show --json` prints, `predictions.jsonl` and `row-errors.jsonl` have a line for
//! each, and `artifacts/` holds the job's files by kind and id; their names are in `job.json`.

mod job;
mod tape;

use std::path::Path;

use client::Server;
use futures_util::{StreamExt, stream};

use self::{job::Job, tape::Tape};
use super::delete::Deletable;
use crate::cli::{Exit, output, progress::Progress};

/// Jobs that are fetched at a time.
const AT_A_TIME: usize = 4;

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The archive's SHA-256, hexadecimal; none where it would have been empty and was not written.
    pub sha256: Option<String>,
    /// Jobs that are not in it, and why.
    pub left_out: Vec<(String, LeftOut)>,
}

/// Why a job is not in an archive.
#[derive(Clone, Debug)]
pub enum LeftOut {
    /// It is not as it was shown.
    Changed(String),
    /// It cannot be fetched whole.
    Failed(String),
}

/// What a receipt says of it.
pub fn named(path: &Path, sha256: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("archived in {}, SHA-256 {sha256}", output::clean(&name))
}

/// Refuses a place where no archive can be written.
pub fn check(path: &Path) -> Result<(), Exit> {
    let text = output::clean(&path.display().to_string());
    if path.symlink_metadata().is_ok() {
        return Err(Exit::Refused(format!(
            "{text} is there already and is not overwritten; give --archive another name"
        )));
    }
    if path.file_name().is_none() || !tape::folder(path).is_dir() {
        return Err(Exit::Usage(format!("{text} is no place for an archive; name a file in a folder that is there")));
    }
    Ok(())
}

/// Writes jobs as they were shown. Before it returns, the archive is on the disk.
pub async fn write(server: &Server, path: &Path, jobs: &[Deletable]) -> Result<Written, Exit> {
    let failed = |error: std::io::Error| {
        Exit::Failed(format!(
            "cannot write the archive {} ({error}); nothing was deleted",
            output::clean(&path.display().to_string())
        ))
    };
    let folder = tape::folder(path).to_owned();
    let progress = Progress::of(jobs.len(), "jobs archived");
    let mut tape = Tape::create(path).map_err(failed)?;
    let waiting: Vec<_> = jobs.iter().map(|one| Job::fetch(server, &folder, one)).collect();
    let mut fetched = stream::iter(jobs.iter().zip(waiting).map(|(one, fetch)| async move { (one, fetch.await) }))
        .buffered(AT_A_TIME);
    let (mut left_out, mut count) = (Vec::new(), 0);
    while let Some((one, job)) = fetched.next().await {
        match job {
            Ok(job) => {
                tape = tokio::task::spawn_blocking(move || tape.append(job))
                    .await
                    .map_err(|error| failed(error.into()))?
                    .map_err(failed)?;
                count += 1;
            }
            Err(why) => left_out.push((one.job.id.clone(), why)),
        }
        progress.add(1);
    }
    drop(progress);
    if count == 0 {
        return Ok(Written { sha256: None, left_out });
    }
    let path = path.to_owned();
    let shown = output::clean(&path.display().to_string());
    let ended = tokio::task::spawn_blocking(move || tape.finish(&path)).await;
    let ended = ended.unwrap_or_else(|error| Err(error.into()));
    let sha256 = ended
        .map_err(|error| Exit::Failed(format!("cannot write the archive {shown} ({error}); nothing was deleted")))?;
    Ok(Written { sha256: Some(sha256), left_out })
}
