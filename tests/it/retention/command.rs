//! `joblink retention --direct`: shows, asks, does, and says what it did.

use api::files::mark;
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use super::{ended, with_files};
use crate::migrations::program::{Ended, run_with};

tests::on_both!(
    a_command_shows_does_and_has_nothing_left_to_do,
    a_command_does_nothing_without_being_told_so,
    settings_come_from_flags_and_environment,
);

async fn site(engine: Engine) -> World {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    fill(&world).await;
    world
}

/// Three jobs, of which two are due.
pub async fn fill(world: &World) {
    mark::check(&world.app).await.unwrap();
    for (status, hours) in [("completed", 200), ("failed", 13), ("failed", 1)] {
        let job = ended(world, status, hours).await;
        with_files(world, &job, &["input", "log"]).await;
        world.linked_predictions(job.id, "manifest", 2).await;
    }
}

/// Runs `joblink retention` to its end.
pub async fn joblink(world: &World, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
    let artifacts = world.artifacts.to_str().unwrap();
    let all = [&["retention"], arguments].concat();
    let place = [("JOBLINK_ARTIFACTS", artifacts), ("JOBLINK_LOG", "warn")];
    run_with("joblink", &world.url, &all, &[&place, settings].concat()).await
}

/// What it did, as JSON.
pub fn summary(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

async fn a_command_shows_does_and_has_nothing_left_to_do(engine: Engine) {
    let world = site(engine).await;
    let mut shown = summary(&joblink(&world, &["preview", "--direct", "--json"], &[]).await);
    assert_eq!(shown["dryRun"], true);
    assert_eq!(world.count("SELECT count(*) FROM retention_runs").await, 0, "a preview writes nothing");
    let dry = summary(&joblink(&world, &["run", "--direct", "--dry-run", "--json"], &[]).await);
    assert_eq!(dry["items"], shown["items"]);
    let mut done = summary(&joblink(&world, &["run", "--direct", "--yes", "--json"], &[]).await);
    assert_eq!(done["dryRun"], false);
    for summary in [&mut shown, &mut done] {
        for key in ["start", "end", "dryRun"] {
            assert_ne!(summary[key].take(), Value::Null, "{key}");
        }
    }
    assert_eq!((shown["purgesPending"].take(), done["purgesPending"].take()), (Value::Null, json!(0)));
    assert_eq!(done, shown);
    assert_eq!((&done["recordsDeleted"], &done["recordsPreserved"]), (&json!(1), &json!(1)));
    assert_eq!(done["jobs"], json!({ "COMPLETED": { "CLEAN": 1 }, "FAILED": { "DELETE": 1 } }));
    assert_eq!((&done["predictionsDeleted"], &done["predictionsPreserved"]), (&json!(0), &json!(2)));
    assert_eq!(done["errors"], json!([]));
    assert_eq!(done["items"][1]["deleted"], json!({ "job": true, "artifacts": 2, "predictions": 0 }));
    assert_eq!(world.app.store.keys().await.unwrap().len(), 2, "those of the young job, others are purged");

    let again = joblink(&world, &["run", "--direct", "--yes"], &[]).await;
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("nothing is due"), "{again:?}");
}

async fn a_command_does_nothing_without_being_told_so(engine: Engine) {
    let world = site(engine).await;
    let asked = joblink(&world, &["run", "--direct"], &[]).await;
    assert_eq!(asked.code, 3, "{asked:?}");
    assert!(asked.err.contains("\nFAILED      DELETE           1\n"), "it shows what it would do: {asked:?}");
    assert!(asked.err.ends_with("joblink: nothing was done; do it with --yes\n"), "{asked:?}");
    assert!(asked.err.contains(&format!(", artifact store {}\n", world.artifacts.display())), "and where: {asked:?}");
    let wrong = joblink(&world, &["run", "--direct", "--retention-failed-after", "0d"], &[]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 3);
    assert_eq!(world.app.store.keys().await.unwrap().len(), 6);
}

/// What is named by mistake is not made.
#[tokio::test]
async fn a_command_makes_no_database_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (database, files) = (folder.path().join("none.db"), folder.path().join("files"));
    let url = format!("sqlite://{}?mode=rwc", database.display());
    let artifacts = [("JOBLINK_ARTIFACTS", files.to_str().unwrap())];
    for (what, path) in [("database", &database), ("artifact store", &files)] {
        let refused = run_with("joblink", &url, &["retention", "preview", "--direct"], &artifacts).await;
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.err.contains(&format!("there is no {what} at {}", path.display())), "{refused:?}");
        assert_eq!((database.exists(), files.exists()), (what == "artifact store", false));
        std::fs::write(&database, "").unwrap();
    }
    std::fs::create_dir(&files).unwrap();
    let refused = run_with("joblink", &url, &["retention", "run", "--direct", "--yes"], &artifacts).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("migrations; run `migration up` first"), "{refused:?}");
}

async fn settings_come_from_flags_and_environment(engine: Engine) {
    let world = site(engine).await;
    let settings = [
        ("JOBLINK_RETENTION_FAILED_AFTER", "30m"),
        ("JOBLINK_RETENTION_FAILED_DELETE_PREDICTIONS", "true"),
        ("JOBLINK_RETENTION_COMPLETED_KEEP_LOGS", "true"),
    ];
    let shown =
        joblink(&world, &["preview", "--direct", "--verbose", "--retention-completed-after", "never"], &settings).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    let lines = shown
        .out
        .lines()
        .filter(|line| line.ends_with("retention: FAILED jobs are deleted 30 minutes after their end"));
    assert_eq!(lines.count(), 2, "{shown:?}");
    assert!(shown.out.contains("predictions would be deleted: 4, kept without their job: 0"), "{shown:?}");
    let done = summary(&joblink(&world, &["run", "--direct", "--yes", "--json"], &settings).await);
    assert_eq!(done["jobs"], json!({ "COMPLETED": { "CLEAN": 1 }, "FAILED": { "DELETE": 2 } }));
    assert_eq!(world.count("SELECT count(*) FROM artifacts").await, 1, "the log of the completed job");
    assert_eq!(world.app.store.keys().await.unwrap().len(), 1);
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 2);
}
