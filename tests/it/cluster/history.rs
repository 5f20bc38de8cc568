//! What compares the clients' history with the database sees what is missing.

use serde_json::json;
use tests::{
    Engine, Setup, World,
    history::{Fault, Told, faults},
};

use crate::deletion::{delete, file};

tests::on_both!(a_loss_and_a_tear_are_seen, a_prediction_that_was_released_and_is_gone_is_seen);

async fn a_loss_and_a_tear_are_seen(engine: Engine) {
    let mut world = World::with(engine, Setup::default()).await;
    let kept = world.upload("ANNUAL", "kept.csv", file(5)).await;
    let gone = world.upload("ANNUAL", "gone.csv", file(60).replace("\nS", "\nT")).await;
    let payload = delete(&world, &gone, json!({ "cascade": true })).await;
    world.purged().await;
    world.stop().await;
    let id = |text: &str| text.parse().unwrap();
    let told = [
        Told::Created { job: id(&kept), rows: 5 },
        Told::Created { job: id(&gone), rows: 60 },
        deleted(&gone, &payload),
    ];
    assert!(matches!(told[2], Told::Deleted { predictions: 60, released: 0, .. }), "{told:?}");
    let db = world.app.db.reader();
    assert_eq!(faults(&told, db).await, []);

    // A creation, a cancellation and a deletion that nobody did.
    let nobodys = sea_orm::prelude::Uuid::now_v7();
    for lost in [
        Told::Created { job: nobodys, rows: 1 },
        Told::Cancelled { job: id(&kept) },
        Told::Deleted { job: id(&kept), receipt: nobodys, predictions: 5, released: 0 },
        Told::Deleted { job: id(&gone), receipt: nobodys, predictions: 60, released: 0 },
    ] {
        let more = [&told[..], std::slice::from_ref(&lost)].concat();
        assert_eq!(faults(&more, db).await, [Fault::Lost(lost)]);
    }

    // A receipt of a job that is there.
    world.run("UPDATE deletion_receipts SET job_id = (SELECT id FROM bulk_upload_jobs)").await;
    let found = faults(&told[..1], db).await;
    assert!(
        found.iter().any(|fault| matches!(fault, Fault::Torn { job: Some(job), .. } if *job == id(&kept))),
        "{found:?}"
    );

    // A prediction that was not stored with the rest; then a job that went without what it made.
    world.run("DELETE FROM deletion_receipts").await;
    world.run("DELETE FROM annual_predictions WHERE reporting_year = '1950'").await;
    let found = faults(&told[..1], db).await;
    assert!(matches!(&found[..], [Fault::Torn { job: Some(job), .. }] if *job == id(&kept)), "{found:?}");
    world.run("DELETE FROM bulk_upload_jobs").await;
    let found = faults(&told[..1], db).await;
    assert!(matches!(&found[..], [Fault::Lost(_), Fault::Torn { job: None, .. }]), "{found:?}");
}

async fn a_prediction_that_was_released_and_is_gone_is_seen(engine: Engine) {
    let mut world = World::with(engine, Setup::default()).await;
    let job = world.upload("ANNUAL", "a.csv", file(5)).await;
    let payload = delete(&world, &job, json!({ "cascade": false })).await;
    world.purged().await;
    world.stop().await;
    let told = [Told::Created { job: job.parse().unwrap(), rows: 5 }, deleted(&job, &payload)];
    assert!(matches!(told[1], Told::Deleted { predictions: 0, released: 5, .. }), "{told:?}");
    let db = world.app.db.reader();
    assert_eq!(faults(&told, db).await, []);

    world.run("DELETE FROM annual_predictions WHERE reporting_year = '1950'").await;
    let found = faults(&told, db).await;
    assert!(matches!(&found[..], [Fault::Torn { job: None, .. }]), "{found:?}");
    world.run("UPDATE deletion_receipts SET released = 4").await;
    let found = faults(&told, db).await;
    assert!(matches!(&found[..], [Fault::Lost(_), Fault::Torn { job: Some(_), .. }]), "{found:?}");
}

/// What a client was told that deleted a job.
fn deleted(job: &str, payload: &serde_json::Value) -> Told {
    Told::deleted(job.parse().unwrap(), &payload["receipt"])
}
