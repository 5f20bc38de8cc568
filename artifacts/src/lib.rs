//! Files of jobs: the artifact store, and the readers of input files.

pub mod csv;
mod directory;
mod key;
mod open;
mod store;
pub mod table;
pub mod xlsx;

pub use key::{Key, Listed};
pub use store::{ArtifactStore, PutError, StoreError, Stored};
