//! The log, on stderr.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, fmt};

/// What is logged where `JOBLINK_LOG` says nothing. Requests are logged under the target `access`, so not by this.
const USUAL: &str = "warn,api=info,migration=info";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text each
    Human,
    /// A JSON object each
    Json,
}

/// Logs from now on.
pub fn begin(format: LogFormat) {
    let filter = EnvFilter::try_from_env("JOBLINK_LOG").unwrap_or_else(|_| USUAL.into());
    // It writes out whole messages where it is let; the first one of a connection bears the caller's token.
    let filter = match "tungstenite::protocol=warn".parse() {
        Ok(most) => filter.add_directive(most),
        Err(_) => filter,
    };
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Human => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}
