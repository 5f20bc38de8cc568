//! `joblink`: see [`api::cli`].

use std::{io::IsTerminal, process::ExitCode};

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("JOBLINK_LOG")
        .unwrap_or_else(|_| "warn,api=info,migration=info".into());
    // It writes out whole messages where it is let; the first one of a connection bears the caller's token.
    let filter = match "tungstenite::protocol=warn".parse() {
        Ok(most) => filter.add_directive(most),
        Err(_) => filter,
    };
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    match api::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("joblink: {exit}");
            ExitCode::from(exit.code())
        }
    }
}
