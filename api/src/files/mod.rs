//! Files: those that were sent and wait for a job, those of jobs, and the artifact store as a whole.

pub mod download;
pub mod mark;
pub mod staged;
pub mod sweep;

use sea_orm::prelude::Uuid;

/// A file that was sent and stands in the store, outside any job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFile {
    /// Its id in the store.
    pub id: Uuid,
    /// The name that the sender gave.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hex, lower case.
    pub sha256: String,
}
