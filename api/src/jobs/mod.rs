//! Jobs: created from a file, run by a worker, shown.

pub mod create;
pub mod list;
pub mod row_errors;
pub mod status;
pub mod worker;
