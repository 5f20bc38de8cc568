//! Whole-program tests: a real server, a real database, a real store. One binary; the tree mirrors what is promised.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say so by failing")]

mod deletion;
mod migrations;
mod graphql;
mod smoke;
mod upload;
