//! What is sent by strangers, searched for inputs that break a promise.
//!
//! `cargo test` replays the corpora beside each target (`__fuzz__`) and tries some random inputs; `tests/fuzz/search`
//! lets a fuzzing engine search on.

#![expect(clippy::unwrap_used, reason = "a test")]

mod documents;
mod readers;
