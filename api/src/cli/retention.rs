//! `joblink retention`

use std::io::IsTerminal;

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use entity::{retention_item, retention_run, stored::RetentionTrigger};
use migration::counted::counted;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, prelude::DateTimeUtc};
use tokio_util::sync::CancellationToken;

use super::{Exit, place::Place, retention_report::Report, retention_settings::RetentionSettings};
use crate::{
    app::{App, Limits},
    audit::Actor,
    database::now,
    deletion::purge::{self, Waiting},
    retention::{
        due::{self, Item, Walk},
        run::{self, Outcome, Purges, Wanted},
    },
};

/// What can be done with the retention policy.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show exactly what a run would do now, and do nothing
    Preview(Box<Options>),
    /// Clean and delete the jobs whose time has come
    Run(Box<RunOptions>),
}

/// What `preview` takes.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Work on the database and the artifact store themselves, without a server
    #[arg(long)]
    direct: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Say of each job what happens to it and by which rule
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    settings: RetentionSettings,
}

/// What `run` takes.
#[derive(Debug, Args)]
pub struct RunOptions {
    #[command(flatten)]
    options: Options,
    /// Show what would be done, and do nothing, as `preview`
    #[arg(long)]
    dry_run: bool,
    /// Run without asking
    #[arg(long)]
    yes: bool,
}

/// Does it.
pub async fn execute(command: Command) -> Result<(), Exit> {
    let (options, dry_run, yes) = match command {
        Command::Preview(options) => (*options, true, false),
        Command::Run(run) => (run.options, run.dry_run, run.yes),
    };
    if !options.direct {
        let how =
            "say --direct to work on the database of --database-url without a server; a server is asked by its API";
        return Err(Exit::Refused(format!("this command has no server to ask: {how} (`runRetention`)")));
    }
    let mut app = options.place.open(&Limits::default(), chrono_tz::UTC).await?;
    options.settings.apply(&mut app);
    options.place.check_store(&app, false).await?;
    // What is confirmed is what is done: ages are measured at one moment.
    let at = now();
    let report = if dry_run {
        foresee(&app, at).await?
    } else {
        if !yes {
            confirm(&app, &options, at).await?;
        }
        carry_out(&app, at).await?
    };
    print!("{}", if options.json { report.json() } else { report.text(options.verbose) });
    let (failures, waiting) = (report.failures(), report.waiting);
    app.db.close().await.map_err(|error| Exit::failed("cannot close the database", error))?;
    if failures > 0 {
        return Err(Exit::Failed(format!("{failures} jobs could not be dealt with; run it again for them")));
    }
    if waiting.refused > 0 {
        let files = counted(waiting.jobs, "job");
        return Err(Exit::Failed(format!(
            "the files of {files} wait for the artifact store, which did not answer as it should; a server or the next run removes them"
        )));
    }
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> Exit {
    Exit::failed("cannot run the retention policy", error)
}

/// What a run at this moment would do.
async fn foresee(app: &App, at: DateTimeUtc) -> Result<Report, Exit> {
    let (policy, start) = (app.retention.policy, now());
    let (mut walk, mut items) = (Walk::new(policy, at), Vec::new());
    while let Some((_, jobs)) = walk.next(app.db.reader(), app.retention.batch_size).await.map_err(failed)? {
        items.extend(due::foresee(app.db.reader(), &policy, jobs).await.map_err(failed)?);
    }
    Ok(Report { start, end: now(), dry_run: true, policy, items, waiting: Waiting::default() })
}

async fn confirm(app: &App, options: &Options, at: DateTimeUtc) -> Result<(), Exit> {
    let refused = || Exit::Refused("nothing was done; do it with --yes".to_owned());
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    let foreseen = foresee(app, at).await?;
    eprint!("{}Do this? [y/N] ", foreseen.text(options.verbose));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|_| refused())?;
    if answer.trim().eq_ignore_ascii_case("y") { Ok(()) } else { Err(refused()) }
}

async fn carry_out(app: &App, at: DateTimeUtc) -> Result<Report, Exit> {
    let policy = app.retention.policy;
    let wanted = Wanted {
        trigger: RetentionTrigger::Command,
        by: Actor::default(),
        scheduled_for: None,
        policy,
        at,
        claimed: true,
    };
    let begun = run::begin(app, &wanted).await.map_err(failed)?;
    let run = begun.ok_or_else(|| failed("the run was not begun"))?;
    let id = run.id;
    let cut_off = |why: &str| {
        Exit::Failed(format!("the run {id} was cut off: {why}; what it had done is done, run it again for the rest"))
    };
    match run::carry_out(app, run, &CancellationToken::new(), Purges::Here).await {
        Ok(Outcome::Finished(run)) => report(app, *run).await,
        Ok(Outcome::Lost) => Err(cut_off("another process took it over")),
        Ok(Outcome::Stopped) => Err(cut_off("it was told to stop")),
        Err(error) => Err(cut_off(error.to_string().lines().next().unwrap_or_default())),
    }
}

async fn report(app: &App, run: retention_run::Model) -> Result<Report, Exit> {
    let items = retention_item::Entity::find()
        .filter(retention_item::Column::RunId.eq(run.id))
        .order_by_asc(retention_item::Column::Number)
        .all(app.db.reader())
        .await
        .map_err(failed)?;
    Ok(Report {
        start: run.started_at,
        end: run.finished_at.unwrap_or_else(now),
        dry_run: false,
        policy: app.retention.policy,
        items: items.into_iter().map(Item::from).collect(),
        waiting: purge::waiting(app.db.reader()).await.map_err(failed)?,
    })
}

/// A time as the report shows it.
pub fn time(at: DateTimeUtc) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
