//! Whole-program tests: a real server, a real database, a real store. One binary; the tree mirrors what is promised.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::assigning_clones,
    clippy::cast_sign_loss,
    clippy::similar_names,
    clippy::format_push_string,
    reason = "tests say so by failing"
)]

mod audit;
mod backfill;
mod cli;
mod cluster;
mod crashes;
mod database;
mod deletion;
mod events;
mod files;
mod graphql;
mod jobs;
mod migrations;
mod notifications;
mod operations;
mod retention;
mod sign_in;
mod smoke;
mod tenants;
mod upload;
