//! Whoever is too slow loses some of progress, or is told that more may be lost.

use std::time::Duration;

use api::{app::Limits, auth::Viewer, events::Wanted};
use entity::job_event;
use futures_util::StreamExt;
use sea_orm::prelude::Uuid;
use tests::{Engine, Setup, World};

use super::{at_hand, line, next, shown, told};

tests::on_both!(whoever_is_slow_loses_progress_alone_or_is_told);

/// As many events as wait for one who is slow.
const WAITING: usize = 1024;

async fn write(world: &World, job: Uuid, types: &[&str]) {
    let user = world.local_user().await;
    let rows = types.iter().map(|event_type| job_event::Model {
        id: Uuid::now_v7(),
        at: api::database::now(),
        event_type: (*event_type).to_owned(),
        job_id: job,
        organization_id: None,
        user_id: user,
    });
    let transaction = world.app.db.begin().await.unwrap();
    api::database::insert_rows::<job_event::Entity>(&*transaction, rows.collect()).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn whoever_is_slow_loses_progress_alone_or_is_told(engine: Engine) {
    let limits = Limits { event_poll: Duration::from_millis(10), ..Default::default() };
    let world = World::with(engine, Setup { limits, idle: true, ..Default::default() }).await;
    let (viewer, job, last) = (Viewer::local(), Uuid::now_v7(), Uuid::now_v7());
    let mut slow = told(&world, &viewer, Wanted::All).await;
    let mut of_last = told(&world, &viewer, Wanted::Job(last)).await;
    let mut progress = vec!["progress"; WAITING * 3];
    write(&world, job, &progress).await;
    write(&world, last, &["status"]).await;
    assert_eq!(next(&mut of_last).await, Some(line("status", last)), "of a job that is there alone");
    let heard: Vec<_> = at_hand(&mut slow).into_iter().map(shown).collect();
    assert_eq!(heard.len(), WAITING, "no more is kept for one who is slow");
    assert!(heard[..WAITING - 1].iter().all(|event| *event == line("progress", job)));
    assert_eq!(heard[WAITING - 1], line("status", last));

    // An event among them is not progress, whosever it is.
    progress[0] = "status";
    write(&world, job, &progress).await;
    write(&world, last, &["status"]).await;
    // Either the last one has come, or so many that this one was too slow too; then the other certainly was.
    let heard = next(&mut of_last).await;
    assert!(heard == Some(line("status", last)) || heard.is_some_and(|heard| heard.contains("may be lost")));
    let heard: Vec<_> = slow.by_ref().map(shown).collect().await;
    assert_eq!(heard, ["Some events may be lost, because they came faster than they were taken; subscribe again."]);
    drop(of_last);
    drop(slow);
    world.until(async || (world.app.events.watchers().await == 0).then_some(())).await;
}
