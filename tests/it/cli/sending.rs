//! `upload`, `cancel`, `retry`.

use api::checkpoint::Checkpoint;
use serde_json::json;
use tests::{Engine, Gate, Setup, World};

use super::program::jobs;
use crate::deletion::file;

tests::on_both!(
    a_file_is_sent_and_waited_for,
    an_upload_under_a_key_is_done_once,
    a_refused_file_says_why,
    a_job_is_cancelled_and_run_once_more,
);

/// A file in a folder, and its path.
fn saved(folder: &tempfile::TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn a_file_is_sent_and_waited_for(engine: Engine) {
    let world = World::new(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let path = saved(&folder, "Zahlen für 2020.csv", &file(250));
    let sent = jobs(&world, &["upload", &path, "--kind", "annual"]).await.well();
    let id = sent.out.trim();
    assert_eq!(world.ended(id).await, "completed");
    assert_eq!(world.file(id, "input").await, file(250));

    // The same rows again: none can be stored, so the job fails.
    let sent = jobs(&world, &["upload", &path, "--kind", "ANNUAL", "--wait"]).await;
    let id = sent.out.trim();
    let why = sent.sentence(1);
    assert!(why.starts_with(&format!("job {id} is FAILED")) && why.contains("joblink jobs show"), "{why}");

    let other = saved(&folder, "other.csv", &file(5).replace(",Q4,", ",Q3,").replace("\nS", "\nT"));
    let sent = jobs(&world, &["upload", &other, "--kind", "ANNUAL", "--wait", "--json"]).await.well();
    let end = sent.document();
    assert_eq!((&end["status"], &end["progress"]["succeeded"]), (&json!("COMPLETED"), &json!(5)));
    assert_eq!(
        world.count("SELECT count(*) FROM bulk_upload_jobs WHERE original_filename = 'Zahlen für 2020.csv'").await,
        2
    );
    world.check_invariants().await;
}

async fn an_upload_under_a_key_is_done_once(engine: Engine) {
    let world = World::new(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let path = saved(&folder, "a.csv", &file(5));
    let again = ["upload", &path, "--kind", "annual", "--idempotency-key", "march"];
    let first = jobs(&world, &again).await.well().out;
    assert_eq!(jobs(&world, &again).await.well().out, first);
    let other = saved(&folder, "b.csv", &file(6));
    let refused = jobs(&world, &["upload", &other, "--kind", "annual", "--idempotency-key", "march"]).await;
    assert!(refused.sentence(3).contains("another file"), "{refused:?}");
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
}

async fn a_refused_file_says_why(engine: Engine) {
    let world = World::new(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let path = saved(&folder, "a.csv", "not,a,table\n");
    let refused = jobs(&world, &["upload", &path, "--kind", "annual"]).await;
    assert!(refused.sentence(3).contains("company_symbol") && refused.out.is_empty(), "{refused:?}");
    let missing = jobs(&world, &["upload", &format!("{path}.gone"), "--kind", "annual"]).await;
    assert!(missing.sentence(1).contains("check that it is there"), "{missing:?}");
    let no_file = jobs(&world, &["upload", folder.path().to_str().unwrap(), "--kind", "annual"]).await;
    assert!(no_file.sentence(1).contains("it is no file"), "{no_file:?}");
    assert_eq!(jobs(&world, &["upload", &path]).await.code, 2);
}

async fn a_job_is_cancelled_and_run_once_more(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::BatchBegins, 1);
    let world = World::with(engine, Setup { checkpoints, ..Setup::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(5)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    let cancelled =
        jobs(&world, &["cancel", &id, "--reason", "wrong file", "--notes", "of May", "--json"]).await.well();
    let cancelled = cancelled.document();
    assert_eq!((&cancelled["status"], &cancelled["cancellation"]["notes"]), (&json!("CANCELLING"), &json!("of May")));
    gate.open();
    assert_eq!(world.ended(&id).await, "cancelled");
    jobs(&world, &["cancel", &id]).await.well();
    let shown = jobs(&world, &["show", &id]).await.well().out;
    assert!(shown.contains("wrong file; of May"), "{shown}");

    let again = jobs(&world, &["retry", &id]).await.well();
    assert_eq!(world.ended(again.out.trim()).await, "completed");
    let refused = jobs(&world, &["retry", again.out.trim()]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    let done = jobs(&world, &["cancel", again.out.trim()]).await;
    assert_eq!(done.sentence(3), "Job is already completed");
    for command in ["cancel", "retry"] {
        assert_eq!(jobs(&world, &[command, "no id"]).await.sentence(1), "Job not found");
    }
}
