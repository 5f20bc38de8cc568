//! `joblink`: see [`api::cli`].

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("JOBLINK_LOG").unwrap_or_else(|_| "warn,api=info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match api::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("joblink: {exit}");
            ExitCode::from(exit.code())
        }
    }
}
