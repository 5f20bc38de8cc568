//! Deleting a job with or without what it made: preview, execution, receipt, and the purge of its files.

pub mod execute;
pub mod linked;
mod look_alikes;
pub mod predictions;
pub mod preview;
pub mod purge;
pub mod receipt;
