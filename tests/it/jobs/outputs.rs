//! What a job leaves behind when it ends: a log to read, and results for each row.

use api::{
    app::Limits,
    checkpoint::{Checkpoint, Checkpoints},
};
use sea_orm::EntityTrait;
use serde_json::json;
use tests::{Engine, Gate, Setup, World};

use super::{cancel, job};
use crate::{
    deletion::{delete, file},
    upload::{ANNUAL, good_row, lines},
};

tests::on_both!(
    each_row_is_in_the_results_with_its_prediction_or_its_error,
    no_cell_of_the_results_is_a_formula,
    the_log_tells_what_happened,
    a_cancelled_job_has_results_of_what_it_did,
    a_worker_that_learns_of_the_cancellation_from_its_claim_ends_the_job_itself,
    a_file_that_ends_before_its_last_row_is_no_completed_job,
    a_job_that_cannot_be_read_has_a_log_alone,
    a_cancellation_while_results_are_written_counts,
    a_job_deleted_while_its_results_are_written_leaves_nothing,
    results_of_a_worker_that_died_are_replaced_by_those_of_the_next,
);

/// The cells of the rows of some results, without the header.
fn rows(results: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(results.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect()).collect()
}

/// The messages of a log, without their times.
fn messages(log: &str) -> Vec<String> {
    let at_its_time = |line: &str| {
        let (time, message) = line.split_once("  ").unwrap();
        assert!(time.ends_with('Z') && time.len() == 24, "{line}");
        message.to_owned()
    };
    log.lines().map(at_its_time).collect()
}

async fn each_row_is_in_the_results_with_its_prediction_or_its_error(engine: Engine) {
    let world = World::new(engine).await;
    let input = lines([
        good_row("A", 2001),
        good_row("A", 2001),
        good_row("B", 1),
        "C,only,three".to_owned(),
        good_row("A", 2002),
    ]);
    let id = world.upload("ANNUAL", "a.csv", input).await;
    let rows = rows(&world.file(&id, "results").await);
    let of = |cells: &[usize]| -> Vec<String> {
        rows.iter().map(|row| cells.iter().map(|cell| row[*cell].as_str()).collect::<Vec<_>>().join("|")).collect()
    };
    assert_eq!(
        of(&[0, 1, 3, 4, 6, 9, 10, 11]),
        [
            "2|A|2001|Q4|MEDIUM|||",
            "3|A|2001|Q4||DUPLICATE||A already has a prediction for Q4 2001.",
            "4|B|1|Q4||INVALID_VALUE|reporting_year|reporting_year is \"1\", which is not a year from 1900 to 2199.",
            "5|C||||MALFORMED||The row has 3 cells, the header 11.",
            "6|A|2002|Q4|MEDIUM|||",
        ]
    );
    // The scores and ids are those of the predictions.
    let stored = world
        .data("{ annualPredictions { nodes { id reportingYear probability confidence } } }", json!({}))
        .await["annualPredictions"]["nodes"]
        .take();
    for row in [&rows[0], &rows[4]] {
        let prediction = stored.as_array().unwrap().iter().find(|it| it["reportingYear"] == row[3]).unwrap();
        assert_eq!(prediction["id"], row[8]);
        for (cell, field) in [(5, "probability"), (7, "confidence")] {
            let [told, there] = [row[cell].parse::<f64>(), prediction[field].as_str().unwrap().parse()];
            assert_eq!(told, there, "{field}");
        }
    }
    world.check_invariants().await;
}

async fn no_cell_of_the_results_is_a_formula(engine: Engine) {
    let world = World::new(engine).await;
    let cells = ["=1+1", "+SUM(A1)", "-2", "@x"];
    let id = world.upload("ANNUAL", "a.csv", lines(cells.map(|cell| good_row(cell, 2001)))).await;
    let named = world.data("{ companies { nodes { symbol name } } }", json!({})).await["companies"]["nodes"].take();
    let mut symbols: Vec<_> = named.as_array().unwrap().iter().map(|it| it["symbol"].as_str().unwrap()).collect();
    symbols.sort_unstable();
    assert_eq!(symbols, ["+SUM(A1)", "-2", "=1+1", "@x"], "kept as data");
    let results = world.file(&id, "results").await;
    assert_eq!(
        rows(&results).iter().map(|row| row[1].as_str()).collect::<Vec<_>>(),
        ["'=1+1", "'+SUM(A1)", "'-2", "'@x"]
    );
}

async fn the_log_tells_what_happened(engine: Engine) {
    let limits = Limits { batch_rows: 2, ..Default::default() };
    let world = World::with(engine, Setup { limits, ..Default::default() }).await;
    let header = ANNUAL.replace("sector", "sector,note,\"Column with a\nline end\"");
    let row = |symbol: &str| good_row(symbol, 2001).replace("Industrials", "Industrials,x,y");
    let input = format!("{header}\n{}\n{}\n{}\n", row("A"), row("A"), row("B"));
    let id = world.upload("ANNUAL", "a.csv", input.clone()).await;
    let sha256 = job(&world, &id, "artifacts { sha256 }").await["artifacts"][0]["sha256"].take();
    let created = format!(
        "Job {id} created by Local user: 3 rows; file \"a.csv\", {} bytes, SHA-256 {}.",
        input.len(),
        sha256.as_str().unwrap()
    );
    assert_eq!(
        messages(&world.file(&id, "log").await),
        [
            created.as_str(),
            "A worker begins.",
            "Columns that are not read: \"note\", \"Column with a line end\".",
            "Rows 1 to 2: 1 stored, 1 with errors.",
            "Row 3: 1 stored, 0 with errors.",
            "Completed: 2 predictions stored, 1 row with errors.",
        ]
    );
    let files = job(&world, &id, "artifacts { kind name size sha256 }").await["artifacts"].take();
    let kinds: Vec<_> = files.as_array().unwrap().iter().map(|it| (it["kind"].clone(), it["name"].clone())).collect();
    assert!(
        kinds.contains(&(json!("LOG"), json!("job.log"))) && kinds.contains(&(json!("RESULTS"), json!("results.csv")))
    );
    assert_eq!(world.count("SELECT count(*) FROM job_log").await, 0, "the lines are in the file");
}

/// A world with a job of 60 rows whose worker is held before its third batch.
async fn held(engine: Engine) -> (World, Gate, String) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::BatchBegins, 3);
    let limits = Limits { batch_rows: 10, ..Default::default() };
    let world = World::with(engine, Setup { checkpoints, limits, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(60)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    (world, gate, id)
}

async fn a_cancelled_job_has_results_of_what_it_did(engine: Engine) {
    let (world, gate, id) = held(engine).await;
    let asked = json!({ "id": id, "reason": "wrong file", "notes": "two\nlines" });
    world.data(super::CANCEL, asked).await;
    gate.open();
    assert_eq!(world.ended(&id).await, "cancelled");
    assert_eq!(rows(&world.file(&id, "results").await).len(), 20);
    let log = messages(&world.file(&id, "log").await);
    assert_eq!(
        log[log.len() - 2..],
        [
            "Cancellation requested, reason: wrong file; notes: two lines.",
            "Cancelled: 20 predictions stored, 0 rows with errors. What was stored stays."
        ]
    );
    world.check_invariants().await;
}

async fn a_worker_that_learns_of_the_cancellation_from_its_claim_ends_the_job_itself(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::BatchBegins, 3);
    let limits = Limits { batch_rows: 10, lease: std::time::Duration::from_millis(600), ..Default::default() };
    let world = World::with(engine, Setup { checkpoints, limits, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(60)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    cancel(&world, &id).await;
    // The claim runs out, although its worker lives: three renewals saw that the job was cancelled.
    let left = async || {
        let job = entity::job::Entity::find().one(world.app.db.reader()).await.unwrap().unwrap();
        (job.lease_expires_at.unwrap() < chrono::Utc::now()).then_some(())
    };
    world.until(left).await;
    gate.open();
    assert_eq!(world.ended(&id).await, "cancelled");
    let log = messages(&world.file(&id, "log").await);
    assert!(log.last().unwrap().starts_with("Cancelled: 20 predictions stored"), "{log:?}");
    assert!(!log.iter().any(|line| line.contains("silent")), "{log:?}");
    world.check_invariants().await;
}

async fn a_file_that_ends_before_its_last_row_is_no_completed_job(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::JobClaimed, 1);
    let world = World::with(engine, Setup { checkpoints, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(30)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    let folder = world.artifacts.join("jobs").join(&id).join("input");
    let input = folder.read_dir().unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&input).unwrap();
    std::fs::write(&input, text.lines().take(21).collect::<Vec<_>>().join("\n")).unwrap();
    gate.open();
    assert_eq!(world.ended(&id).await, "failed");
    assert_eq!(
        job(&world, &id, "errorMessage progress { succeeded }").await,
        json!({ "errorMessage": "The file ended after 20 of its 30 rows; send it again.", "progress": { "succeeded": 20 } })
    );
}

async fn a_job_that_cannot_be_read_has_a_log_alone(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::JobClaimed, 1);
    let world = World::with(engine, Setup { checkpoints, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(3)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    std::fs::remove_dir_all(world.artifacts.join("jobs").join(&id).join("input")).unwrap();
    gate.open();
    assert_eq!(world.ended(&id).await, "failed");
    assert_eq!(world.file(&id, "results").await, "");
    let log = messages(&world.file(&id, "log").await);
    assert_eq!(log.last().unwrap(), "Failed: The input file is gone from the artifact store.");
}

/// A world whose worker has written the results of a job of 20 rows, and not ended it yet.
async fn held_at_the_end(engine: Engine) -> (World, Gate, String) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::OutputsWritten, 1);
    let limits = Limits { lease: std::time::Duration::from_secs(2), ..Default::default() };
    let world = World::with(engine, Setup { checkpoints, limits, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(20)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    (world, gate, id)
}

async fn a_cancellation_while_results_are_written_counts(engine: Engine) {
    let (world, gate, id) = held_at_the_end(engine).await;
    assert_eq!(cancel(&world, &id).await["job"]["status"], "CANCELLING");
    gate.open();
    assert_eq!(world.ended(&id).await, "cancelled");
    let log = messages(&world.file(&id, "log").await);
    assert!(log.last().unwrap().starts_with("Cancelled: 20 predictions stored"), "{log:?}");
    assert_eq!(world.app.store.keys().await.unwrap().len(), 3, "those written first are gone");
    world.check_invariants().await;
}

async fn a_job_deleted_while_its_results_are_written_leaves_nothing(engine: Engine) {
    let (mut world, gate, id) = held_at_the_end(engine).await;
    let payload = delete(&world, &id, json!({ "cascade": true, "force": true })).await;
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 20);
    // The purge has been there once before the worker goes on, and what is written later goes too.
    world.until(async || Some(()).filter(|()| world.artifacts.join("jobs").join(&id).read_dir().is_err())).await;
    let late = world.artifacts.join("jobs").join(&id).join("output");
    std::fs::create_dir_all(&late).unwrap();
    std::fs::write(late.join("late"), "of a worker that was killed").unwrap();
    gate.open();
    world.purged().await;
    world.stop().await;
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    world.check_invariants().await;
}

async fn results_of_a_worker_that_died_are_replaced_by_those_of_the_next(engine: Engine) {
    let (mut world, gate, id) = held_at_the_end(engine).await;
    world.run("UPDATE bulk_upload_jobs SET lease_token = NULL, lease_expires_at = NULL").await;
    let setup = Setup {
        url: Some(world.url.clone()),
        artifacts: Some(world.artifacts.clone()),
        checkpoints: Checkpoints::default(),
        ..Setup::default()
    };
    let next = World::with(engine, setup).await;
    assert_eq!(next.ended(&id).await, "completed");
    gate.open();
    // The first finds that the job is not its own any more, and takes its files away.
    world.stop().await;
    assert_eq!(next.app.store.keys().await.unwrap().len(), 3);
    next.check_invariants().await;
}
