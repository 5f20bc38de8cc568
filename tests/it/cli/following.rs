//! `watch`, and waiting for a job where no events come.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use api::{app::Limits, checkpoint::Checkpoint};
use serde_json::{Value, json};
use tests::{Engine, Gate, Setup, World};

use super::program::{jobs, of};
use crate::deletion::{delete, file};

tests::on_both!(a_job_is_watched_to_its_end, without_ids_everything_is_watched, without_events_the_job_is_asked_for,);

async fn a_job_is_watched_to_its_end(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::BatchBegins, 1);
    let world = World::with(engine, Setup { checkpoints, ..Setup::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(5)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    let mut watched = of(&world, &["watch", &id, "--json"]);
    let mut child = watched.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = tokio::task::block_in_place(&mut next);
    assert_eq!((&first["jobId"], &first["status"]), (&json!(id), &json!("RUNNING")));
    gate.open();
    let last = tokio::task::block_in_place(|| {
        loop {
            let line = next();
            if line["status"] != "RUNNING" {
                return line;
            }
        }
    });
    assert_eq!((&last["status"], &last["progress"]["succeeded"]), (&json!("COMPLETED"), &json!(5)));
    assert!(tokio::task::block_in_place(|| child.wait()).unwrap().success());

    delete(&world, &id, json!({})).await;
    let gone = jobs(&world, &["watch", &id]).await;
    assert!(gone.out.contains("DELETED"), "{gone:?}");
    assert_eq!(gone.sentence(1), "1 job did not complete");
    assert!(jobs(&world, &["watch", "nothing"]).await.sentence(1).starts_with("there is no job nothing"));
}

async fn without_ids_everything_is_watched(engine: Engine) {
    let world = World::new(engine).await;
    let mut watched = of(&world, &["watch"]);
    let mut child = watched.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(tokio::task::block_in_place(|| told.next()).unwrap().unwrap().starts_with("watching"));
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    delete(&world, &id, json!({})).await;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &String| line.contains("DELETED")) {
        seen.push(tokio::task::block_in_place(|| lines.next()).unwrap().unwrap());
    }
    assert!(seen.iter().all(|line| line.contains(&id)), "{seen:?}");
    assert!(seen.iter().any(|line| line.contains("a.csv")), "{seen:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

async fn without_events_the_job_is_asked_for(engine: Engine) {
    let limits = Limits { streams: 0, ..Limits::default() };
    let world = World::with(engine, Setup { limits, ..Setup::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, file(5)).unwrap();
    let sent = jobs(&world, &["upload", path.to_str().unwrap(), "--kind", "annual", "--wait"]).await.well();
    assert!(sent.err.contains("COMPLETED: 5 rows stored, 0 not stored"), "{sent:?}");
}
