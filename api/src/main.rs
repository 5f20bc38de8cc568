//! `joblink`: see [`api::cli`].

use std::process::ExitCode;

/// Answers are made of many small objects.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match api::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("joblink: {exit}");
            ExitCode::from(exit.code())
        }
    }
}
