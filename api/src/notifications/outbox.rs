//! The table of what is to be told: written with the event, delivered afterwards, again and again until the receiver takes it.

use std::time::Duration;

use chrono::TimeDelta;
use entity::{notification, stored::Channel};
use futures_util::future::join_all;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select,
    prelude::Uuid,
    sea_query::{LockType, OnConflict},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Undelivered, event::Event};
use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{WriteTransaction, locked_if_free, now, retrying},
    error::Error,
    queue::{self, Patience, Queue},
};

/// Deliveries at a time, of each channel.
const PLACES: usize = 4;
/// What a command takes upon itself: it passes over what is refused, but not for ever.
const PATIENCE: Patience = Patience { failures: PLACES, within: Duration::from_mins(1) };
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// How long what was delivered is kept, for who looks for it.
const KEPT: TimeDelta = TimeDelta::days(30);
/// How often to look for what was kept long enough.
const LOOK_FOR_OLD: Duration = Duration::from_hours(1);
/// The most rows of one statement that removes them.
const BATCH: u64 = 1000;

/// How long a delivery that was begun is left to whoever began it: longer than one takes.
const fn claimed_for(channel: Channel) -> Duration {
    match channel {
        Channel::Webhook => Duration::from_mins(1),
        Channel::Mail => Duration::from_mins(12),
    }
}

/// Writes an event for everybody who is told of it, in the transaction in which it happens.
pub async fn enqueue(app: &App, transaction: &WriteTransaction, event: &Event) -> Result<(), Error> {
    use notification::Column;
    for channel in app.notifications.channels_for(event.event) {
        let row = notification::Model {
            id: Uuid::now_v7(),
            channel: channel.as_stored().to_owned(),
            event: event.event.as_stored().to_owned(),
            target: event.target,
            body: event.body.to_string(),
            created_at: now(),
            due_at: now(),
            attempts: 0,
            last_error: None,
            delivered_at: None,
        };
        let told = OnConflict::columns([Column::Channel, Column::Event, Column::Target]).do_nothing().to_owned();
        let insert = notification::Entity::insert(row.into_active_model().reset_all()).on_conflict(told);
        insert.exec_without_returning(&**transaction).await?;
        let notifications = app.notifications.clone();
        transaction.after_commit(move || notifications.waits(channel).notify_one());
    }
    Ok(())
}

/// Delivers what is due, until `stop`.
pub async fn work(app: App, stop: CancellationToken) {
    warn_of_orphans(&app).await;
    let outgoing: Vec<_> = app
        .notifications
        .channels()
        .map(|channel| Outgoing { app: app.clone(), channel, stop: stop.clone() })
        .collect();
    tokio::join!(join_all(outgoing.iter().map(|queue| queue::work(queue, &stop))), forget(&app, &stop));
}

/// Delivers what is due, without a server, and answers whether all was taken; takes a minute at most for each channel.
pub async fn drain(app: &App) -> Result<bool, Error> {
    let each = app.notifications.channels().map(async |channel| {
        let outgoing = Outgoing { app: app.clone(), channel, stop: CancellationToken::new() };
        queue::drain(&outgoing, PATIENCE).await
    });
    let drained = join_all(each).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(drained.into_iter().all(|taken| taken))
}

/// What waits on a channel that is not set any more would wait for ever, unseen.
pub async fn warn_of_orphans(app: &App) {
    let used: Vec<_> = app.notifications.channels().collect();
    for channel in Channel::ALL.iter().filter(|channel| !used.contains(channel)).map(|channel| channel.as_stored()) {
        let orphans = notification::Entity::find()
            .filter(notification::Column::DeliveredAt.is_null())
            .filter(notification::Column::Channel.eq(channel));
        match orphans.count(app.db.reader()).await {
            Ok(0) => warn_of_silence(app, channel).await,
            Ok(count) => tracing::warn!(
                count,
                "notifications wait for a {channel} that is not set; set it, or delete them (DELETE FROM notifications \
                 WHERE delivered_at IS NULL AND channel = '{channel}')"
            ),
            Err(error) => tracing::warn!("cannot look for notifications: {error}"),
        }
    }
}

/// What this process does is told nobody, although others on the database tell.
async fn warn_of_silence(app: &App, channel: &str) {
    let others = notification::Entity::find().filter(notification::Column::Channel.eq(channel));
    if matches!(others.one(app.db.reader()).await, Ok(Some(_))) {
        tracing::warn!(
            "no {channel} is set, but others on this database have one: what is done here is not told by it"
        );
    }
}

#[derive(Clone)]
struct Outgoing {
    app: App,
    channel: Channel,
    stop: CancellationToken,
}

impl Queue for Outgoing {
    type Task = notification::Model;
    type Ended = Ended;

    const TASK: &'static str = "notification";

    fn id(notification: &notification::Model) -> Uuid {
        notification.id
    }

    fn places(&self) -> usize {
        PLACES
    }

    fn waits(&self) -> &Notify {
        self.app.notifications.waits(self.channel)
    }

    async fn claim(&self, others: &[Uuid], most: usize) -> Result<Vec<notification::Model>, Error> {
        if self.due(others, 1).one(self.app.db.reader()).await?.is_none() {
            return Ok(Vec::new());
        }
        retrying(|| async {
            let transaction = self.app.db.begin().await?;
            let next = locked_if_free(self.due(others, most), self.app.db.backend(), LockType::Update);
            let mut notifications = next.all(&*transaction).await?;
            for notification in &mut notifications {
                let mut row = notification.clone().into_active_model();
                row.attempts = Set(notification.attempts.saturating_add(1));
                row.due_at = Set(now() + claimed_for(self.channel));
                *notification = row.update(&*transaction).await?;
            }
            transaction.commit().await?;
            Ok(notifications)
        })
        .await
    }

    async fn carry_out(&self, notification: notification::Model) -> Result<Ended, Error> {
        let Self { app, channel, stop } = self;
        let delivered = tokio::select! {
            delivered = app.notifications.deliver(&notification, *channel) => delivered,
            // Nobody waits for a receiver; whether it has taken this one is not known, and it may see it twice.
            () = stop.cancelled() => Err(Undelivered("the server stopped meanwhile".to_owned())),
        };
        app.checkpoints.pass(Checkpoint::NotificationSent).await?;
        let outcome = if delivered.is_ok() { "delivered" } else { "failed" };
        app.metrics.notifications.get_or_create(&[("channel", channel.as_stored()), ("outcome", outcome)]).inc();
        let (id, event, attempts) = (notification.id, &notification.event, notification.attempts);
        let mut row = <notification::ActiveModel as Default>::default();
        match &delivered {
            Ok(()) => {
                tracing::info!(%id, event, attempts, "told by {}", channel.as_stored());
                row.delivered_at = Set(Some(now()));
                row.last_error = Set(None);
            }
            Err(why) => {
                let pause = queue::pause(attempts, LONGEST_PAUSE);
                tracing::warn!(%id, event, attempts, "not told by {}, next attempt in {pause:?}: {why}", channel.as_stored());
                row.due_at = Set(now() + pause);
                row.last_error = Set(Some(why.to_string()));
            }
        }
        Ok(Ended { id, attempts, is_delivered: delivered.is_ok(), row })
    }

    async fn write_down(&self, ended: Vec<Ended>) -> Result<Vec<bool>, Error> {
        retrying(|| async {
            let transaction = self.app.db.begin().await?;
            for Ended { id, attempts, row, .. } in &ended {
                // Nothing, where it was taken over meanwhile.
                notification::Entity::update_many()
                    .set(row.clone())
                    .filter(notification::Column::Id.eq(*id))
                    .filter(notification::Column::Attempts.eq(*attempts))
                    .exec(&*transaction)
                    .await?;
            }
            transaction.commit().await
        })
        .await?;
        Ok(ended.iter().map(|ended| ended.is_delivered).collect())
    }
}

/// A delivery that was tried.
#[derive(Clone, Debug)]
struct Ended {
    id: Uuid,
    attempts: i32,
    is_delivered: bool,
    /// What its row says from now on.
    row: notification::ActiveModel,
}

impl Outgoing {
    fn due(&self, others: &[Uuid], most: usize) -> Select<notification::Entity> {
        notification::Entity::find()
            .filter(notification::Column::Channel.eq(self.channel.as_stored()))
            .filter(notification::Column::DeliveredAt.is_null())
            .filter(notification::Column::DueAt.lte(now()))
            .filter(notification::Column::Id.is_not_in(others.iter().copied()))
            .order_by_asc(notification::Column::DueAt)
            .limit(most as u64)
    }
}

/// Removes what was delivered long ago, now and then.
async fn forget(app: &App, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match retrying(|| drop_some(app)).await {
            Ok(BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!("cannot remove old notifications: {error}"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_FOR_OLD) => {}
        }
    }
}

async fn drop_some(app: &App) -> Result<u64, Error> {
    let old = notification::Entity::find()
        .select_only()
        .column(notification::Column::Id)
        .filter(notification::Column::DeliveredAt.lt(now() - KEPT))
        .order_by_asc(notification::Column::DeliveredAt)
        .limit(BATCH);
    let old = locked_if_free(old, app.db.backend(), LockType::Update);
    let transaction = app.db.begin().await?;
    let dropped = notification::Entity::delete_many()
        .filter(notification::Column::Id.in_subquery(old.into_query()))
        .exec(&*transaction)
        .await?;
    transaction.commit().await?;
    Ok(dropped.rows_affected)
}
