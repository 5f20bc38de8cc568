//! Where files stand in the store. Keys are made from ids alone, so no name from outside ever becomes a path.

use std::time::{Duration, SystemTime};

use object_store::{ObjectMeta, path::Path};
use uuid::Uuid;

/// The file that holds the store's own id.
pub(crate) const MARK: &str = "joblink-store";
pub(crate) const UPLOADS: &str = "uploads";
pub(crate) const JOBS: &str = "jobs";
pub(crate) const OUTPUT: &str = "output";

/// Where a file stands in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A file that was sent and belongs to no job yet.
    Upload(Uuid),
    /// A job's input file.
    Input {
        /// The job.
        job: Uuid,
        /// The artifact.
        artifact: Uuid,
    },
    /// A file that a job made: its log, its results.
    Output {
        /// The job.
        job: Uuid,
        /// The artifact.
        artifact: Uuid,
    },
}

impl Key {
    pub(crate) fn path(self) -> Path {
        match self {
            Self::Upload(id) => Path::from_iter([UPLOADS, &id.to_string()]),
            Self::Input { job, artifact } => Path::from_iter([JOBS, &job.to_string(), "input", &artifact.to_string()]),
            Self::Output { job, artifact } => Path::from_iter([JOBS, &job.to_string(), OUTPUT, &artifact.to_string()]),
        }
    }
}

/// A file as the store lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// How long ago it was written; zero where the clocks say that it is yet to be.
    pub age: Duration,
}

impl Listed {
    pub(crate) fn of(object: &ObjectMeta, now: SystemTime) -> Self {
        let age = now.duration_since(object.last_modified.into()).unwrap_or_default();
        Self { key: object.location.to_string(), size: object.size, age }
    }

    /// The id in its name, also of what a write that never came to its end left in a directory; `None`: it is not ours.
    pub fn id(&self) -> Option<Uuid> {
        let name = self.key.rsplit('/').next().unwrap_or_default();
        Uuid::try_parse(name.split_once('#').map_or(name, |(id, _)| id)).ok()
    }

    /// Whether a job made it, by where it stands.
    pub fn is_output(&self) -> bool {
        self.key.split('/').nth(2) == Some(OUTPUT)
    }

    /// Whether a write is at it, or was when its program was killed.
    pub fn is_staging(&self) -> bool {
        self.key.contains('#')
    }
}

/// The folder of a job's files.
pub(crate) fn folder_of(job: Uuid) -> Path {
    Path::from_iter([JOBS, &job.to_string()])
}
