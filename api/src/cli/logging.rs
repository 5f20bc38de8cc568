//! The log, on stderr.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

use crate::traces::{TARGET, Traces};

/// What is logged where `JOBLINK_LOG` says nothing. Requests are logged under the target `access`, so not by this.
const USUAL: &str = "warn,api=info,migration=info";

/// A line that cannot be written is lost. The library would say so on stderr, which is what nobody reads any more, and panic.
const TELL_OF_LOSS: bool = false;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text each
    Human,
    /// A JSON object each
    Json,
}

/// Logs from now on, and makes traces where they are sent.
pub fn begin(format: LogFormat, traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_env("JOBLINK_LOG").unwrap_or_else(|_| USUAL.into());
    // It writes out whole messages where it is let; the first one of a connection bears the caller's token.
    let filter = match "tungstenite::protocol=warn".parse() {
        Ok(most) => filter.add_directive(most),
        Err(_) => filter,
    };
    // What it says is in the error of the request.
    let filter = match "rustls_platform_verifier=off".parse() {
        Ok(none) => filter.add_directive(none),
        Err(_) => filter,
    };
    // The spans of traces say again what those of the log say.
    let filter = match format!("{TARGET}=off").parse() {
        Ok(none) => filter.add_directive(none),
        Err(_) => filter,
    };
    let Some(traces) = traces else {
        return begin_alone(format, filter);
    };
    let log = fmt::layer().with_writer(std::io::stderr).log_internal_errors(TELL_OF_LOSS);
    let log = match format {
        LogFormat::Human => log.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).boxed(),
    };
    registry().with(log.with_filter(filter)).with(traces.layer()).init();
}

/// Without what several layers cost.
fn begin_alone(format: LogFormat, filter: EnvFilter) {
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(TELL_OF_LOSS);
    match format {
        LogFormat::Human => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}
