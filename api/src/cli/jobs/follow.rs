//! Follows a job to its end: live, by its events, and by asking now and then where events do not come.

use std::time::Duration;

use client::{
    Again, Error, Events, Server,
    operations::{FollowJob, JobEvents, JobStatus, follow_job, job_events},
};
use serde::Serialize;
use tokio::time::{Instant, interval_at, sleep};

use super::show;
use crate::cli::{Exit, signals};

/// How often a job is asked for while its events are listened to: a proxy on the way may hold them back.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How often, where there are none.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long a server may be away.
const PATIENCE: Duration = Duration::from_mins(2);

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The job.
    pub job_id: String,
    /// Its state; none where it is deleted.
    pub status: Option<JobStatus>,
    /// Whether it is deleted.
    pub deleted: bool,
    /// The name of its file.
    pub file_name: Option<String>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// Why it failed.
    pub error_message: Option<String>,
}

/// How far a job is, in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// In the file.
    pub total: Option<i64>,
    /// Read.
    pub processed: i64,
    /// Stored.
    pub succeeded: i64,
    /// Not stored.
    pub failed: i64,
}

impl Standing {
    /// Whether nothing more will happen to it but its deletion.
    pub fn is_end(&self) -> bool {
        let ended = [JobStatus::COMPLETED, JobStatus::FAILED, JobStatus::CANCELLED];
        self.deleted || self.status.as_ref().is_some_and(|status| ended.contains(status))
    }

    /// Whether it came to a good end.
    pub fn is_completed(&self) -> bool {
        !self.deleted && self.status == Some(JobStatus::COMPLETED)
    }

    fn deleted(job_id: String) -> Self {
        Self { job_id, status: None, deleted: true, file_name: None, progress: None, error_message: None }
    }

    /// What an event says.
    pub fn of_event(event: job_events::JobEventsJobEvents) -> Self {
        let Some(job) = event.job else { return Self::deleted(event.job_id) };
        let job_events::JobEventsJobEventsJobProgress { total, processed, succeeded, failed } = job.progress;
        Self {
            job_id: event.job_id,
            status: Some(job.status),
            deleted: false,
            file_name: Some(job.file_name),
            progress: Some(Progress { total, processed, succeeded, failed }),
            error_message: job.error_message,
        }
    }
}

/// Follows a job until it ends, and gives how it ended; `tell` is told each change.
pub async fn follow(server: &Server, id: &str, mut tell: impl FnMut(&Standing)) -> Result<Standing, Exit> {
    let mut last = None;
    let mut told = |standing: Standing| {
        if last.as_ref() != Some(&standing) {
            tell(&standing);
            last = Some(standing.clone());
        }
        standing.is_end().then_some(standing)
    };
    let mut heard = Instant::now();
    loop {
        match look(server, id).await {
            Ok(Some(standing)) => {
                heard = Instant::now();
                if let Some(end) = told(standing) {
                    return Ok(end);
                }
            }
            Ok(None) => return Err(show::missing(id)),
            Err(error) if !error.may_be_away() || heard.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => {}
        }
        if let Ok(events) = server.subscribe::<JobEvents>(job_events::Variables { id: Some(id.to_owned()) }).await
            && let Some(end) = listen(server, id, events, &mut told).await
        {
            return Ok(end);
        }
        sleep(ASK_EVERY).await;
    }
}

/// Waits for the end of jobs until Ctrl-C, which keeps none of them from going on.
pub async fn unless_interrupted<T>(waits: impl Future<Output = Result<T, Exit>>) -> Result<T, Exit> {
    let goes_on =
        "interrupted; the jobs go on at the server, and `joblink jobs watch` with their ids follows them again";
    signals::unless_interrupted(waits, || goes_on.to_owned()).await
}

/// Listens until the job ends, or nothing is heard any more.
async fn listen(
    server: &Server,
    id: &str,
    mut events: Events<JobEvents>,
    told: &mut impl FnMut(Standing) -> Option<Standing>,
) -> Option<Standing> {
    let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    loop {
        let standing = tokio::select! {
            event = events.next() => Standing::of_event(event.ok()??.job_events),
            _ = looks.tick() => look(server, id).await.ok()??,
        };
        if let Some(end) = told(standing) {
            return Some(end);
        }
    }
}

/// How a job stands; `None` if there is none that the caller may see.
async fn look(server: &Server, id: &str) -> Result<Option<Standing>, Error> {
    let data = server.ask::<FollowJob>(follow_job::Variables { id: id.to_owned() }, Again::Yes).await?;
    let Some(job) = data.job else {
        return Ok(data.deletion_receipt.map(|_| Standing::deleted(id.to_owned())));
    };
    let follow_job::FollowJobJobProgress { total, processed, succeeded, failed } = job.progress;
    Ok(Some(Standing {
        job_id: job.id,
        status: Some(job.status),
        deleted: false,
        file_name: Some(job.file_name),
        progress: Some(Progress { total, processed, succeeded, failed }),
        error_message: job.error_message,
    }))
}
