//! The states of a job, and the strings that stand for them in the database.

use chrono::{DateTime, TimeZone, Utc};
use entity::{job, stored::Kind};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, sea_query::ExprTrait};

use crate::{app::App, database::now};

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Waits for a worker.
    Pending,
    /// A worker is at it.
    Running,
    /// Asked to stop.
    Cancelling,
    /// Done.
    Completed,
    /// Its file could not be read, or no row could be stored.
    Failed,
    /// Stopped.
    Cancelled,
}

/// Stored strings and what they mean; the first of a status is the one that Joblink writes.
const STORED: [(&str, JobStatus); 7] = [
    ("pending", JobStatus::Pending),
    ("queued", JobStatus::Pending),
    ("processing", JobStatus::Running),
    ("cancelling", JobStatus::Cancelling),
    ("completed", JobStatus::Completed),
    ("failed", JobStatus::Failed),
    ("cancelled", JobStatus::Cancelled),
];

impl JobStatus {
    /// The status of a job.
    ///
    /// A string that this version does not know counts as completed where the job has an end, else as running, so that
    /// only `force` deletes it.
    pub fn of(job: &job::Model) -> Self {
        let stored = job.status.as_deref().unwrap_or("pending");
        Self::known(stored).unwrap_or(if job.completed_at.is_some() { Self::Completed } else { Self::Running })
    }

    /// The status that a stored string stands for.
    pub fn known(stored: &str) -> Option<Self> {
        STORED.iter().find(|(text, _)| *text == stored).map(|(_, status)| *status)
    }

    /// The string that Joblink stores.
    pub fn as_stored(self) -> &'static str {
        STORED.iter().find(|(_, status)| *status == self).map_or("", |(text, _)| text)
    }

    /// Whether nothing more happens to the job by itself.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The jobs of this status, as [`Self::of`] reads it.
    pub fn condition(self) -> Condition {
        let status = job::Column::Status;
        let texts = STORED.iter().filter(|(_, known)| *known == self).map(|(text, _)| *text);
        let mut any = Condition::any().add(status.is_in(texts));
        let unknown = status.is_not_in(STORED.map(|(text, _)| text));
        match self {
            Self::Pending => any = any.add(status.is_null()),
            Self::Completed => any = any.add(unknown.and(job::Column::CompletedAt.is_not_null())),
            Self::Running => any = any.add(unknown.and(job::Column::CompletedAt.is_null())),
            Self::Cancelling | Self::Failed | Self::Cancelled => {}
        }
        any
    }
}

/// Marks the end of a job. Nobody's claim on it holds any longer.
pub fn end(row: &mut job::ActiveModel, status: JobStatus) {
    let at = Some(now().naive_utc());
    row.status = Set(Some(status.as_stored().to_owned()));
    row.completed_at = Set(at);
    row.updated_at = Set(at);
    row.lease_token = Set(None);
    row.lease_expires_at = Set(None);
}

/// The kind of a job. A string that this version does not know counts as annual: such a job has no linked rows.
pub fn kind(job: &job::Model) -> Kind {
    Kind::from_stored(&job.job_type).unwrap_or(Kind::Annual)
}

/// Whether Joblink created the job; else it is adopted, and no worker here may touch it.
pub fn is_own(job: &job::Model) -> bool {
    job.origin.as_deref() == Some(job::ORIGIN_JOBLINK)
}

/// When a job was created, in UTC. The database of an existing installation may have its clock in another zone.
pub fn created_at(app: &App, job: &job::Model) -> Option<DateTime<Utc>> {
    if is_own(job) {
        job.created_at.map(|time| time.and_utc())
    } else {
        job.created_at.and_then(|time| adopted_time(app, time))
    }
}

/// A time that an existing installation's database wrote by its own clock, in UTC.
pub fn adopted_time(app: &App, time: chrono::NaiveDateTime) -> Option<DateTime<Utc>> {
    // A time that a change of the clock skips is read as UTC rather than lost.
    let zoned = app.adopted_timezone.from_local_datetime(&time).earliest();
    Some(zoned.map_or_else(|| time.and_utc(), |zoned| zoned.to_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_back_from_what_is_stored() {
        for (_, status) in STORED {
            assert_eq!(JobStatus::known(status.as_stored()), Some(status));
        }
    }
}
