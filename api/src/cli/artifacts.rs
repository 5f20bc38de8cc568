//! `joblink artifacts`

use std::{io::IsTerminal, time::Duration};

use clap::{Args, Subcommand};
use migration::counted::counted;
use serde_json::json;

use super::{Exit, place::Place};
use crate::{
    app::Limits,
    files::sweep::{self, Swept},
    retention::age,
};

/// What can be done with the files of all jobs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find and remove files that belong to no job
    Sweep(Sweep),
}

/// What `sweep` takes.
#[derive(Debug, Args)]
pub struct Sweep {
    #[command(flatten)]
    place: Place,
    /// Leave what is younger alone, because it may be about to be registered: 30s, 10m, 1h or 7d
    #[arg(long, default_value = "1h", value_name = "AGE", value_parser = age)]
    older_than: Duration,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove without asking
    #[arg(long)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn age(text: &str) -> Result<Duration, String> {
    age::parse(text).ok_or_else(|| age::HOW.to_owned())
}

/// Does it.
pub async fn execute(command: Command) -> Result<(), Exit> {
    let Command::Sweep(options) = command;
    let app = options.place.open(&Limits::default(), chrono_tz::UTC).await?;
    options.place.check_store(&app, false).await?;
    let failed = |error| Exit::failed("cannot sweep the artifact store", error);
    let found = sweep::sweep(&app, options.older_than, true).await.map_err(failed)?;
    if options.dry_run || found.keys.is_empty() {
        say(&options, &found, if options.dry_run { "would be removed" } else { "removed" });
    } else {
        if !options.yes {
            say(&options, &found, "would be removed");
            confirm()?;
        }
        say(&options, &sweep::sweep(&app, options.older_than, false).await.map_err(failed)?, "removed");
    }
    app.db.close().await.map_err(|error| Exit::failed("cannot close the database", error))
}

fn confirm() -> Result<(), Exit> {
    let refused = || Exit::Refused("nothing was removed; do it with --yes".to_owned());
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    eprint!("Remove these files? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|_| refused())?;
    if answer.trim().eq_ignore_ascii_case("y") { Ok(()) } else { Err(refused()) }
}

fn say(options: &Sweep, swept: &Swept, removed: &str) {
    if options.json {
        let told = json!({
            "removed": removed == "removed", "keys": swept.keys, "bytes": swept.bytes, "left": swept.left,
            "strangers": swept.strangers,
        });
        println!("{told:#}");
    } else {
        print!("{}", text(swept, removed));
    }
}

fn text(swept: &Swept, removed: &str) -> String {
    let mut lines = swept.keys.clone();
    let (files, bytes) = (counted(swept.keys.len(), "file"), counted(swept.bytes, "byte"));
    lines.push(format!("{removed}: {files} without a job, {bytes}"));
    if swept.left > 0 {
        let are = if swept.left == 1 { "is" } else { "are" };
        lines.push(format!("left: {} that {are} young or about to be purged", counted(swept.left, "file")));
    }
    lines.extend(swept.strangers.iter().map(|name| format!("not Joblink's, left alone: jobs/{name}")));
    lines.join("\n") + "\n"
}
