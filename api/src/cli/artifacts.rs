//! `joblink artifacts`

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Exit, place::Place};
use crate::{
    app::Limits,
    files::sweep::{self, Swept},
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

/// Does it.
pub async fn execute(command: Command) -> Result<(), Exit> {
    let Command::Sweep(options) = command;
    let app = options.place.open(Limits::default(), chrono_tz::UTC).await?;
    options.place.check_store(&app).await?;
    let failed = |error| Exit::failed("cannot sweep the artifact store", error);
    if !(options.dry_run || options.yes) {
        let found = sweep::sweep(&app, true).await.map_err(failed)?;
        if !found.keys.is_empty() {
            print!("{}", text(&found, "would be removed"));
            return Err(Exit::Refused("nothing was removed; do it with --yes".to_owned()));
        }
    }
    let swept = sweep::sweep(&app, options.dry_run).await.map_err(failed)?;
    if options.json {
        let told = json!({
            "dryRun": options.dry_run, "keys": swept.keys, "bytes": swept.bytes, "left": swept.left,
            "strangers": swept.strangers,
        });
        println!("{told:#}");
    } else {
        print!("{}", text(&swept, if options.dry_run { "would be removed" } else { "removed" }));
    }
    app.db.close().await.map_err(|error| Exit::failed("cannot close the database", error))
}

fn text(swept: &Swept, removed: &str) -> String {
    let mut lines = swept.keys.clone();
    lines.push(format!("{removed}: {} files without a job, {} bytes", swept.keys.len(), swept.bytes));
    if swept.left > 0 {
        lines.push(format!("left: {} files that are young or about to be purged", swept.left));
    }
    lines.extend(swept.strangers.iter().map(|name| format!("not Joblink's, left alone: jobs/{name}")));
    lines.join("\n") + "\n"
}
