//! `joblink retention`: by a running server, or on the database itself.

mod direct;
mod given;
mod install;
mod server;
mod told;

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use migration::counted::counted;
use sea_orm::prelude::DateTimeUtc;

use self::given::Given;
use super::{
    Exit, asking, notification_settings::NotificationSettings, output, place::Place, remote::Remote,
    retention_report::Report, retention_settings::RetentionSettings,
};

/// What can be done with the retention policy.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show exactly what a run would do now, and do nothing
    ///
    /// A running server is asked, as an operator. Its own policy holds, changed for this once by the --retention-… flags of this
    /// command line; what variables and joblink.toml say of a policy is not sent. With --direct no server is asked, and the
    /// policy is what flags, variables and joblink.toml say.
    Preview(Box<Options>),
    /// Clean and delete the jobs whose time has come
    ///
    /// A running server does it, for an operator, and goes on with it where this command is cut off. Its own policy holds, changed
    /// for this once by the --retention-… flags of this command line; what variables and joblink.toml say of a policy is not
    /// sent. With --direct it is done here, without a server, and the policy is what flags, variables and joblink.toml say.
    Run(Box<RunOptions>),
    /// Have cron or systemd run it every night, without a server
    ///
    /// Shows each file that it writes and what is left to do. What is there already stays; a file that differs is overwritten
    /// with --force alone.
    Install(install::Arguments),
}

/// What `preview` takes.
#[derive(Debug, Args)]
pub struct Options {
    // Before the others: what is read is taken away.
    #[command(flatten)]
    given: Given,
    /// Say of each job what happens to it and by which rule
    #[arg(long)]
    verbose: bool,
    /// Work on the database and the artifact store themselves, without a server
    #[arg(long)]
    direct: bool,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten, next_help_heading = "With --direct")]
    place: Place,
    #[command(flatten, next_help_heading = "Policy")]
    settings: RetentionSettings,
    #[command(flatten, next_help_heading = "Notifications, with --direct")]
    notifications: NotificationSettings,
}

/// What `run` takes.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Show what would be done, and do nothing, as `preview`
    #[arg(long)]
    dry_run: bool,
    /// Run without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    options: Options,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Show what would be done.
    Show,
    /// Do it after somebody has seen it and said yes.
    Ask,
    /// Do it.
    Do,
}

/// Does it.
pub async fn execute(command: Command) -> Result<(), Exit> {
    let (options, extent) = match command {
        Command::Preview(options) => (*options, Extent::Show),
        Command::Run(run) if run.dry_run => (run.options, Extent::Show),
        Command::Run(run) if run.yes => (run.options, Extent::Do),
        Command::Run(run) => (run.options, Extent::Ask),
        Command::Install(arguments) => return install::install(&arguments),
    };
    options.given.check(options.direct)?;
    let report = if options.direct {
        direct::execute(&options, extent).await?
    } else {
        server::execute(&options, extent).await?
    };
    let told = if options.remote.json { report.json() } else { report.text(options.verbose) };
    output::say(told.trim_end_matches('\n'))?;
    if report.failures() > 0 {
        let failures = counted(report.failures(), "job");
        return Err(Exit::Failed(format!("{failures} could not be dealt with; run it again for what is left")));
    }
    if let Some(waiting) = report.waiting.filter(|waiting| waiting.refused > 0) {
        let jobs = counted(waiting.jobs, "job");
        return Err(Exit::Failed(format!(
            "the files of {jobs} are not removed yet, as the artifact store did not do it when it was asked; a server or \
             the next run removes them"
        )));
    }
    Ok(())
}

/// Asks whether exactly what was foreseen is to be done.
async fn confirm(foreseen: &Report, verbose: bool) -> Result<(), Exit> {
    eprint!("{}", foreseen.text(verbose));
    let is_wanted = asking::may_ask() && asking::ask("Do this?").await;
    if is_wanted { Ok(()) } else { Err(Exit::Refused("nothing was done; do it with --yes".to_owned())) }
}

/// A time as the report shows it.
pub fn time(at: DateTimeUtc) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
