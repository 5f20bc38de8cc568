//! `migration`: brings a database to the schema that Joblink needs, and back.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand};
use migration::{Error, backfill};

/// Brings a database to the schema that Joblink needs, and back.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 refused.
#[derive(Parser)]
#[command(name = "migration", version)]
struct Arguments {
    /// The database: `sqlite://FILE?mode=rwc` or `postgres://USER:PASSWORD@HOST/NAME`
    #[arg(
        short = 'u',
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite://data/joblink.db?mode=rwc"
    )]
    database_url: String,
    /// The PostgreSQL schema to work in
    #[arg(short = 's', long, global = true, env = "DATABASE_SCHEMA")]
    database_schema: Option<String>,
    /// Say more about what happens
    #[arg(short = 'v', long, global = true)]
    verbose: bool,
    /// Do not ask before anything is lost
    #[arg(long, global = true)]
    yes: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Apply pending migrations (the default)
    Up {
        /// How many; all by default
        #[arg(short, long)]
        num: Option<u32>,
    },
    /// Take back applied migrations; drops only what Joblink made
    Down {
        /// How many
        #[arg(short, long, default_value_t = 1)]
        num: u32,
    },
    /// Show which migrations are applied; changes nothing
    Status,
    /// Drop all tables, then apply all migrations; refused on an adopted database
    Fresh,
    /// Take back all migrations, then apply them again; refused on an adopted database
    Refresh,
    /// Take back all migrations; refused on an adopted database
    Reset,
    /// Find out which job made each existing prediction
    #[command(subcommand)]
    Backfill(backfill::command::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = if arguments.verbose { "info" } else { "warn,migration=info" };
    tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_level(arguments.verbose)
        .with_target(false)
        .without_time()
        .init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("migration: {error}");
            ExitCode::from(match error {
                Error::Refused(_) => 3,
                Error::Failed(_) => 1,
            })
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let command = arguments.command.unwrap_or(Command::Up { num: None });
    if let Command::Backfill(command) = &command {
        if let Some(loss) = command.loss() {
            confirm(arguments.yes, loss)?;
        }
        return command.execute(&arguments.database_url, arguments.database_schema.as_deref()).await;
    }
    let db = migration::connect(&arguments.database_url, arguments.database_schema.as_deref()).await?;
    if let Some(name) = command.drops_everything() {
        // Before the question: there is nothing to agree to.
        migration::refuse_adopted(&db, name).await?;
    }
    if let Some(loss) = command.loss() {
        confirm(arguments.yes, loss)?;
    }
    match command {
        Command::Up { num } => migration::up(&db, num).await?,
        Command::Down { num } => migration::down(&db, Some(num)).await?,
        Command::Status | Command::Backfill(_) => {}
        Command::Fresh => migration::fresh(&db).await?,
        Command::Refresh => migration::refresh(&db).await?,
        Command::Reset => migration::reset(&db).await?,
    }
    for (name, applied) in migration::status(&db).await? {
        println!("{} {name}", if applied { "applied" } else { "pending" });
    }
    Ok(())
}

impl Command {
    /// The name of a command that is refused on an adopted database.
    fn drops_everything(&self) -> Option<&'static str> {
        match self {
            Self::Up { .. } | Self::Down { .. } | Self::Status | Self::Backfill(_) => None,
            Self::Fresh => Some("fresh"),
            Self::Refresh => Some("refresh"),
            Self::Reset => Some("reset"),
        }
    }

    /// What a command destroys, for the question before it.
    fn loss(&self) -> Option<&'static str> {
        match self {
            Self::Up { .. } | Self::Status | Self::Backfill(_) => None,
            Self::Down { .. } => Some("drops the columns and tables of these migrations with what they hold"),
            Self::Fresh | Self::Refresh | Self::Reset => Some("drops every job and every prediction"),
        }
    }
}

fn confirm(yes: bool, loss: &str) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    let refused = || Error::Refused(format!("this {loss}; run it again with --yes to go on"));
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    eprint!("This {loss}. Go on? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|_| refused())?;
    if answer.trim().eq_ignore_ascii_case("y") { Ok(()) } else { Err(refused()) }
}
