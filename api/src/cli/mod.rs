//! The command line of `joblink`.

mod artifacts;
mod asking;
mod completions;
mod config;
mod demo;
mod jobs;
mod limits;
mod logging;
mod notification_settings;
mod output;
mod place;
mod progress;
mod remote;
mod retention;
mod retention_report;
mod retention_settings;
mod serve;
mod sign_in;
mod signals;
mod token;

use clap::{CommandFactory, Parser, Subcommand};

use crate::traces::Traces;

/// Scores uploaded company figures; every prediction knows the job that made it, and a job goes with what it made.
///
/// Settings come from flags, then from the environment, then from joblink.toml (keys are the long flags), then from the
/// defaults shown. `JOBLINK_LOG` in the environment sets what is logged: info, debug, api=debug, access=info (a line for
/// each request). Exit codes: 0 done, 1 failed, 2 usage, 3 refused.
#[derive(Debug, Parser)]
#[command(name = "joblink", version, max_term_width = 120)]
struct Arguments {
    /// How the log is written, on stderr
    #[arg(long, env = "JOBLINK_LOG_FORMAT", value_enum, global = true, default_value = "human", value_name = "FORMAT")]
    log_format: logging::LogFormat,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API, the console and GraphiQL, and work on jobs (the default)
    Serve(Box<serve::Arguments>),
    /// Look after the files of all jobs
    #[command(subcommand)]
    Artifacts(artifacts::Command),
    /// Work with the jobs of a running server, here or elsewhere
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Clean and delete the jobs whose time has come
    #[command(subcommand)]
    Retention(retention::Command),
    /// Mint a bearer token for a user
    Token(token::Arguments),
    /// Print the GraphQL schema
    Schema,
    /// Print what completes commands in a shell
    Completions(completions::Completions),
    /// Print or write manual pages
    Man(completions::Man),
}

/// What ends the program with an exit code other than 0.
#[derive(Debug, thiserror::Error)]
pub enum Exit {
    /// Something failed: 1.
    #[error("{0}")]
    Failed(String),
    /// What was asked for makes no sense: 2.
    #[error("{0}")]
    Usage(String),
    /// Nothing was done, because it would break a promise: 3.
    #[error("{0}")]
    Refused(String),
}

impl Exit {
    /// A failure of something that was tried: what, and why in one line.
    pub fn failed(what: &str, why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        Self::Failed(format!("{what}: {}", why.lines().next().unwrap_or_default()))
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
        }
    }
}

/// Runs the program with its arguments.
pub async fn run() -> Result<(), Exit> {
    let arguments = config::parse::<Arguments>()?;
    let command = match arguments.command {
        Some(command) => command,
        None => Command::Serve(Box::new(config::defaults()?)),
    };
    // Who serves is asked from elsewhere, and its part of what happens there is wanted.
    let traces = match &command {
        Command::Serve(_) => Traces::of_environment().map_err(|error| Exit::failed("cannot send traces", error))?,
        _ => None,
    };
    logging::begin(arguments.log_format, traces.as_ref());
    let done = execute(command).await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    done
}

async fn execute(command: Command) -> Result<(), Exit> {
    match command {
        Command::Serve(arguments) => serve::serve(*arguments).await,
        Command::Artifacts(command) => artifacts::execute(command).await,
        Command::Jobs(command) => jobs::execute(command).await,
        Command::Retention(command) => retention::execute(command).await,
        Command::Token(arguments) => token::mint(&arguments),
        Command::Schema => {
            print!("{}", crate::graphql::sdl());
            Ok(())
        }
        Command::Completions(wanted) => completions::completions(&wanted, Arguments::command()),
        Command::Man(wanted) => completions::man(&wanted, Arguments::command()),
    }
}
