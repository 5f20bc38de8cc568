//! The audit log: what every mutation did or was refused.

pub mod append_only;
mod list;
mod record;

pub use list::{Filter, count, newest_first, page, visible};
pub use record::{
    Actor, Caller, Entry, RefusedTarget, is_recorded, noting_failure, record, record_as, record_nothing,
    record_refusal, record_refusals,
};
