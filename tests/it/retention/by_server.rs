//! `joblink retention` as client of a running server: the same answers as on the database itself, for operators, to the end.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use api::{
    checkpoint::{Checkpoint, Checkpoints},
    database::now,
    error::Error,
    files::mark,
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tests::{Engine, Gate, Setup, World, people};

use super::{change, command::fill, ended, with_files};
use crate::cli::{
    lost::Way,
    program::{Ended, command, run_with},
    terminal::Terminal,
};

tests::on_both!(
    a_server_answers_what_the_database_does,
    a_run_of_many_pages_is_told_whole,
    flags_of_the_command_line_alone_change_the_policy,
    flags_of_the_other_way_are_refused,
    who_is_no_operator_is_refused,
    a_job_that_fails_is_told,
    a_connection_that_is_lost_is_made_again,
    what_a_person_has_seen_is_done_and_no_more,
    a_person_can_leave_and_the_run_goes_on,
);

/// `joblink retention …` of this world's server.
fn of(world: &World, arguments: &[&str]) -> Command {
    let mut command = command(&["retention"]);
    command.args(arguments).env("JOBLINK_SERVER", world.base()).env("JOBLINK_LOG", "warn");
    command
}

async fn by_server(world: &World, arguments: &[&str]) -> Ended {
    run_with(of(world, arguments), "").await
}

async fn directly(world: &World, arguments: &[&str]) -> Ended {
    let mut command = of(world, arguments);
    command.arg("--direct").env("DATABASE_URL", &world.url).env("JOBLINK_ARTIFACTS", &world.artifacts);
    run_with(command, "").await
}

/// A summary without its times.
fn timeless(ended: Ended) -> Value {
    let mut told = ended.well().document();
    for key in ["start", "end"] {
        assert!(told[key].take().is_string(), "{key}: {told}");
    }
    told
}

async fn a_server_answers_what_the_database_does(engine: Engine) {
    let world = World::new(engine).await;
    fill(&world).await;
    let mut shown = timeless(by_server(&world, &["preview", "--json"]).await);
    assert_eq!(shown, timeless(directly(&world, &["preview", "--json"]).await));
    assert_eq!(shown, timeless(by_server(&world, &["run", "--dry-run", "--json"]).await));
    assert_eq!(shown["jobs"], json!({ "COMPLETED": { "CLEAN": 1 }, "FAILED": { "DELETE": 1 } }));
    for arguments in [&["preview"][..], &["preview", "--verbose"]] {
        assert_eq!(by_server(&world, arguments).await.well().out, directly(&world, arguments).await.well().out);
    }
    assert_eq!(world.count("SELECT count(*) FROM retention_runs").await, 0);

    let done = timeless(by_server(&world, &["run", "--yes", "--json"]).await);
    shown["dryRun"] = json!(false);
    assert_eq!(done, shown);
    let run = world.rows("SELECT triggered_by, deleted, cleaned FROM retention_runs").await;
    assert_eq!(run, [json!({ "triggered_by": "request", "deleted": 1, "cleaned": 1 })]);
    let again = by_server(&world, &["run", "--yes"]).await.well();
    assert!(again.out.contains("nothing is due"), "{again:?}");
    world.purged().await;
    world.check_invariants().await;
}

async fn a_run_of_many_pages_is_told_whole(engine: Engine) {
    let world = World::new(engine).await;
    mark::check(&world.app).await.unwrap();
    // Of both states at the same times: a list by time is in another order than a run.
    for hours in 0..115 {
        for status in ["completed", "failed"] {
            ended(&world, status, 200 + hours).await;
        }
    }
    let mut shown = timeless(by_server(&world, &["preview", "--json"]).await);
    assert_eq!(shown["items"].as_array().unwrap().len(), 230);
    assert_eq!(shown, timeless(directly(&world, &["preview", "--json"]).await));
    let done = timeless(by_server(&world, &["run", "--yes", "--json"]).await);
    shown["dryRun"] = json!(false);
    assert_eq!(done, shown);
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 115);
}

async fn flags_of_the_command_line_alone_change_the_policy(engine: Engine) {
    let world = World::new(engine).await;
    fill(&world).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("joblink.toml"),
        "retention-cancelled-after = \"2s\"\nartifacts = \"/nowhere\"\n",
    )
    .unwrap();
    let run = async |arguments: &[&str]| {
        let mut command = of(&world, arguments);
        let settings = [
            ("JOBLINK_RETENTION_COMPLETED_AFTER", "1s"),
            ("JOBLINK_RETENTION_INCLUDE_ADOPTED", "true"),
            ("JOBLINK_RETENTION_WORKERS", "7"),
            ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ];
        command.envs(settings).current_dir(folder.path());
        timeless(run_with(command, "").await)
    };
    let default = run(&["preview", "--json"]).await;
    let delete = json!({ "after": "12h", "action": "DELETE", "deletePredictions": false, "keepLogs": false });
    let clean = json!({ "after": "7d", "action": "CLEAN", "deletePredictions": false, "keepLogs": false });
    let policy = json!({ "completed": clean, "failed": delete, "cancelled": delete, "includeAdopted": false });
    assert_eq!(default["policy"], policy);

    let flags = [
        "--retention-completed-action=keep",
        "--retention-completed-keep-logs",
        "--retention-failed-after=30m",
        "--retention-failed-delete-predictions",
        "--retention-include-adopted",
    ];
    let mut wanted = policy;
    wanted["completed"]["action"] = json!("KEEP");
    wanted["completed"]["keepLogs"] = json!(true);
    wanted["failed"]["after"] = json!("30m");
    wanted["failed"]["deletePredictions"] = json!(true);
    wanted["includeAdopted"] = json!(true);
    let off = run(&["preview", "--json", "--retention-include-adopted=false"]).await;
    assert_eq!(off["policy"]["includeAdopted"], false);
    for way in [&["preview"][..], &["run", "--yes"]] {
        let told = run(&[way, &flags, &["--json"]].concat()).await;
        assert_eq!((&told["policy"], &told["jobs"]), (&wanted, &json!({ "FAILED": { "DELETE": 2 } })));
        assert_eq!(told["predictionsDeleted"], 4);
    }
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 2);
}

async fn flags_of_the_other_way_are_refused(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    fill(&world).await;
    for flag in ["--database-url=sqlite://x", "--artifacts=x", "--retention-workers=2", "--retention-batch-size=5"] {
        let refused = by_server(&world, &["preview", flag]).await;
        let name = flag.split('=').next().unwrap();
        assert!(refused.sentence(2).starts_with(&format!("{name} is for --direct alone")), "{refused:?}");
    }
    for flag in ["--server=http://127.0.0.1:1", "--token=x", "--token-file=/nowhere"] {
        let refused = directly(&world, &["preview", flag]).await;
        assert!(refused.sentence(2).contains("--direct asks none"), "{refused:?}");
    }
    let mut command =
        of(&world, &["preview", "--direct", "--retention-workers=2", "--retention-batch-size=1", "--json"]);
    command.env("DATABASE_URL", &world.url).env("JOBLINK_ARTIFACTS", &world.artifacts);
    command.env("JOBLINK_TOKEN", "x").env("JOBLINK_SERVER", "none at all");
    assert_eq!(timeless(run_with(command, "").await), timeless(by_server(&world, &["preview", "--json"]).await));
    let asked = by_server(&world, &["run"]).await;
    assert_eq!(asked.sentence(3), "nothing was done; do it with --yes");
}

async fn who_is_no_operator_is_refused(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Setup::default() }).await;
    fill(&world).await;
    let people = people(&world).await;
    let asked = async |token: &str, arguments: &[&str]| {
        let mut command = of(&world, arguments);
        command.env("JOBLINK_TOKEN", token);
        run_with(command, "").await
    };
    for arguments in [&["preview"][..], &["run", "--dry-run"], &["run", "--yes"]] {
        for person in [&people.anna, &people.carla] {
            let refused = asked(&person.token, arguments).await;
            let said = refused.sentence(3);
            assert!(said.contains("says: Only operators see the retention policy and its runs; "), "{said}");
            assert!(said.ends_with("give an operator's token with --token-file or in JOBLINK_TOKEN"), "{said}");
        }
        assert!(asked("", arguments).await.sentence(1).contains("wants a token"));
    }
    assert_eq!(world.count("SELECT count(*) FROM retention_runs").await, 0);
    asked(&people.olga.token, &["run", "--yes"]).await.well();
    assert_eq!(world.count("SELECT count(*) FROM retention_runs WHERE deleted = 1").await, 1);
}

async fn a_job_that_fails_is_told(engine: Engine) {
    let times = Arc::new(AtomicUsize::new(0));
    let checkpoints = Checkpoints::hooked(move |at| {
        let fails = at == Checkpoint::RetentionJobBeforeCommit && times.fetch_add(1, Ordering::SeqCst) == 1;
        Box::pin(async move { if fails { Err(Error::Injected("the second job")) } else { Ok(()) } })
    });
    let world = World::with(engine, Setup { checkpoints, ..Setup::default() }).await;
    for hours in [22, 21, 20] {
        with_files(&world, &ended(&world, "failed", hours).await, &["input"]).await;
    }
    let ran = by_server(&world, &["run", "--yes"]).await;
    assert_eq!(ran.sentence(1), "1 job could not be dealt with; run it again for what is left");
    assert!(ran.out.contains("failed: It failed, and nothing was changed; the log of the server"), "{ran:?}");
    assert!(ran.out.ends_with("failed: 1\n"), "{ran:?}");
    let again = timeless(by_server(&world, &["run", "--yes", "--json"]).await);
    assert_eq!((&again["jobs"], &again["errors"]), (&json!({ "FAILED": { "DELETE": 1 } }), &json!([])));
    world.purged().await;
    world.check_invariants().await;
}

async fn a_connection_that_is_lost_is_made_again(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::RetentionJobBegins, 1);
    let world = World::with(engine, Setup { checkpoints, ..Setup::default() }).await;
    fill(&world).await;
    let way = Way::to(&world).await;
    let mut command = of(&world, &["run", "--yes", "--json"]);
    command.env("JOBLINK_SERVER", &way.base);
    let (ran, ()) = tokio::join!(run_with(command, ""), async {
        gate.wait().await;
        // One more than a request is sent again by itself.
        way.turn_away(&world, 5).await;
        gate.open();
    });
    assert_eq!(timeless(ran)["jobs"], json!({ "COMPLETED": { "CLEAN": 1 }, "FAILED": { "DELETE": 1 } }));
    assert_eq!(world.count("SELECT count(*) FROM retention_runs").await, 1);
}

async fn what_a_person_has_seen_is_done_and_no_more(engine: Engine) {
    let world = World::new(engine).await;
    fill(&world).await;
    for answer in ["n\r", "\r"] {
        let mut terminal = Terminal::of(of(&world, &["run"]));
        terminal.shows(&world, "Do this? [y/N]", 1).await;
        terminal.types(answer);
        assert_eq!(terminal.ended(&world).await, 3);
        terminal.shows(&world, "nothing was done; do it with --yes", 1).await;
    }
    assert_eq!(world.count("SELECT count(*) FROM retention_runs").await, 0);

    let mut terminal = Terminal::of(of(&world, &["run", "--verbose"]));
    terminal.shows(&world, &format!("at {}:", world.base()), 1).await;
    terminal.shows(&world, "retention: FAILED jobs are deleted 12 hours after their end", 1).await;
    terminal.shows(&world, "Do this? [y/N]", 1).await;
    // Due before the answer, and not when the preview was made.
    let due = now() + TimeDelta::milliseconds(300);
    let mut late = ended(&world, "failed", 1).await;
    late.completed_at = Some((due - TimeDelta::hours(12)).naive_utc());
    let late = change(&world, late).await;
    world.until(async || (now() > due).then_some(())).await;
    terminal.types("y\r");
    assert_eq!(terminal.ended(&world).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM retention_runs WHERE deleted = 1 AND cleaned = 1").await, 1);
    let shown = timeless(by_server(&world, &["preview", "--json"]).await);
    assert_eq!(shown["items"][0]["id"], json!(late.id), "it is due now");
}

async fn a_person_can_leave_and_the_run_goes_on(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::RetentionJobBegins, 1);
    let world = World::with(engine, Setup { checkpoints, ..Setup::default() }).await;
    fill(&world).await;
    let mut terminal = Terminal::of(of(&world, &["run"]));
    terminal.shows(&world, "Do this? [y/N]", 1).await;
    terminal.interrupts();
    assert_eq!(terminal.ended(&world).await, 1);
    terminal.shows(&world, "interrupted; nothing was done", 1).await;

    let mut terminal = Terminal::of(of(&world, &["run", "--yes"]));
    gate.wait().await;
    // The bar is there when the answer with the run's id is.
    terminal.shows(&world, "of 2 jobs dealt with", 1).await;
    terminal.interrupts();
    assert_eq!(terminal.ended(&world).await, 1);
    let run: sea_orm::prelude::Uuid = world.one("SELECT id FROM retention_runs", []).await;
    terminal.shows(&world, &format!("interrupted; the run {run} goes on at the server"), 1).await;
    gate.open();
    let ended = "SELECT count(*) FROM retention_runs WHERE finished_at IS NOT NULL AND deleted = 1";
    world.until(async || (world.count(ended).await == 1).then_some(())).await;
    world.purged().await;
    world.check_invariants().await;
}
