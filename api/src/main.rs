//! `joblink`: see [`api::cli`].

use std::{io::Write, process::ExitCode};

/// Answers are made of many small objects.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match api::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            // Nobody may read it any more.
            _ = writeln!(std::io::stderr(), "joblink: {exit}");
            ExitCode::from(exit.code())
        }
    }
}
