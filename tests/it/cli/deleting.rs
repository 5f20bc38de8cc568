//! `delete`: which jobs, what becomes of each, and how the program ends.

use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::program::{jobs, jobs_with, of, run_with};
use crate::deletion::file;

tests::on_both!(
    many_jobs_from_standard_input_go_in_pages,
    one_that_stays_does_not_keep_the_rest,
    without_a_terminal_nothing_goes_unasked,
    a_filter_selects,
    what_is_wrong_is_said_before_anything_is_done,
);

/// How many jobs there are.
pub async fn left(world: &World) -> i64 {
    world.count("SELECT count(*) FROM bulk_upload_jobs").await
}

async fn many_jobs_from_standard_input_go_in_pages(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let mut ids = Vec::new();
    for _ in 0..230 {
        let id = world.adopted_job(user, None, "annual", "completed").await;
        world.linked_predictions(id, "source_file", 2).await;
        ids.push(id.to_string());
    }
    let kept = world.adopted_job(user, None, "annual", "completed").await;
    // Line ends of all kinds, and one id twice.
    let input = format!("{}\r\n\n  {}", ids.join("\n"), ids[0].to_uppercase());
    let arguments = ["delete", "-", "--with-predictions", "--yes", "--reason", "cleaning up"];
    let done = jobs_with(&world, &arguments, &input).await.well();
    assert!(done.out.contains("Would go: 230 jobs, 0 files of 0 B; 460 predictions deleted"), "{done:?}");
    assert!(done.out.contains("Deleted: 230 jobs"), "{done:?}");
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 0);
    assert_eq!((left(&world).await, kept.to_string().len()), (1, 36));
    assert_eq!(world.count("SELECT count(*) FROM deletion_receipts WHERE reason = 'cleaning up'").await, 230);

    let again = jobs_with(&world, &["delete", "-", "--yes", "--json"], &input).await.well();
    let mut lines = again.lines();
    let summary = lines.pop().unwrap();
    assert_eq!((&summary["summary"]["alreadyDeleted"], &summary["summary"]["deleted"]), (&json!(230), &json!(0)));
    assert!(lines.len() == 230 && lines.iter().all(|line| line["outcome"] == "already_deleted"), "{lines:?}");
    assert!(lines.iter().all(|line| line["receipt"]["deletedAnnualPredictions"] == 2), "{lines:?}");
    world.check_invariants().await;
}

async fn one_that_stays_does_not_keep_the_rest(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Setup::default() }).await;
    let people = people(&world).await;
    let carla = &people.carla;
    let made = async |status: &str| world.adopted_job(carla.id, carla.organization, "annual", status).await.to_string();
    let (good, held, running) = (made("completed").await, made("completed").await, made("processing").await);
    let hold = "mutation($id: ID!) { holdJob(id: $id, reason: \"the audit\") { userErrors { code } } }";
    world.data_to(&carla.token, hold, json!({ "id": held })).await;
    let delete = async |arguments: &[&str]| {
        let mut command = of(&world, &["delete", "--yes", "--json"]);
        command.args(arguments).env("JOBLINK_TOKEN", &carla.token);
        run_with(command, "").await
    };
    let outcome = |lines: &[Value], id: &str| {
        let line = lines.iter().find(|line| line["jobId"] == id).unwrap_or_else(|| panic!("{id}: {lines:?}"));
        (line["outcome"].as_str().unwrap().to_owned(), line["error"]["code"].as_str().unwrap_or_default().to_owned())
    };

    let ended = delete(&[&good, &held, &running]).await;
    assert_eq!(ended.sentence(3), "2 jobs not deleted: 2 refused");
    let lines = ended.lines();
    assert_eq!(outcome(&lines, &good).0, "deleted");
    assert_eq!(outcome(&lines, &held), ("refused".to_owned(), "JOB_ON_HOLD".to_owned()));
    assert_eq!(outcome(&lines, &running), ("refused".to_owned(), "JOB_IN_PROGRESS".to_owned()));

    let ended = delete(&[&good, &held, "nothing"]).await;
    assert_eq!(ended.sentence(1), "2 jobs not deleted: 1 not there, 1 refused");
    assert_eq!(outcome(&ended.lines(), "nothing"), ("not_found".to_owned(), "JOB_NOT_FOUND".to_owned()));
    delete(&[&good, "nothing", "--ignore-missing"]).await.well();
    assert_eq!(outcome(&delete(&[&running, "--force"]).await.well().lines(), &running).0, "deleted");
    assert_eq!(left(&world).await, 1);
}

async fn without_a_terminal_nothing_goes_unasked(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(3)).await;
    for input in ["", "y\n"] {
        let asked = jobs_with(&world, &["delete", &id], input).await;
        assert_eq!(asked.sentence(3), "nothing was deleted; do it with --yes");
        assert!(asked.out.contains("Would go: 1 job, 3 files"), "{asked:?}");
    }
    let asked = jobs(&world, &["delete", &id, "--json"]).await;
    assert_eq!((asked.code, &asked.lines()[0]["outcome"]), (3, &json!("would_delete")));
    jobs(&world, &["delete", &id, "--dry-run"]).await.well();
    assert_eq!(left(&world).await, 1);
    jobs(&world, &["delete", &id, "--yes"]).await.well();
    assert_eq!((left(&world).await, world.count("SELECT count(*) FROM annual_predictions").await), (0, 3));
    world.check_invariants().await;
}

async fn a_filter_selects(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    for (kind, status) in [("annual", "completed"), ("quarterly", "completed"), ("annual", "failed")] {
        for _ in 0..3 {
            world.adopted_job(user, None, kind, status).await;
        }
    }
    let nothing = jobs(&world, &["delete", "--finished-before", "1d", "--yes"]).await.well();
    assert!(nothing.err.contains("no job to delete"), "{nothing:?}");
    jobs(&world, &["delete", "--status", "completed", "--kind", "annual", "--limit", "2", "--yes"]).await.well();
    let rest = "SELECT count(*) FROM bulk_upload_jobs WHERE status = 'completed' AND job_type = 'annual'";
    assert_eq!((world.count(rest).await, left(&world).await), (1, 7));
    jobs(&world, &["delete", "--status", "failed", "--yes"]).await.well();
    assert_eq!(left(&world).await, 4);
    jobs(&world, &["delete", "--finished-after", "1h", "--yes"]).await.well();
    assert_eq!(left(&world).await, 0);
}

async fn what_is_wrong_is_said_before_anything_is_done(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let id = world.adopted_job(user, None, "annual", "completed").await.to_string();
    let long = "x".repeat(501);
    for arguments in [
        &["delete", "--yes"][..],
        &["delete", "--yes", "--limit", "5"],
        &["delete", &id, "--yes", "--limit", "5"],
        &["delete", &id, "--yes", "--status", "COMPLETED"],
        &["delete", &id, "-", "--yes"],
        &["delete", &id, "--yes", "--reason", &long],
        &["delete", &id, "--yes", "--archive", "/no such folder/a.tar.zst"],
        &["delete", "--status", "DONE", "--yes"],
    ] {
        let wrong = jobs(&world, arguments).await;
        assert_eq!((wrong.code, wrong.out.as_str()), (2, ""), "{arguments:?}: {wrong:?}");
    }
    assert_eq!(left(&world).await, 1);
}
