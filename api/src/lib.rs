//! Joblink: jobs that score files, predictions that know their job, and deletions that take a job away whole.

pub mod app;
pub mod audit;
pub mod auth;
pub mod backfill;
pub mod checkpoint;
pub mod cli;
pub mod companies;
pub mod csv_cell;
pub mod database;
pub mod deletion;
pub mod error;
pub mod events;
pub mod files;
pub mod graphql;
pub mod jobs;
pub mod metrics;
pub mod notifications;
pub mod origins;
pub mod paging;
pub mod predictions;
pub mod queue;
pub mod retention;
pub mod server;
pub mod traces;
