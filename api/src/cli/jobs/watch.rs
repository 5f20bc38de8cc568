//! `joblink jobs watch`

use std::time::Duration;

use chrono::Utc;
use clap::Args;
use client::{
    Server,
    operations::{JobEvents, job_events},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};

use super::{
    follow::{self, Standing},
    list::word,
};
use crate::cli::{
    Exit,
    output::{self, clean, or_dash},
    remote::Remote,
};

/// Jobs that are watched at a time, each by a stream of its own; servers let one user have some more.
const MOST: usize = 50;
/// How long a server may be away.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long until it is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// What `watch` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The jobs, watched until all of them have ended; without any, all jobs that you may see, until Ctrl-C. At most 50
    ids: Vec<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Watches them. It fails if one of those named did not complete.
pub async fn watch(arguments: &Arguments) -> Result<(), Exit> {
    let server = arguments.remote.server()?;
    let json = arguments.remote.json;
    if arguments.ids.is_empty() {
        return all(&server, json).await;
    }
    if arguments.ids.len() > MOST {
        return Err(Exit::Usage(format!("at most {MOST} jobs are watched at a time; without ids all are")));
    }
    let each = |id: &String| {
        let (server, id) = (server.clone(), id.clone());
        async move { follow::follow(&server, &id, |standing| show(standing, json)).await }
    };
    let each: Vec<_> = arguments.ids.iter().map(each).collect();
    let ends: Vec<_> = follow::unless_interrupted(stream::iter(each).buffer_unordered(MOST).try_collect()).await?;
    match ends.iter().filter(|end| !end.is_completed()).count() {
        0 => Ok(()),
        bad => Err(Exit::Failed(format!("{} did not complete", output::count(bad, "job")))),
    }
}

fn show(standing: &Standing, json: bool) {
    // Who does not read is not told; what happens to the job goes on.
    _ = if json { output::say_line(standing) } else { output::say(line(standing)) };
}

fn line(standing: &Standing) -> String {
    let now = Utc::now().format("%H:%M:%S");
    let status = match &standing.status {
        Some(status) => word(status),
        None => "DELETED".to_owned(),
    };
    let rows = standing.progress.map_or_else(String::new, |progress| {
        format!("  {}/{} rows, {} bad", progress.processed, or_dash(progress.total), progress.failed)
    });
    let file = standing.file_name.as_deref().map_or_else(String::new, |name| format!("  {}", output::name(name)));
    let why = standing.error_message.as_deref().map_or_else(String::new, |why| format!("  {}", clean(why)));
    format!("{now}  {}  {status:10}{rows}{file}{why}", clean(&standing.job_id))
}

/// Watches everything, for as long as there is a server.
async fn all(server: &Server, json: bool) -> Result<(), Exit> {
    let mut heard = Instant::now();
    let mut is_first = true;
    loop {
        let lost = match server.subscribe::<JobEvents>(job_events::Variables { id: None }).await {
            Err(error) => error,
            Ok(mut events) => {
                output::tell(if is_first {
                    "watching; Ctrl-C ends it"
                } else {
                    "watching again; what happened meanwhile is not shown"
                });
                is_first = false;
                loop {
                    match events.next().await {
                        Ok(Some(event)) => show(&Standing::of_event(event.job_events), json),
                        Ok(None) => return Ok(()),
                        Err(error) => {
                            heard = Instant::now();
                            break error;
                        }
                    }
                }
            }
        };
        if is_first || !lost.may_be_away() || heard.elapsed() > PATIENCE {
            return Err(lost.into());
        }
        sleep(PAUSE).await;
    }
}
