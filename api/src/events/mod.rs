//! What happens to jobs, told to those who watch, whichever server process it happened in.
//!
//! A change writes a row of `job_events` in its own transaction ([`record()`]). In each process that has somebody who
//! watches, one reader ([`feed`]) reads new rows, once a second and whenever it is woken ([`news`]), and hands them to
//! all who watch ([`watch()`]); each of these passes on what its viewer may see. Rows are kept for an hour ([`trim`]).

mod feed;
mod news;
mod pace;
mod record;
pub mod trim;
mod watch;

use std::sync::Arc;

use entity::{job_event, stored::JobEventType};
use sea_orm::prelude::{DateTimeUtc, Uuid};

pub use record::record;
pub use watch::{Missed, Wanted, watch};

/// What a process knows of events besides the table.
#[derive(Clone, Debug, Default)]
pub struct Events {
    feed: Arc<feed::Feed>,
    news: Arc<news::News>,
    paces: Arc<pace::Paces>,
}

impl Events {
    /// How many watch in this process.
    pub async fn watchers(&self) -> usize {
        self.feed.watchers().await
    }
}

/// Something that happened to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub what: JobEventType,
    /// To which job.
    pub job: Uuid,
    /// The job's tenant; `None` = the personal space of its owner.
    pub organization: Option<Uuid>,
    /// The job's owner.
    pub owner: Uuid,
    /// When.
    pub at: DateTimeUtc,
}

impl Event {
    /// What a row says; `None`: a kind of event that this version does not know.
    fn read(row: &job_event::Model) -> Option<Self> {
        let what = JobEventType::from_stored(&row.event_type)?;
        Some(Self { what, job: row.job_id, organization: row.organization_id, owner: row.user_id, at: row.at })
    }
}
