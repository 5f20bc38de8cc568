//! One job, fetched whole into files that have no name.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use client::{
    Again, Error, Server,
    operations::{
        ArchiveAnnual, ArchiveQuarterly, ArchiveRowErrors, PredictionKind, ShowJob, archive_annual, archive_quarterly,
        archive_row_errors, show_job,
    },
};
use sea_orm::prelude::Uuid;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::LeftOut;
use crate::cli::jobs::{
    delete::{Deletable, predictions},
    list::word,
    show,
};

/// A job as it goes into an archive.
pub struct Job {
    /// Its id, which is one.
    pub id: Uuid,
    /// Its files, by their names.
    pub files: Vec<(String, File)>,
}

/// Why a job cannot be fetched.
enum Failure {
    Server(Error),
    Disk(std::io::Error),
    Whole(String),
    Changed(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Disk(error.into())
    }
}

impl Job {
    /// Fetches a job that was shown like this.
    pub async fn fetch(server: &Server, folder: &Path, shown: &Deletable) -> Result<Self, LeftOut> {
        fetch(server, folder, shown).await.map_err(|failure| match failure {
            Failure::Changed(how) => LeftOut::Changed(how),
            Failure::Server(error) => LeftOut::Failed(format!("it is not archived: {error}")),
            Failure::Disk(error) => {
                LeftOut::Failed(format!("it is not archived: cannot write beside the archive ({error})"))
            }
            Failure::Whole(why) => LeftOut::Failed(format!("it is not archived: {why}")),
        })
    }
}

async fn fetch(server: &Server, folder: &Path, shown: &Deletable) -> Result<Job, Failure> {
    // Its name in the archive must be one wherever the archive is unpacked.
    let id: Uuid = shown.job.id.parse().map_err(|_| Failure::Whole("its id is no UUID".to_owned()))?;
    let variables = show_job::Variables { id: shown.job.id.clone(), row_errors: 1 };
    let job = server.ask::<ShowJob>(variables, Again::Yes).await?.job;
    let job = job.ok_or_else(|| Failure::Changed("it is gone".to_owned()))?;
    let mut files = Vec::with_capacity(3 + job.artifacts.len());
    let mut text = tempfile::tempfile_in(folder)?;
    serde_json::to_writer_pretty(&text, &job)?;
    text.write_all(b"\n")?;
    files.push(("job.json".to_owned(), text));
    files.push(("predictions.jsonl".to_owned(), linked(server, folder, shown).await?));
    files.push(("row-errors.jsonl".to_owned(), row_errors(server, folder, &job).await?));
    for artifact in &job.artifacts {
        let artifact_id: Uuid = artifact.id.parse().map_err(|_| Failure::Whole("a file's id is no UUID".to_owned()))?;
        let name = format!("artifacts/{}-{artifact_id}", word(&artifact.kind).to_lowercase());
        files.push((name, download(server, folder, artifact).await?));
    }
    if i64::try_from(job.artifacts.len()) != Ok(shown.artifacts) {
        return Err(Failure::Changed(format!(
            "it has {} files now, {} were shown",
            job.artifacts.len(),
            shown.artifacts
        )));
    }
    Ok(Job { id, files })
}

/// A prediction, and of which kind it is.
#[derive(Serialize)]
struct Prediction<'a, T> {
    kind: PredictionKind,
    #[serde(flatten)]
    prediction: &'a T,
}

/// Lists of a job, a line for each item.
struct Lines {
    file: BufWriter<File>,
    count: i64,
}

impl Lines {
    fn new(folder: &Path) -> Result<Self, Failure> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile_in(folder)?), count: 0 })
    }

    fn add(&mut self, items: impl IntoIterator<Item = impl Serialize>) -> Result<(), Failure> {
        for item in items {
            serde_json::to_writer(&mut self.file, &item)?;
            self.file.write_all(b"\n")?;
            self.count += 1;
        }
        Ok(())
    }

    fn end(self) -> Result<File, Failure> {
        self.file.into_inner().map_err(|error| Failure::Disk(error.into_error()))
    }
}

async fn linked(server: &Server, folder: &Path, shown: &Deletable) -> Result<File, Failure> {
    let mut lines = Lines::new(folder)?;
    let id = &shown.job.id;
    macro_rules! all {
        ($kind:ident, $operation:ident, $module:ident, $field:ident) => {
            let mut after = None;
            loop {
                let variables = $module::Variables { job_id: id.clone(), after };
                let Some(page) = server.ask::<$operation>(variables, Again::Yes).await?.$field else { break };
                let of_kind = |prediction| Prediction { kind: PredictionKind::$kind, prediction };
                lines.add(page.nodes.iter().map(of_kind))?;
                if !page.page_info.has_next_page {
                    break;
                }
                after = page.page_info.end_cursor;
            }
        };
    }
    if shown.annual_predictions > 0 {
        all!(ANNUAL, ArchiveAnnual, archive_annual, annual_predictions);
    }
    if shown.quarterly_predictions > 0 {
        all!(QUARTERLY, ArchiveQuarterly, archive_quarterly, quarterly_predictions);
    }
    let (now, then) = (lines.count, predictions(shown));
    if now != then {
        return Err(Failure::Changed(format!("it has {now} linked predictions now, {then} were shown")));
    }
    lines.end()
}

async fn row_errors(server: &Server, folder: &Path, job: &show::Job) -> Result<File, Failure> {
    let mut lines = Lines::new(folder)?;
    if job.row_errors.total_count == 0 {
        return lines.end();
    }
    let mut after = None;
    loop {
        let variables = archive_row_errors::Variables { id: job.id.clone(), after };
        let Some(job) = server.ask::<ArchiveRowErrors>(variables, Again::Yes).await?.job else {
            return Err(Failure::Changed("it is gone".to_owned()));
        };
        lines.add(&job.row_errors.nodes)?;
        if !job.row_errors.page_info.has_next_page {
            break;
        }
        after = job.row_errors.page_info.end_cursor;
    }
    lines.end()
}

/// Fetches a file, and sees that it is the one that was registered.
async fn download(server: &Server, folder: &Path, artifact: &show_job::ShowJobJobArtifacts) -> Result<File, Failure> {
    let mut file = tempfile::tempfile_in(folder)?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut download = server.fetch(&artifact.id).await?;
    while let Some(chunk) = download.chunk().await? {
        hash.update(&chunk);
        size += chunk.len() as u64;
        file.write_all(&chunk)?;
    }
    let sha256: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let kind = word(&artifact.kind).to_lowercase();
    if size != artifact.size {
        return Err(Failure::Whole(format!("its {kind} file has {size} bytes, {} were registered", artifact.size)));
    }
    if artifact.sha256.as_ref().is_some_and(|registered| !registered.eq_ignore_ascii_case(&sha256)) {
        return Err(Failure::Whole(format!("its {kind} file is not the one that was registered: the SHA-256 differs")));
    }
    Ok(file)
}
