//! Runs by a schedule, with a clock that the test holds: each time has one run, whichever servers are there.

use api::{
    checkpoint::Checkpoint,
    retention::schedule::{self, Clock, Schedule},
};
use entity::retention_run;
use sea_orm::{EntityTrait, QueryOrder, prelude::DateTimeUtc};
use tests::{Engine, Gate, Setup, World};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::races::{beside, idle};

tests::on_both!(
    servers_begin_one_run_for_each_time,
    a_server_that_begins_a_moment_late_misses_no_time,
    a_time_at_which_the_database_fails_has_its_run_later,
    a_server_with_a_schedule_goes_by_it,
);

fn moment(text: &str) -> DateTimeUtc {
    text.parse().unwrap()
}

fn every_night() -> Schedule {
    "0 2 * * *".parse().unwrap()
}

/// A server that goes by a schedule: whoever waits at its gate learns that it has looked at the clock and waits for more.
async fn server(engine: Engine, other: Option<&World>) -> (World, Gate) {
    let (gate, checkpoints) = Gate::at(Checkpoint::ScheduleWaits, 1);
    gate.open();
    let setup = Setup { checkpoints, ..idle() };
    let world = match other {
        Some(other) => beside(other, setup).await,
        None => World::with(engine, setup).await,
    };
    (world, gate)
}

fn begin(world: &World, clock: &watch::Receiver<DateTimeUtc>, stop: &CancellationToken) -> JoinHandle<()> {
    tokio::spawn(schedule::work(world.app.clone(), every_night(), Clock::Held(clock.clone()), stop.clone()))
}

/// The times that have had their run.
async fn begun(world: &World) -> Vec<DateTimeUtc> {
    let runs = retention_run::Entity::find().order_by_asc(retention_run::Column::Id);
    let runs = runs.all(world.app.db.reader()).await.unwrap();
    assert!(runs.iter().all(|run| run.triggered_by == "schedule"));
    runs.into_iter().map(|run| run.scheduled_for.unwrap()).collect()
}

async fn servers_begin_one_run_for_each_time(engine: Engine) {
    let (first, mut at_first) = server(engine, None).await;
    let (second, mut at_second) = server(engine, Some(&first)).await;
    let (hand, clock) = watch::channel(moment("2026-01-01T23:00:00Z"));
    let stop = CancellationToken::new();
    let servers = [begin(&first, &clock, &stop), begin(&second, &clock, &stop)];
    at_first.wait().await;
    at_second.wait().await;
    assert_eq!(begun(&first).await, Vec::<DateTimeUtc>::new());
    let [second_night, third_night, sixth_night] =
        ["2026-01-02T02:00:00Z", "2026-01-03T02:00:00Z", "2026-01-06T02:00:00Z"].map(moment);
    for (time, nights) in [
        ("2026-01-02T01:59:59Z", vec![]),
        // As late as they may be.
        ("2026-01-02T02:01:00Z", vec![second_night]),
        ("2026-01-03T01:59:59Z", vec![second_night]),
        // They slept for days: that has one run.
        ("2026-01-05T12:00:00Z", vec![second_night, third_night]),
        ("2026-01-06T01:59:59Z", vec![second_night, third_night]),
        ("2026-01-06T02:01:00Z", vec![second_night, third_night, sixth_night]),
        // The clock was wrong, and is set back.
        ("2026-01-06T01:30:00Z", vec![second_night, third_night, sixth_night]),
        ("2026-01-06T02:02:00Z", vec![second_night, third_night, sixth_night]),
    ] {
        hand.send(moment(time)).unwrap();
        at_first.wait().await;
        at_second.wait().await;
        assert_eq!(begun(&first).await, nights, "at {time}");
    }
    stop.cancel();
    for server in servers {
        server.await.unwrap();
    }
}

async fn a_server_that_begins_a_moment_late_misses_no_time(engine: Engine) {
    let (world, mut gate) = server(engine, None).await;
    let night = moment("2026-01-02T02:00:00Z");
    // It was stopped and started again while it waited for its moment after the hour.
    for _ in 0..2 {
        let (hand, clock) = watch::channel(moment("2026-01-02T02:00:30Z"));
        let stop = CancellationToken::new();
        let running = begin(&world, &clock, &stop);
        gate.wait().await;
        hand.send(moment("2026-01-02T02:01:59Z")).unwrap();
        gate.wait().await;
        assert_eq!(begun(&world).await, [night]);
        stop.cancel();
        running.await.unwrap();
    }
}

async fn a_time_at_which_the_database_fails_has_its_run_later(engine: Engine) {
    let (world, mut gate) = server(engine, None).await;
    let (hand, clock) = watch::channel(moment("2026-01-02T01:59:00Z"));
    let stop = CancellationToken::new();
    let running = begin(&world, &clock, &stop);
    gate.wait().await;
    world.run("ALTER TABLE retention_runs RENAME TO away").await;
    hand.send(moment("2026-01-02T02:01:00Z")).unwrap();
    gate.wait().await;
    world.run("ALTER TABLE away RENAME TO retention_runs").await;
    hand.send(moment("2026-01-02T02:01:30Z")).unwrap();
    gate.wait().await;
    assert_eq!(begun(&world).await, [moment("2026-01-02T02:00:00Z")]);
    stop.cancel();
    running.await.unwrap();
}

async fn a_server_with_a_schedule_goes_by_it(engine: Engine) {
    let (mut world, mut gate) = server(engine, None).await;
    world.stop().await;
    world.app.retention.schedule = Some(every_night());
    world.serve_all(world.app.clone()).await;
    gate.wait().await;
    world.stop().await;
}
