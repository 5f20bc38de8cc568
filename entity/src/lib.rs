//! The tables: one file a table, and the enums that are stored in columns. No logic beyond the row.
//!
//! Times of the adopted tables are naive and read as UTC; tables of Joblink's own hold times with a zone.
//! Strings that an older program may have written are read as strings and parsed where they are used, so that
//! an unknown one never fails a page of results.

pub mod annual_prediction;
pub mod artifact;
pub mod artifact_purge;
pub mod artifact_store;
pub mod audit_entry;
pub mod backfill_decision;
pub mod backfill_run;
pub mod backfill_unresolved;
pub mod company;
pub mod deletion_receipt;
pub mod idempotency_key;
pub mod job;
pub mod job_event;
pub mod job_log;
pub mod notification;
pub mod organization;
pub mod quarterly_prediction;
pub mod retention_item;
pub mod retention_run;
pub mod row_error;
pub mod staged_upload;
pub mod stored;
pub mod user;
