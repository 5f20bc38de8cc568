//! Files of jobs: the artifact store, and the readers of input files.

pub mod csv;
mod store;

pub use store::{ArtifactStore, Key, PutError, StoreError, Stored};
