//! The webhook: each deletion and each run once, signed, from the database.

use std::{collections::BTreeSet, time::Duration};

use api::{
    checkpoint::{Checkpoint, Checkpoints},
    database::now,
    error::Error,
    files::mark,
    notifications::{Notifications, webhook::Webhook},
    retention::{
        policy::Policy,
        run::{self, Outcome, Purges},
    },
};
use chrono::TimeDelta;
use sea_orm::prelude::{DateTimeUtc, Uuid};
use serde_json::json;
use tests::{Engine, Setup, World};
use tokio_util::sync::CancellationToken;

use super::{
    all_is_due, deliver,
    receiver::{Answer, Receiver, SECRET},
    undelivered,
};
use crate::{
    deletion::{DELETE, delete, variables},
    migrations::program::run_with,
    retention::{ended, run as run_here, wanted, with_files},
};

tests::on_both!(
    a_deletion_is_told_with_what_went,
    what_did_not_happen_is_not_told,
    a_receiver_that_is_slow_keeps_nobody,
    what_was_refused_is_told_again_and_is_the_same,
    a_delivery_that_nobody_wrote_down_is_repeated,
    a_run_is_told_at_its_end,
    a_run_that_fails_for_a_job_tells_which,
    a_run_that_is_cut_off_tells_so_once,
    a_run_that_was_told_to_stop_was_not_cut_off,
    a_command_that_is_stopped_tells_so,
    what_is_refused_keeps_no_other,
    a_server_that_stops_waits_for_no_receiver,
    many_at_once_are_each_told_once,
    a_run_without_a_server_tells_too,
);

/// A world that tells a receiver, by its own hand or the test's.
async fn telling(engine: Engine, receiver: &Receiver, setup: Setup) -> World {
    World::with(engine, Setup { notifications: receiver.notifications(), ..setup }).await
}

fn idle() -> Setup {
    Setup { idle: true, ..Setup::default() }
}

/// A deletion fails, or a run does, where this is passed.
fn failing_at(place: Checkpoint) -> Checkpoints {
    Checkpoints::hooked(move |at| {
        Box::pin(async move { if at == place { Err(Error::Injected("the test's place")) } else { Ok(()) } })
    })
}

async fn a_deletion_is_told_with_what_went(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let world = telling(engine, &receiver, Setup::default()).await;
    let job = ended(&world, "completed", 1).await;
    with_files(&world, &job, &["input", "log"]).await;
    world.linked_predictions(job.id, "manifest", 3).await;
    let deleted = delete(&world, &job.id.to_string(), json!({ "cascade": true })).await;
    let told = world.until(async || receiver.received().pop()).await;
    assert_eq!(told.headers["content-type"], "application/json");
    assert_eq!(told.body["type"], "job.deleted");
    let data = &told.body["data"];
    assert_eq!(data["jobId"], json!(job.id));
    assert_eq!(data["receiptId"], deleted["receipt"]["id"]);
    assert_eq!(data["jobStatus"], "COMPLETED");
    assert_eq!(data["trigger"], "REQUEST");
    for count in ["deletedAnnualPredictions", "deletedQuarterlyPredictions", "releasedPredictions"] {
        assert_eq!(data[count], deleted["receipt"][count], "{count}");
    }
    assert_eq!(data["deletedAnnualPredictions"], 3);
    assert_eq!(data["artifacts"], 2);
    assert_eq!(data.get("fileName"), None, "names are of people");
    world.until(async || (undelivered(&world).await == 0).then_some(())).await;
    assert_eq!(receiver.received().len(), 1);
    world.check_invariants().await;
}

async fn what_did_not_happen_is_not_told(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let checkpoints = failing_at(Checkpoint::DeletionBeforeCommit);
    let world = telling(engine, &receiver, Setup { checkpoints, ..idle() }).await;
    let job = ended(&world, "completed", 1).await;
    let failed = world.answer(DELETE, variables(&job.id.to_string(), json!({}))).await;
    assert_eq!(failed["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR", "{failed}");
    assert!(deliver(&world.app).await);
    assert_eq!((receiver.received().len(), world.count("SELECT count(*) FROM notifications").await), (0, 0));
}

async fn a_receiver_that_is_slow_keeps_nobody(engine: Engine) {
    let receiver = Receiver::new(&[Answer::Late; 6]).await;
    let world = telling(engine, &receiver, Setup::default()).await;
    for _ in 0..6 {
        let job = ended(&world, "failed", 1).await;
        // Answered although nobody has taken a single notification.
        let deleted = delete(&world, &job.id.to_string(), json!({})).await;
        assert_eq!(deleted["deletedJobId"], json!(job.id));
    }
    assert_eq!(undelivered(&world).await, 6);
    for _ in 0..6 {
        receiver.answer_late();
    }
    world.until(async || (undelivered(&world).await == 0).then_some(())).await;
    assert_eq!(receiver.received().len(), 6);
}

async fn what_was_refused_is_told_again_and_is_the_same(engine: Engine) {
    let receiver = Receiver::new(&[Answer::Status(500), Answer::Redirect]).await;
    let world = telling(engine, &receiver, idle()).await;
    let job = ended(&world, "failed", 1).await;
    delete(&world, &job.id.to_string(), json!({})).await;
    let why = "SELECT last_error FROM notifications";
    for refusal in ["500 Internal Server Error", "307 Temporary Redirect"] {
        all_is_due(&world).await;
        let before = now();
        assert!(!deliver(&world.app).await);
        assert_eq!(world.one::<String>(why, []).await, format!("the receiver answered {refusal}"));
        let due: DateTimeUtc = world.one("SELECT due_at FROM notifications", []).await;
        assert!(due >= before + TimeDelta::seconds(2), "it is due again after a pause: {due}, {before}");
    }
    // Another process, after a while, with the same settings.
    let (url, artifacts) = (Some(world.url.clone()), Some(world.artifacts.clone()));
    let other = telling(engine, &receiver, Setup { url, artifacts, ..idle() }).await;
    all_is_due(&world).await;
    assert!(deliver(&other.app).await);
    assert_eq!(undelivered(&world).await, 0);
    let received = receiver.received();
    assert_eq!(received.len(), 3, "a redirect is not followed");
    assert!(received.iter().all(|each| (&each.id, &each.body) == (&received[0].id, &received[0].body)));
}

async fn a_delivery_that_nobody_wrote_down_is_repeated(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let checkpoints = failing_at(Checkpoint::NotificationSent);
    let dying = telling(engine, &receiver, Setup { checkpoints, ..idle() }).await;
    let job = ended(&dying, "failed", 1).await;
    delete(&dying, &job.id.to_string(), json!({})).await;
    assert!(!deliver(&dying.app).await);
    let (url, artifacts) = (Some(dying.url.clone()), Some(dying.artifacts.clone()));
    let other = telling(engine, &receiver, Setup { url, artifacts, ..idle() }).await;
    assert!(deliver(&other.app).await, "it is claimed, and nobody's for a while");
    assert_eq!(undelivered(&other).await, 1);
    all_is_due(&other).await;
    assert!(deliver(&other.app).await);
    assert_eq!(undelivered(&other).await, 0);
    let ids: Vec<_> = receiver.received().into_iter().map(|each| each.id).collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]), "the receiver can tell that it is the same");
}

async fn a_run_is_told_at_its_end(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let world = telling(engine, &receiver, idle()).await;
    let job = ended(&world, "failed", 20).await;
    let done = run_here(&world, Policy::default(), now()).await;
    deliver(&world.app).await;
    let told: Vec<_> = receiver.received().into_iter().map(|each| each.body).collect();
    let of = |what: &str| told.iter().find(|body| body["type"] == what).unwrap_or_else(|| panic!("{what}: {told:?}"));
    assert_eq!(told.len(), 2);
    assert_eq!(of("job.deleted")["data"]["trigger"], "RETENTION");
    assert_eq!(of("job.deleted")["data"]["jobId"], json!(job.id));
    let data = &of("retention_run.finished")["data"];
    assert_eq!((&data["runId"], &data["trigger"]), (&json!(done.id), &json!("COMMAND")));
    assert_eq!((&data["deleted"], &data["cleaned"], &data["failed"]), (&json!(1), &json!(0), &json!(0)));
    assert!(data["finishedAt"].is_string());
}

async fn a_run_that_fails_for_a_job_tells_which(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let checkpoints = failing_at(Checkpoint::RetentionJobBeforeCommit);
    let world = telling(engine, &receiver, Setup { checkpoints, ..idle() }).await;
    let job = ended(&world, "failed", 20).await;
    run_here(&world, Policy::default(), now()).await;
    deliver(&world.app).await;
    let told = receiver.received();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].body["type"], "retention_run.failed");
    let errors = told[0].body["data"]["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["jobId"], json!(job.id));
    assert!(errors[0]["error"].as_str().is_some_and(|why| why.ends_with('.') && !why.contains("inject")), "{errors:?}");
}

async fn a_run_that_is_cut_off_tells_so_once(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let world = telling(engine, &receiver, idle()).await;
    let begun = run::begin(&world.app, &wanted(Policy::default(), now())).await.unwrap().unwrap();
    for _ in 0..2 {
        // Its process was gone for longer than its claim lasts.
        world.run("UPDATE retention_runs SET lease_expires_at = started_at").await;
        assert_eq!(run::claim(&world.app).await.unwrap().unwrap().id, begun.id);
    }
    deliver(&world.app).await;
    let told = receiver.received();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].body["type"], "retention_run.interrupted");
    assert_eq!(told[0].body["data"]["runId"], json!(begun.id));
}

async fn a_run_that_was_told_to_stop_was_not_cut_off(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let world = telling(engine, &receiver, idle()).await;
    ended(&world, "failed", 20).await;
    let begun = run::begin(&world.app, &wanted(Policy::default(), now())).await.unwrap().unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = run::carry_out(&world.app, begun.clone(), &stop, Purges::Elsewhere).await.unwrap();
    assert!(matches!(stopped, Outcome::Stopped), "{stopped:?}");
    // Another server goes on at once.
    assert_eq!(run::claim(&world.app).await.unwrap().unwrap().id, begun.id);
    assert_eq!(world.count("SELECT count(*) FROM notifications").await, 0);
}

async fn a_command_that_is_stopped_tells_so(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let world = telling(engine, &receiver, idle()).await;
    ended(&world, "failed", 20).await;
    let begun = run::begin(&world.app, &wanted(Policy::default(), now())).await.unwrap().unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = run::carry_out(&world.app, begun.clone(), &stop, Purges::Here).await.unwrap();
    assert!(matches!(stopped, Outcome::Stopped), "{stopped:?}");
    assert!(run::claim(&world.app).await.unwrap().is_none(), "nobody goes on with it");
    deliver(&world.app).await;
    let told = receiver.received();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0].body["type"], &told[0].body["data"]["runId"]),
        (&json!("retention_run.interrupted"), &json!(begun.id))
    );
}

async fn what_is_refused_keeps_no_other(engine: Engine) {
    let receiver = Receiver::new(&[Answer::Status(400)]).await;
    let world = telling(engine, &receiver, idle()).await;
    for _ in 0..9 {
        let job = ended(&world, "failed", 1).await;
        delete(&world, &job.id.to_string(), json!({})).await;
    }
    assert!(!deliver(&world.app).await);
    assert_eq!((undelivered(&world).await, receiver.received().len()), (1, 9));
}

async fn a_server_that_stops_waits_for_no_receiver(engine: Engine) {
    let receiver = Receiver::new(&[Answer::Late]).await;
    let mut world = telling(engine, &receiver, Setup::default()).await;
    let job = ended(&world, "failed", 1).await;
    delete(&world, &job.id.to_string(), json!({})).await;
    world.until(async || receiver.received().pop()).await;
    // A receiver has longer than that.
    tokio::time::timeout(Duration::from_secs(10), world.stop()).await.unwrap();
    assert_eq!(undelivered(&world).await, 1);
    let (url, artifacts) = (Some(world.url.clone()), Some(world.artifacts.clone()));
    let other = telling(engine, &receiver, Setup { url, artifacts, ..idle() }).await;
    all_is_due(&other).await;
    assert!(deliver(&other.app).await);
}

async fn many_at_once_are_each_told_once(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let world = telling(engine, &receiver, idle()).await;
    let mut jobs: Vec<Uuid> = Vec::new();
    for _ in 0..30 {
        let job = ended(&world, "failed", 20).await;
        delete(&world, &job.id.to_string(), json!({})).await;
        jobs.push(job.id);
    }
    let (url, artifacts) = (Some(world.url.clone()), Some(world.artifacts.clone()));
    let other = telling(engine, &receiver, Setup { url, artifacts, ..idle() }).await;
    let (here, there) = tokio::join!(deliver(&world.app), deliver(&other.app));
    assert!(here && there);
    let mut told: Vec<Uuid> =
        receiver.received().iter().map(|each| each.body["data"]["jobId"].as_str().unwrap().parse().unwrap()).collect();
    told.sort_unstable();
    jobs.sort_unstable();
    assert_eq!(told, jobs);
}

async fn a_run_without_a_server_tells_too(engine: Engine) {
    let receiver = Receiver::new(&[]).await;
    let world = World::with(engine, idle()).await;
    mark::check(&world.app).await.unwrap();
    ended(&world, "failed", 20).await;
    let settings = [
        ("JOBLINK_ARTIFACTS", world.artifacts.to_str().unwrap()),
        ("JOBLINK_RETENTION_WEBHOOK_URL", &receiver.url()),
        ("JOBLINK_RETENTION_WEBHOOK_SECRET", SECRET),
    ];
    let done = run_with("joblink", &world.url, &["retention", "run", "--direct", "--yes"], &settings).await;
    assert_eq!(done.code, 0, "{done:?}");
    let told: BTreeSet<_> = receiver.received().iter().map(|each| each.body["type"].to_string()).collect();
    assert_eq!(told, BTreeSet::from(["\"job.deleted\"".to_owned(), "\"retention_run.finished\"".to_owned()]));
    assert!(!format!("{done:?}").contains(SECRET), "{done:?}");
}

/// While secrets are changed, old and new ones sign.
#[tokio::test]
async fn a_receiver_with_the_old_secret_takes_it_while_both_sign() {
    let receiver = Receiver::new(&[]).await;
    let newer = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let both = format!("{newer} {SECRET}");
    let notifications = Notifications::new(Some(Webhook::new(&receiver.url(), &both).unwrap()), None);
    let world = World::with(Engine::Sqlite, Setup { notifications, ..idle() }).await;
    let job = ended(&world, "failed", 1).await;
    delete(&world, &job.id.to_string(), json!({})).await;
    assert!(deliver(&world.app).await);
    assert_eq!(receiver.received()[0].headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
}
