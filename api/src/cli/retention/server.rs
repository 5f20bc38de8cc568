//! Retention by a running server: what it would do, page by page, and a run that is asked for and followed to its end.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use client::{
    Again, Error, Server,
    operations::{
        CountRetention, ErrorCode, FollowRetention, PreviewRetention, ReadRetention, RunRetention, count_retention,
        follow_retention::{self, FollowRetentionNode},
        preview_retention,
        read_retention::{self, ReadRetentionNode},
        run_retention,
    },
};
use sea_orm::prelude::DateTimeUtc;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Extent, Options, confirm,
    told::{self, Strange},
};
use crate::{
    cli::{Exit, output, progress::Progress, retention_report::Report, signals},
    database::now,
    retention::{
        due::Item,
        policy::{Changes, Policy, STATES},
    },
};

/// The most that a page holds.
const PAGE: i64 = 100;
/// How soon a run is looked at; each time after that it is waited half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest that is waited between looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a server may be away.
const PATIENCE: Duration = Duration::from_mins(2);

/// A run that is wanted: what was looked at before.
struct Wanted {
    policy: Policy,
    at: DateTimeUtc,
    jobs: usize,
}

/// How far a run has come that was asked for.
enum Asked {
    NotYet,
    Sent,
    Began(String),
}

/// Shows it or has it done.
pub async fn execute(options: &Options, extent: Extent) -> Result<Report, Exit> {
    let server = options.remote.server()?;
    let changes = options.given.changes(&options.settings.policy());
    if extent == Extent::Show {
        return Ok(preview(&server, &changes).await?.0);
    }
    if !options.remote.json {
        // Another server than the one that is meant may answer there.
        output::tell(format!("at {}:", output::clean(&server.name())));
    }
    let asked = Mutex::new(Asked::NotYet);
    signals::unless_interrupted(run(&server, options, extent, &changes, &asked), || interrupted(&asked)).await
}

fn interrupted(asked: &Mutex<Asked>) -> String {
    match &*asked.lock().unwrap_or_else(PoisonError::into_inner) {
        Asked::NotYet => "interrupted; nothing was done".to_owned(),
        Asked::Sent => "interrupted; a run may have begun at the server, which `retentionRuns` says there".to_owned(),
        Asked::Began(id) => format!("interrupted; the run {} goes on at the server", output::clean(id)),
    }
}

/// What a run would do now, and the moment at which.
async fn preview(server: &Server, changes: &Changes) -> Result<(Report, DateTimeUtc), Exit> {
    let start = now();
    let (mut items, mut after, mut at) = (Vec::new(), None, None);
    loop {
        let policy = Some(changes.into());
        let variables = preview_retention::Variables { policy, at: at.clone(), first: PAGE, after };
        let data = server.ask::<PreviewRetention>(variables, Again::Yes).await.map_err(failed)?;
        let page = data.retention_preview.ok_or_else(|| unsaid(server))?;
        for item in page.items.nodes {
            items.push(item.try_into().map_err(strange(server))?);
        }
        if page.items.page_info.has_next_page {
            // The pages that follow are about the same moment.
            (at, after) = (Some(page.at), page.items.page_info.end_cursor);
            continue;
        }
        // In the order in which a run goes about it.
        items.sort_by_key(|item: &Item| STATES.iter().position(|state| state.as_stored() == item.status));
        let policy = page.policy.try_into().map_err(strange(server))?;
        let report = Report { start, end: now(), dry_run: true, policy, items, waiting: None };
        return Ok((report, told::time(&page.at).map_err(strange(server))?));
    }
}

async fn run(
    server: &Server,
    options: &Options,
    extent: Extent,
    changes: &Changes,
    asked: &Mutex<Asked>,
) -> Result<Report, Exit> {
    let wanted = if extent == Extent::Ask {
        let (foreseen, at) = preview(server, changes).await?;
        confirm(&foreseen, options.verbose).await?;
        Wanted { policy: foreseen.policy, at, jobs: foreseen.items.len() }
    } else {
        count(server, changes).await?
    };
    let now_asked = |how: Asked| *asked.lock().unwrap_or_else(PoisonError::into_inner) = how;
    now_asked(Asked::Sent);
    let id = begin(server, &wanted).await?;
    now_asked(Asked::Began(id.clone()));
    let done = async {
        follow(server, &id, wanted.jobs).await?;
        read(server, &id).await
    };
    done.await.map_err(|exit| match exit {
        Exit::Failed(text) => {
            Exit::Failed(format!("{text}; the run {} was begun, and a server goes on with it", output::clean(&id)))
        }
        other => other,
    })
}

/// How much a run would do now.
async fn count(server: &Server, changes: &Changes) -> Result<Wanted, Exit> {
    let variables = count_retention::Variables { policy: Some(changes.into()) };
    let data = server.ask::<CountRetention>(variables, Again::Yes).await.map_err(failed)?;
    let counted = data.retention_preview.ok_or_else(|| unsaid(server))?;
    let policy = counted.policy.try_into().map_err(strange(server))?;
    let at = told::time(&counted.at).map_err(strange(server))?;
    Ok(Wanted { policy, at, jobs: usize::try_from(counted.clean + counted.delete).unwrap_or_default() })
}

/// Begins the run that was looked at: by the same rules and at the same moment. Each request begins one, so none is sent twice.
async fn begin(server: &Server, wanted: &Wanted) -> Result<String, Exit> {
    let (policy, at) = (Some((&Changes::from(wanted.policy)).into()), Some(super::time(wanted.at)));
    let variables = run_retention::Variables { policy, at };
    let data = server.ask::<RunRetention>(variables, Again::No).await.map_err(|error| match error {
        Error::Lost { .. } => {
            let text = output::clean(&error.to_string());
            Exit::Failed(format!("{text}: a run may have begun, and another one does no harm"))
        }
        other => failed(other),
    })?;
    let payload = data.run_retention.ok_or_else(|| unsaid(server))?;
    match (payload.run, payload.user_errors.into_iter().next()) {
        (Some(run), None) => Ok(run.id),
        (_, Some(error)) if error.code == ErrorCode::FORBIDDEN => Err(forbidden(&server.name(), &error.message)),
        (_, Some(error)) => Err(Exit::Refused(output::clean(error.message.trim_end_matches('.')))),
        (None, None) => Err(unsaid(server)),
    }
}

/// Waits until a run has ended; a server that is away for a while is waited for.
async fn follow(server: &Server, id: &str, jobs: usize) -> Result<(), Exit> {
    let progress = Progress::of(jobs, "jobs dealt with");
    let (mut pause, mut heard) = (FIRST_PAUSE, Instant::now());
    loop {
        let variables = follow_retention::Variables { id: id.to_owned() };
        let Ok(asked) = timeout(PATIENCE, server.ask::<FollowRetention>(variables, Again::Yes)).await else {
            return Err(Exit::Failed(format!("{} has not answered for {PATIENCE:?}", server.name())));
        };
        match asked {
            Ok(data) => {
                heard = Instant::now();
                let Some(FollowRetentionNode::RetentionRun(run)) = data.node else {
                    return Err(unsaid(server));
                };
                let done = u64::try_from(run.cleaned + run.deleted + run.failed).unwrap_or_default();
                progress.set(done, done.max(jobs as u64));
                if run.finished_at.is_some() {
                    return Ok(());
                }
            }
            Err(error) if !error.may_be_away() || heard.elapsed() > PATIENCE => return Err(failed(error)),
            Err(_) => {}
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 3 / 2);
    }
}

/// What a run has done.
async fn read(server: &Server, id: &str) -> Result<Report, Exit> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let variables = read_retention::Variables { id: id.to_owned(), first: PAGE, after };
        let data = server.ask::<ReadRetention>(variables, Again::Yes).await.map_err(failed)?;
        let Some(ReadRetentionNode::RetentionRun(run)) = data.node else {
            return Err(unsaid(server));
        };
        for item in run.items.nodes {
            items.push(item.try_into().map_err(strange(server))?);
        }
        if run.items.page_info.has_next_page {
            after = run.items.page_info.end_cursor;
            continue;
        }
        let policy = run.policy.try_into().map_err(strange(server))?;
        let time = |text: &str| told::time(text).map_err(strange(server));
        let end = run.finished_at.map_or_else(|| Ok(now()), |end| time(&end))?;
        return Ok(Report { start: time(&run.started_at)?, end, dry_run: false, policy, items, waiting: None });
    }
}

fn failed(error: Error) -> Exit {
    match &error {
        Error::Server { server, code, message, .. } if code == "FORBIDDEN" => forbidden(server, message),
        _ => error.into(),
    }
}

fn forbidden(server: &str, message: &str) -> Exit {
    let text = output::clean(&format!("{server} says: {}", message.trim_end_matches('.')));
    Exit::Refused(format!("{text}; give an operator's token with --token-file or in JOBLINK_TOKEN"))
}

fn unsaid(server: &Server) -> Exit {
    strange(server)(Strange("no answer to what was asked".to_owned()))
}

fn strange(server: &Server) -> impl Fn(Strange) -> Exit {
    |Strange(why)| Error::OtherVersion { server: server.name(), why }.into()
}
