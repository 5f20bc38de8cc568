//! Retention without a server: on the database and the artifact store themselves.

use entity::{retention_item, retention_run, stored::RetentionTrigger};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, prelude::DateTimeUtc};
use tokio_util::sync::CancellationToken;

use super::{Extent, Options, confirm};
use crate::{
    app::{App, Limits},
    audit::Actor,
    cli::{Exit, output, retention_report::Report, signals::until_told},
    database::now,
    deletion::purge,
    notifications::outbox,
    retention::{
        due::{self, Item, Walk},
        run::{self, Outcome, Purges, Wanted},
    },
};

/// Shows it or does it.
pub async fn execute(options: &Options, extent: Extent) -> Result<Report, Exit> {
    let notifications = options.notifications.notifications()?;
    let mut app = options.place.open_existing(&Limits::default(), chrono_tz::UTC).await?;
    output::tell(options.place.in_words());
    options.settings.apply(&mut app);
    app.notifications = notifications;
    options.place.check_store(&app, false).await?;
    // What is confirmed is what is done: ages are measured at one moment.
    let at = now();
    let report = if extent == Extent::Show {
        foresee(&app, at).await
    } else {
        if extent == Extent::Ask {
            confirm(&foresee(&app, at).await?, options.verbose).await?;
        }
        outbox::warn_of_orphans(&app).await;
        let outcome = carry_out(&app, at).await;
        tell(&app).await;
        outcome
    };
    // What was done is done, and is told.
    if let Err(error) = app.db.close().await {
        tracing::warn!("cannot close the database: {error}");
    }
    report
}

/// Delivers what is to be told; what is not taken waits for a server, or for the next run.
async fn tell(app: &App) {
    match outbox::drain(app).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!("notifications wait to be delivered by a server or the next run"),
        Err(error) => tracing::warn!("notifications wait to be delivered by a server or the next run: {error}"),
    }
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
    Ok(Report { start, end: now(), dry_run: true, policy, items, waiting: None })
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
    let stop = CancellationToken::new();
    let told = async {
        until_told().await;
        stop.cancel();
        until_told().await;
    };
    let outcome = tokio::select! {
        outcome = run::carry_out(app, run, &stop, Purges::Here) => outcome,
        () = told => return Err(cut_off("it was told to stop at once")),
    };
    match outcome {
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
        waiting: Some(purge::waiting(app.db.reader()).await.map_err(failed)?),
    })
}
