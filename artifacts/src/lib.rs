//! Files of jobs: the artifact store, and the readers of input files.

pub mod csv;
mod directory;
mod store;
pub mod table;
pub mod xlsx;

pub use store::{ArtifactStore, Key, Listed, PutError, StoreError, Stored};
