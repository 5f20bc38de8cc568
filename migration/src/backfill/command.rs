//! `migration backfill plan | run | status | undo`.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use clap::{Args, Subcommand, ValueEnum};
use sea_orm_migration::sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use super::{Pace, Report, Settings, plan, run, runs, undo};
use crate::{Error, copy, counted::counted, progress::Watch, say};

/// One to read, two to write, and one to show that it lives.
const CONNECTIONS: u32 = 4;

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show what `run` would do now; changes nothing
    Plan(Plan),
    /// Write the links that `plan` shows; goes on with a run that was interrupted
    Run(Run),
    /// Show the runs there were; changes nothing
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take back the links of a run that still stand as it made them
    Undo {
        /// The run's id, from `status`
        run: Uuid,
        /// Do not slow down while others use the database
        #[arg(long)]
        full_speed: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Evidence that is weak, and counts only where it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accept {
    /// Exactly one job was at work at the time, and nothing contradicts it
    TimeWindow,
}

/// What the decisions rest on, and where they are told.
#[derive(Args, Clone, Debug)]
pub struct Plan {
    /// A folder with the files that jobs read, each named by its job's id, ID.csv, or as it was uploaded
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,
    /// The artifact store that holds them, as for `joblink serve`: files at jobs/ID/input/
    #[arg(long, value_name = "DIR")]
    artifacts: Option<String>,
    /// Your own list: a CSV file with `job_id` and `prediction_id`, or `job_id`, `company_symbol`, `reporting_year` and,
    /// for quarters, `reporting_quarter`
    #[arg(long, value_name = "FILE.csv")]
    manifest: Option<PathBuf>,
    /// Weaker evidence to accept as well
    #[arg(long, value_enum)]
    accept: Vec<Accept>,
    /// After how long without progress a job counts as crashed: a number and m, h or d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = time)]
    stale_after: TimeDelta,
    /// Write what was decided, in total and job by job, as JSON
    #[arg(long, value_name = "FILE.json")]
    report: Option<PathBuf>,
    /// Write the predictions that stay without a link, each with the reason
    #[arg(long, value_name = "FILE.csv")]
    unresolved: Option<PathBuf>,
    /// Do not slow down while others use the database
    #[arg(long)]
    full_speed: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The same, and how fast.
#[derive(Args, Clone, Debug)]
pub struct Run {
    #[command(flatten)]
    plan: Plan,
    /// The most rows of one transaction
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch_size: u32,
    /// The most rows a second; as fast as the database takes them by default
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    max_rows_per_second: Option<u32>,
}

fn time(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("\"{text}\" is no time: give a number and m, h or d, such as 24h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    match unit {
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    }
    .filter(|time| *time <= TimeDelta::days(3650))
    .ok_or_else(wrong)
}

impl Plan {
    fn settings(&self) -> Settings {
        // Whole paths, so that a run that goes on from another folder is the same run.
        let whole =
            |path: &Option<PathBuf>| path.as_ref().map(|path| std::path::absolute(path).unwrap_or(path.clone()));
        Settings {
            sources: whole(&self.sources),
            artifacts: self.artifacts.as_ref().map(|location| match location.strip_prefix("file://") {
                Some(_) => location.clone(),
                None => std::path::absolute(location).map_or(location.clone(), |path| path.display().to_string()),
            }),
            manifest: whole(&self.manifest),
            accept_time_window: self.accept.contains(&Accept::TimeWindow),
            stale_after: self.stale_after,
            full_speed: self.full_speed,
            unresolved: self.unresolved.clone(),
            watch: Watch::person("prediction"),
        }
    }

    /// Tells what was decided: to the file that was asked for, and on standard output.
    fn tell(&self, report: &Report, head: &str, linked: &str, more: &[(&str, Value)]) -> Result<(), Error> {
        let mut told = report.json();
        for (key, value) in more {
            told[*key] = value.clone();
        }
        let told = format!("{told:#}");
        if let Some(path) = &self.report {
            write(path, &told)?;
        }
        if self.json {
            say(&format!("{told}\n"));
        } else {
            say(&format!("{head}{}", report.text(linked)));
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|error| Error::Failed(format!("{}: {error}", path.display())))
}

impl Command {
    /// What it destroys, for the question before it.
    pub const fn loss(&self) -> Option<&'static str> {
        match self {
            Self::Undo { .. } => Some("takes back every link that the run made and that still stands"),
            Self::Plan(_) | Self::Run(_) | Self::Status { .. } => None,
        }
    }

    /// Does it, on the database at `url`.
    pub async fn execute(&self, url: &str, schema: Option<&str>) -> Result<(), Error> {
        if let Self::Plan(options) | Self::Run(Run { plan: options, .. }) = self
            && let Some(path) = &options.report
        {
            // Before the work: it can take hours, and its report must not be lost then.
            let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
            opened.map_err(|error| Error::Failed(format!("cannot write {}: {}", path.display(), error.kind())))?;
        }
        let db = crate::connect_with(url, schema, crate::Access::Read, CONNECTIONS).await?;
        if !matches!(self, Self::Status { .. }) && copy::is_unfinished(&db).await? {
            return Err(Error::Refused(copy::UNFINISHED.to_owned()));
        }
        match self {
            Self::Plan(options) => {
                let report = plan(&db, &options.settings()).await?;
                options.tell(&report, "", "would be linked", &[])
            }
            Self::Run(options) => {
                let pace =
                    Pace { batch_size: options.batch_size as usize, max_rows_per_second: options.max_rows_per_second };
                let outcome = run(&db, &options.plan.settings(), pace).await?;
                let resumed = if outcome.resumed { ", resumed" } else { "" };
                let overtaken = match outcome.overtaken {
                    0 => String::new(),
                    rows => format!("changed or deleted meanwhile, so not linked: {rows}\n"),
                };
                let head = format!("run {}{resumed}\n{overtaken}", outcome.run);
                let more = [
                    ("run", json!(outcome.run)),
                    ("resumed", json!(outcome.resumed)),
                    ("overtaken", json!(outcome.overtaken)),
                ];
                options.plan.tell(&outcome.report, &head, "linked", &more)
            }
            Self::Status { json } => {
                let runs = runs(&db).await?;
                if *json {
                    say(&format!("{:#}\n", runs.iter().map(super::Run::json).collect::<Value>()));
                } else if runs.is_empty() {
                    say("no run yet\n");
                }
                for run in runs.iter().filter(|_| !json) {
                    let began = run.started_at.format("%F %T");
                    // What it comes to is counted at its end.
                    let counts = run.finished_at.map(|_| {
                        format!(": {} linked, {} left, {} taken back", run.linked, run.unresolved, run.undone)
                    });
                    let silent = run.silent_seconds.map(|seconds| format!(", last sign of life {seconds} s ago"));
                    let more = counts.or(silent).unwrap_or_default();
                    say(&format!("{} {}, began {began} UTC{more}\n", run.id, run.status));
                }
                Ok(())
            }
            Self::Undo { run, full_speed, json } => {
                let undone = undo(&db, *run, *full_speed).await?;
                if *json {
                    say(&format!("{}\n", json!({ "run": run, "undone": undone })));
                } else {
                    say(&format!("{} taken back\n", counted(undone, "link")));
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(time("90m"), Ok(TimeDelta::minutes(90)));
        assert_eq!(time("24h"), Ok(TimeDelta::hours(24)));
        assert_eq!(time("2d"), Ok(TimeDelta::days(2)));
        for text in ["", "h", "0h", "-1h", "24", "1w", "99999999999999999d", "1é"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
