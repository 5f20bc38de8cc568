//! `joblink jobs delete`: which jobs, what would go, whether that is wanted, and what became of each.

mod execute;
mod outcome;
mod preview;
mod select;

use std::{collections::HashSet, path::PathBuf};

use clap::Args;
use client::Server;

pub use self::preview::{Deletable, predictions};
use self::{
    outcome::{Outcome, Report},
    preview::Preview,
};
use super::{archive, filter::Filter};
use crate::{
    cli::{Exit, asking, output, remote::Remote, signals},
    deletion::execute::LONGEST_REASON,
};

/// What `delete` takes.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Arguments {
    /// The jobs; `-` reads their ids from standard input, with spaces or line ends between them
    ids: Vec<String>,
    /// Delete their predictions too; else those are kept and lose their link for good
    #[arg(long)]
    with_predictions: bool,
    /// Delete even jobs that are active, which cancels them
    #[arg(long)]
    force: bool,
    /// Why, for the receipts
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// First write the jobs, their predictions and their files into this archive (.tar.zst), which must not exist yet; the
    /// receipts name it and its SHA-256
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    /// Delete without asking
    #[arg(long)]
    yes: bool,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Take jobs that are not there for done
    #[arg(long)]
    ignore_missing: bool,
    #[command(flatten)]
    filter: Filter,
    /// Of those that a filter selects, the first to have ended; 0 for all
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    limit: usize,
    #[command(flatten)]
    remote: Remote,
}

/// Deletes them.
pub async fn delete(arguments: &Arguments) -> Result<(), Exit> {
    check(arguments)?;
    let server = arguments.remote.server()?;
    let ids = select::ids(&server, arguments).await?;
    if ids.is_empty() {
        output::tell("no job to delete");
        return Ok(());
    }
    let mut report = Report::new(arguments.remote.json, arguments.ignore_missing);
    let goes_on = "interrupted; what was asked of the server before, it does, and the same command goes on from there";
    signals::unless_interrupted(run(&server, arguments, ids, &mut report), || goes_on.to_owned()).await?;
    report.end()
}

fn check(arguments: &Arguments) -> Result<(), Exit> {
    if arguments.limit > 0 && !arguments.ids.is_empty() {
        return Err(Exit::Usage("--limit goes with a filter, such as --status FAILED, and not with ids".to_owned()));
    }
    let reason = arguments.archive.as_ref().map_or_else(String::new, |path| archive::named(path, &"0".repeat(64)));
    let reason = reason_for(arguments, (!reason.is_empty()).then_some(reason.as_str())).unwrap_or_default();
    if reason.chars().count() > LONGEST_REASON {
        return Err(Exit::Usage(format!(
            "a receipt's reason has at most {LONGEST_REASON} characters, with the archive's name and SHA-256; shorten --reason"
        )));
    }
    match &arguments.archive {
        Some(path) => archive::check(path),
        None => Ok(()),
    }
}

fn reason_for(arguments: &Arguments, archived: Option<&str>) -> Option<String> {
    match (&arguments.reason, archived) {
        (Some(reason), Some(archived)) => Some(format!("{reason}; {archived}")),
        (reason, archived) => reason.clone().or_else(|| archived.map(ToOwned::to_owned)),
    }
}

/// Shows, asks, and deletes; what has changed meanwhile is shown and asked for again.
async fn run(server: &Server, arguments: &Arguments, ids: Vec<String>, report: &mut Report) -> Result<(), Exit> {
    if !arguments.remote.json {
        // Another server than the one that is meant may answer there.
        output::tell(format!("at {}:", output::clean(&server.name())));
    }
    let mut preview = Preview::fetch(server, &ids, arguments.force).await?;
    loop {
        preview.settle(report)?;
        preview.show(arguments)?;
        if arguments.dry_run {
            return preview.say_lines(arguments);
        }
        if preview.deletable.is_empty() {
            return Ok(());
        }
        confirm(arguments, &preview).await?;
        let stale = act(server, arguments, &mut preview, report).await?;
        if stale.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = stale.iter().map(|(id, _)| id.clone()).collect();
        output::tell(format!(
            "{} changed since the preview and stayed as they are; now:",
            output::count(ids.len(), "job")
        ));
        preview = Preview::fetch(server, &ids, arguments.force).await?;
        // What is in the archive is what was; and nobody is there who could be asked.
        if arguments.yes || arguments.archive.is_some() || !asking::may_ask() {
            preview.show(arguments)?;
            for (id, message) in stale {
                report.add(&id, Outcome::Stale { message })?;
            }
            return Ok(());
        }
    }
}

/// Archives and deletes what was shown; gives the jobs that are not as they were shown any more, with what is said of it.
async fn act(
    server: &Server,
    arguments: &Arguments,
    preview: &mut Preview,
    report: &mut Report,
) -> Result<Vec<(String, String)>, Exit> {
    let mut stale = Vec::new();
    let mut archived = None;
    if let Some(path) = &arguments.archive {
        let written = archive::write(server, path, &preview.deletable).await?;
        let left_out: HashSet<_> = written.left_out.iter().map(|(id, _)| id.clone()).collect();
        preview.deletable.retain(|job| !left_out.contains(&job.job.id));
        for (id, why) in written.left_out {
            match why {
                archive::LeftOut::Changed(message) => stale.push((id, message)),
                archive::LeftOut::Failed(message) => report.add(&id, Outcome::failed("NOT_ARCHIVED", message))?,
            }
        }
        if let Some(sha256) = written.sha256 {
            output::tell(format!("archived in {}, SHA-256 {sha256}", output::clean(&path.display().to_string())));
            report.archived(path, &sha256);
            archived = Some(archive::named(path, &sha256));
        }
    }
    let wanted = execute::Wanted {
        delete_predictions: arguments.with_predictions,
        force: arguments.force,
        reason: reason_for(arguments, archived.as_deref()),
    };
    stale.extend(execute::execute(server, &wanted, &preview.deletable, report).await?);
    Ok(stale)
}

/// Asks whether exactly what was shown is to go.
async fn confirm(arguments: &Arguments, preview: &Preview) -> Result<(), Exit> {
    if arguments.yes {
        return Ok(());
    }
    preview.say_lines(arguments)?;
    let refused = || Exit::Refused("nothing was deleted; do it with --yes".to_owned());
    let question = format!("Delete {}?", output::count(preview.deletable.len(), "job"));
    if asking::may_ask() && asking::ask(&question).await { Ok(()) } else { Err(refused()) }
}
