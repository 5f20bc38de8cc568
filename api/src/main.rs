//! `joblink`: see [`api::cli`].

use std::process::ExitCode;

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
