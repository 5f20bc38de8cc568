//! Events are kept for an hour.

use std::time::Duration;

use entity::job_event;
use sea_orm::prelude::Uuid;
use tests::{Engine, Setup, World};

tests::on_both!(what_is_older_than_an_hour_is_removed);

async fn what_is_older_than_an_hour_is_removed(engine: Engine) {
    let asleep = World::with(engine, Setup { asleep: true, ..Default::default() }).await;
    let ages = [(61, 2500), (59, 5), (0, 5)];
    let rows = ages.into_iter().flat_map(|(minutes, count)| (0..count).map(move |_| minutes)).map(|minutes| {
        job_event::Model {
            id: Uuid::now_v7(),
            at: api::database::now() - Duration::from_mins(minutes),
            event_type: "progress".to_owned(),
            job_id: Uuid::now_v7(),
            organization_id: None,
            user_id: Uuid::now_v7(),
        }
    });
    let db = asleep.app.db.reader();
    api::database::insert_rows::<job_event::Entity>(db, rows.collect()).await.unwrap();
    // Two servers at once, each as it starts.
    let setup = || Setup { url: Some(asleep.url.clone()), ..Default::default() };
    let (_first, _second) = tokio::join!(World::with(engine, setup()), World::with(engine, setup()));
    asleep.until(async || (asleep.count("SELECT count(*) FROM job_events").await == 10).then_some(())).await;
}
