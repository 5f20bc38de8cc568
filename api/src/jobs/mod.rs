//! Jobs: created from a file, run by a worker, cancelled, retried, held, shown.

pub mod cancel;
mod change;
pub mod create;
pub mod hold;
pub mod idempotency;
pub mod input;
pub mod list;
pub mod log;
pub mod retry;
pub mod row_errors;
pub mod status;
pub mod worker;

pub use change::{Outcome, Trial};
