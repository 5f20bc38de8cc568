//! `migration`: brings a database to the schema that Joblink needs, and back.

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use migration::{
    Access, Error, backfill, copy, place,
    plan::{self, Direction},
    say,
};
use sea_orm::DatabaseConnection;

/// Brings a database to the schema that Joblink needs, and back.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 refused.
#[derive(Parser)]
#[command(name = "migration", version)]
struct Arguments {
    /// The database: `sqlite://FILE?mode=rwc` or `postgres://USER:PASSWORD@HOST/NAME`; of a cluster `HOST:PORT,HOST:PORT,…`, of
    /// which the one that takes changes is used
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
    /// How many seconds to wait while another run changes the schema
    #[arg(long, global = true, default_value_t = 600)]
    wait: u64,
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
    /// Print what `up` or `down` would do, as SQL with the locks it takes; changes nothing
    Plan {
        /// Which way
        #[arg(value_enum, default_value = "up")]
        direction: Way,
        /// How many; all by default for `up`, 1 for `down`
        #[arg(short, long)]
        num: Option<u32>,
        /// Print JSON
        #[arg(long)]
        json: bool,
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
    Copy(copy::command::Copy),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What goes wrong in a library is told once, at the end.
    let level = if arguments.verbose { "info" } else { "off,migration=info" };
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
            confirm(arguments.yes, &arguments.database_url, loss)?;
        }
        return command.execute(&arguments.database_url, arguments.database_schema.as_deref()).await;
    }
    let (access, wait) = (command.access(), Duration::from_secs(arguments.wait));
    if let Command::Copy(copy) = &command {
        return copy.execute(&arguments.database_url, arguments.database_schema.as_deref(), wait).await;
    }
    let db = migration::connect_with(&arguments.database_url, arguments.database_schema.as_deref(), access, 1).await?;
    if let Some(name) = command.drops_everything() {
        // Before the question: there is nothing to agree to.
        migration::refuse_adopted(&db, name).await?;
    }
    if let Command::Down { num } = command {
        let plan = plan::plan(&db, Direction::Down, Some(num)).await?;
        let names: Vec<_> = plan.migrations.iter().map(|migration| migration.name).collect();
        if !names.is_empty() {
            let loss =
                format!("takes back {}, with the columns and tables of each and what they hold,", names.join(", "));
            confirm(arguments.yes, &arguments.database_url, &loss)?;
        }
    } else if let Some(loss) = command.loss() {
        confirm(arguments.yes, &arguments.database_url, loss)?;
    }
    match command {
        Command::Up { num } => migration::up(&db, num, wait).await?,
        Command::Plan { direction, num, json } => return print_plan(&db, direction.into(), num, json).await,
        Command::Down { num } => migration::down(&db, Some(num), wait).await?,
        Command::Status | Command::Backfill(_) | Command::Copy(_) => {}
        Command::Fresh => migration::fresh(&db, wait).await?,
        Command::Refresh => migration::refresh(&db, wait).await?,
        Command::Reset => migration::reset(&db, wait).await?,
    }
    let status = migration::status(&db).await?;
    say(&status
        .iter()
        .map(|m| format!("{} {}\n", if m.applied { "applied" } else { "pending" }, m.name))
        .collect::<String>());
    for migration in status {
        if migration.differs {
            eprintln!(
                "migration: what was applied as {} differs from what this program would apply; compare the database \
                 with `migration plan` of the program that applied it",
                migration.name
            );
        }
    }
    Ok(())
}

/// Prints the plan; one that would be refused is printed too, and then refused.
async fn print_plan(db: &DatabaseConnection, direction: Direction, num: Option<u32>, json: bool) -> Result<(), Error> {
    let num = if direction == Direction::Down { num.or(Some(1)) } else { num };
    let plan = plan::plan(db, direction, num).await?;
    if json {
        say(&format!("{}\n", serde_json::to_string_pretty(&plan).map_err(|error| Error::Failed(error.to_string()))?));
    } else {
        say(&plan.to_string());
    }
    plan.allowed()
}

/// Which way a plan goes.
#[derive(Clone, Copy, ValueEnum)]
enum Way {
    Up,
    Down,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Up => Self::Up,
            Way::Down => Self::Down,
        }
    }
}

impl Command {
    /// Whether it may make a missing SQLite file.
    const fn access(&self) -> Access {
        match self {
            Self::Plan { .. } | Self::Status => Access::Read,
            _ => Access::Write,
        }
    }

    /// The name of a command that is refused on an adopted database.
    fn drops_everything(&self) -> Option<&'static str> {
        match self {
            Self::Up { .. }
            | Self::Plan { .. }
            | Self::Down { .. }
            | Self::Status
            | Self::Backfill(_)
            | Self::Copy(_) => None,
            Self::Fresh => Some("fresh"),
            Self::Refresh => Some("refresh"),
            Self::Reset => Some("reset"),
        }
    }

    /// What a command destroys, for the question before it.
    fn loss(&self) -> Option<&'static str> {
        match self {
            Self::Up { .. }
            | Self::Plan { .. }
            | Self::Status
            | Self::Down { .. }
            | Self::Backfill(_)
            | Self::Copy(_) => None,
            Self::Fresh | Self::Refresh | Self::Reset => Some("drops every job and every prediction"),
        }
    }
}

/// Asks before what cannot be taken back; `database` is the URL of what loses it.
fn confirm(yes: bool, database: &str, loss: &str) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    let place = place(database);
    let refused = || Error::Refused(format!("this {loss} in {place}; run it again with --yes to go on"));
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    eprint!("This {loss} in {place}. Go on? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|_| refused())?;
    if answer.trim().eq_ignore_ascii_case("y") { Ok(()) } else { Err(refused()) }
}
