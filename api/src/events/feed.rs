//! Reads new events, once for all who watch in this process, and only while somebody does.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use entity::{job_event, stored::JobEventType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::{DateTimeUtc, Uuid},
};
use tokio::{
    sync::{
        Mutex,
        broadcast::{Receiver, Sender, WeakSender},
        watch,
    },
    time::MissedTickBehavior,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Event,
    news::{self, Look},
};
use crate::{app::App, database::now};

/// How many events wait for the slowest who watches before that one loses some.
const WAITING: usize = 1024;
/// How far each regular look goes back behind the last one.
///
/// Ids are made before the commit, so a row can appear behind others that were read long ago, and by the clocks of
/// several machines. Whatever becomes visible within this time of its id is found.
const OVERLAP: Duration = Duration::from_secs(30);
/// How far a look goes back that something new set off: what it misses the next regular one finds.
const RECENT: Duration = Duration::from_secs(5);
/// How long to wait for more when something is new, so that many changes at once are one look.
const GATHERING: Duration = Duration::from_millis(20);
/// The most rows of one query.
const PAGE: u64 = 1000;

/// An event on its way to those who watch.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What happened.
    pub event: Event,
    /// How many events other than progress were told so far, with this one: tells who lost some what they lost.
    pub weight: u64,
}

/// The one reader of a process, if there is one.
#[derive(Debug, Default)]
pub struct Feed {
    sender: Mutex<Option<WeakSender<Told>>>,
    weight: AtomicU64,
}

/// What one who watches holds.
#[derive(Debug)]
pub struct Seat {
    /// Everything that is committed from now on; closed where the reader failed.
    pub receiver: Receiver<Told>,
    /// [`Told::weight`] at most, before anything was received.
    pub weight: u64,
}

impl Feed {
    /// How many watch in this process.
    pub async fn watchers(&self) -> usize {
        let sender = self.sender.lock().await.as_ref().and_then(WeakSender::upgrade);
        sender.map_or(0, |sender| sender.receiver_count())
    }

    /// A place among those who receive from the reader, if there is one.
    fn seat(&self, sender: Option<&WeakSender<Told>>) -> Option<Seat> {
        let weight = self.weight.load(Ordering::SeqCst);
        let sender = sender?.upgrade()?;
        Some(Seat { receiver: sender.subscribe(), weight })
    }
}

/// Begins to receive; whatever is committed after this has answered will come.
pub async fn join(app: &App) -> Result<Seat, DbErr> {
    let feed = &app.events.feed;
    if let Some(seat) = feed.seat(feed.sender.lock().await.as_ref()) {
        return Ok(seat);
    }
    let woken = app.events.news.hear();
    // Before the lock: where the database is away, all who come wait for it at once, and not one after the other.
    let cursor = Cursor::begin(app.db.reader()).await?;
    let mut known = feed.sender.lock().await;
    // Another one may have been faster.
    if let Some(seat) = feed.seat(known.as_ref()) {
        return Ok(seat);
    }
    let weight = feed.weight.load(Ordering::SeqCst);
    let (sender, receiver) = tokio::sync::broadcast::channel(WAITING);
    *known = Some(sender.downgrade());
    tokio::spawn(read(app.clone(), sender, cursor, woken));
    Ok(Seat { receiver, weight })
}

/// Hands on what happens until nobody watches any more. The only holder of the sender: if it fails, all who watch see it.
async fn read(app: App, sender: Sender<Told>, mut cursor: Cursor, mut woken: watch::Receiver<()>) {
    let feed = &app.events.feed;
    let _listening = AbortOnDropHandle::new(tokio::spawn(news::listen(app.clone())));
    let mut looks = tokio::time::interval(app.limits.event_poll);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let look = tokio::select! {
            _ = looks.tick() => Look::Whole,
            _ = woken.changed() => {
                tokio::time::sleep(GATHERING).await;
                woken.mark_unchanged();
                app.events.news.take_look()
            }
            () = sender.closed() => {
                let mut known = feed.sender.lock().await;
                // Somebody may have come in between.
                if sender.receiver_count() == 0 {
                    *known = None;
                    return;
                }
                Look::Whole
            }
        };
        match cursor.next(app.db.reader(), look).await {
            Ok(events) => {
                for event in events {
                    let heavy = u64::from(event.what != JobEventType::Progress);
                    let weight = feed.weight.fetch_add(heavy, Ordering::SeqCst) + heavy;
                    // Nobody may be left to receive it.
                    _ = sender.send(Told { event, weight });
                }
            }
            // The next look goes as far back as this one would have.
            Err(error) => tracing::warn!("cannot look for events: {error}"),
        }
    }
}

/// How far the table was read.
#[derive(Debug)]
struct Cursor {
    /// When the last whole look that succeeded began, by the clock of this process: one elsewhere that is ahead moves
    /// nothing.
    looked: DateTimeUtc,
    /// What was seen of the time that the next look goes back.
    seen: HashSet<Uuid>,
}

impl Cursor {
    /// At the end of the table.
    async fn begin(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let mut cursor = Self { looked: now(), seen: HashSet::new() };
        cursor.next(db, Look::Whole).await?;
        Ok(cursor)
    }

    /// What was committed since the last look, in the order of the ids.
    async fn next(&mut self, db: &impl ConnectionTrait, look: Look) -> Result<Vec<Event>, DbErr> {
        let now = now();
        let from = match look {
            Look::Recent => now - RECENT,
            Look::Whole => self.looked - OVERLAP,
        };
        let rows = rows_after(db, first_id(from)).await?;
        let events = rows.iter().filter(|row| self.seen.insert(row.id)).filter_map(Event::read).collect();
        if look == Look::Whole {
            self.looked = now;
            let next = first_id(now - OVERLAP);
            self.seen.retain(|id| *id > next);
        }
        Ok(events)
    }
}

async fn rows_after(db: &impl ConnectionTrait, mut after: Uuid) -> Result<Vec<job_event::Model>, DbErr> {
    let mut rows = Vec::new();
    loop {
        let page = job_event::Entity::find()
            .filter(job_event::Column::Id.gt(after))
            .order_by_asc(job_event::Column::Id)
            .limit(PAGE)
            .all(db)
            .await?;
        let full = page.len() as u64 == PAGE;
        after = page.last().map_or(after, |row| row.id);
        rows.extend(page);
        if !full {
            return Ok(rows);
        }
    }
}

/// The first UUID v7 of a millisecond.
fn first_id(time: DateTimeUtc) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_time_come_after_its_first() {
        let before = now();
        let id = Uuid::now_v7();
        assert!(first_id(before) <= id);
        assert!(first_id(before + Duration::from_secs(5)) > id);
    }
}
