//! What one viewer is told.

use std::collections::VecDeque;

use entity::{job, stored::JobEventType};
use futures_util::Stream;
use sea_orm::{EntityTrait, QueryFilter, prelude::Uuid};
use tokio::sync::broadcast::error::RecvError;

use super::{
    Event,
    feed::{self, Seat},
};
use crate::{app::App, auth::Viewer, database::now, deletion::receipt, error::Error};

/// Of which jobs a viewer wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Of all that the viewer sees.
    All,
    /// Of one. Nothing is heard of one that is not there or not the viewer's to see.
    Job(Uuid),
    /// Of none: what was asked for is no id.
    Nothing,
}

/// Events were lost, because they came faster than they were taken or the reader failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Some events may be lost, because they came faster than they were taken; subscribe again.")]
pub struct Missed;

/// Tells what happens from now on. Of one job first how it stands; after its deletion no more.
///
/// Whatever is committed after this has answered is told, or [`Missed`] ends it.
pub async fn watch(
    app: &App,
    viewer: &Viewer,
    wanted: Wanted,
) -> Result<impl Stream<Item = Result<Event, Missed>> + use<>, Error> {
    // Received first and read then: what happens in between is told, at worst twice.
    let seat = feed::join(app).await?;
    let mut first = VecDeque::new();
    if let Wanted::Job(id) = wanted {
        first.extend(standing(app, viewer, id).await?);
    }
    let known = !first.is_empty();
    let watch = Watch { seat, viewer: viewer.clone(), wanted, known, first, lagged: false, over: false };
    Ok(futures_util::stream::unfold(watch, async |mut watch| Some((watch.next().await?, watch))))
}

/// How a job stands: an event of its status or, where the viewer may see its receipt, of its deletion.
async fn standing(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Event>, Error> {
    let db = app.db.reader();
    if let Some(job) = job::Entity::find_by_id(id).filter(viewer.sees_job()).one(db).await? {
        let (organization, owner) = (job.organization_id, job.user_id);
        return Ok(Some(Event { what: JobEventType::Status, job: id, organization, owner, at: now() }));
    }
    let Some(receipt) = receipt::find(db, viewer, id).await? else { return Ok(None) };
    Ok(Some(Event {
        what: JobEventType::Deleted,
        job: id,
        organization: receipt.row.organization_id,
        owner: receipt.row.job_created_by,
        at: receipt.row.deleted_at,
    }))
}

struct Watch {
    seat: Seat,
    viewer: Viewer,
    wanted: Wanted,
    /// The viewer was told of the job how it stands, so its creation is no news.
    known: bool,
    first: VecDeque<Event>,
    /// Events were lost since the last one.
    lagged: bool,
    over: bool,
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Event, Missed>> {
        if self.over {
            return None;
        }
        let next = match self.first.pop_front() {
            Some(event) => Ok(event),
            None => self.receive().await,
        };
        self.over = match next {
            Ok(event) => event.what == JobEventType::Deleted && self.wanted != Wanted::All,
            Err(Missed) => true,
        };
        Some(next)
    }

    async fn receive(&mut self) -> Result<Event, Missed> {
        loop {
            match self.seat.receiver.recv().await {
                Ok(told) => {
                    let heavy = u64::from(told.event.what != JobEventType::Progress);
                    // Lost progress is no harm: the next event shows the job as it stands then.
                    if std::mem::take(&mut self.lagged) && told.weight.saturating_sub(heavy) > self.seat.weight {
                        return Err(Missed);
                    }
                    self.seat.weight = told.weight;
                    if self.is_wanted(&told.event) {
                        return Ok(told.event);
                    }
                }
                // The next one tells whether only progress was lost.
                Err(RecvError::Lagged(_)) => self.lagged = true,
                Err(RecvError::Closed) => return Err(Missed),
            }
        }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        let asked = match self.wanted {
            Wanted::All => true,
            Wanted::Job(id) => event.job == id && !(self.known && event.what == JobEventType::Created),
            Wanted::Nothing => false,
        };
        asked && self.viewer.sees_row(event.organization, event.owner)
    }
}
