//! Mails, by a real mail server: to those who look after retention, when it goes wrong.

use std::{env, path::PathBuf};

use api::{
    checkpoint::{Checkpoint, Checkpoints},
    database::now,
    error::Error,
    notifications::{Notifications, mail::Mail},
    retention::policy::Policy,
};
use sea_orm::prelude::Uuid;
use tests::{Engine, Setup, World};

use super::{all_is_due, deliver, undelivered};
use crate::retention::{ended, run};

/// The mail server that `tests/run` started.
fn server() -> String {
    env::var("JOBLINK_TEST_SMTP")
        .expect("JOBLINK_TEST_SMTP names no server: run the tests by tests/run, or start one with tests/smtp")
}

/// The mails that it took which speak of this.
fn mails(of: Uuid) -> Vec<String> {
    let folder = PathBuf::from(env::var("JOBLINK_TEST_MAILS").unwrap()).join("new");
    let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    files.filter(|mail| mail.contains(&of.to_string())).collect()
}

fn mailing(server: &str) -> Notifications {
    let to = "ops@example.com, Nachtwächter <night@example.com>";
    Notifications::new(None, Some(Mail::new(server, "Joblink <joblink@example.com>", to).unwrap()))
}

async fn world(server: &str, fails: bool) -> World {
    let checkpoints = Checkpoints::hooked(move |at| {
        let fails = fails && at == Checkpoint::RetentionJobBeforeCommit;
        Box::pin(async move { if fails { Err(Error::Injected("the test's place")) } else { Ok(()) } })
    });
    let world = World::with(
        Engine::Sqlite,
        Setup { idle: true, checkpoints, notifications: mailing(server), ..Setup::default() },
    );
    world.await
}

#[tokio::test]
async fn a_run_that_fails_for_jobs_is_told_with_their_ids() {
    let world = world(&server(), true).await;
    let mut jobs = Vec::new();
    for _ in 0..25 {
        jobs.push(ended(&world, "failed", 20).await.id);
    }
    let done = run(&world, Policy::default(), now()).await;
    assert!(deliver(&world.app).await);
    assert_eq!(undelivered(&world).await, 0);
    let mails = mails(done.id);
    assert_eq!(mails.len(), 2, "each has one: {mails:?}");
    assert_eq!(mails.iter().filter(|mail| mail.contains("night@example.com")).count(), 1);
    let mail = mails[0].replace("\r\n", "\n");
    for part in [
        "Subject: Joblink: retention failed for 25 jobs\n",
        "From: Joblink <joblink@example.com>\n",
        "\nFailed   25\n",
        "\nand 5 more\n",
        "These jobs are as they were; the next run tries them again.",
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    assert_eq!(jobs.iter().filter(|job| mail.contains(&job.to_string())).count(), 20, "{mail}");
}

#[tokio::test]
async fn a_run_without_trouble_and_a_deletion_send_no_mail() {
    let world = world(&server(), false).await;
    ended(&world, "failed", 20).await;
    let done = run(&world, Policy::default(), now()).await;
    assert_eq!(done.deleted, 1);
    assert_eq!(world.count("SELECT count(*) FROM notifications").await, 0);
}

#[tokio::test]
async fn a_mail_waits_for_a_server_that_is_away_and_is_never_sent_in_the_clear_where_that_is_not_wanted() {
    let away = world("smtp://127.0.0.1:9", true).await;
    ended(&away, "failed", 20).await;
    let done = run(&away, Policy::default(), now()).await;
    assert!(!deliver(&away.app).await);
    let why = "SELECT last_error FROM notifications";
    assert_eq!(away.one::<String>(why, []).await, "the mail server cannot be reached");
    let url = || Some(away.url.clone());
    let again = |server: &str| Setup { url: url(), idle: true, notifications: mailing(server), ..Setup::default() };

    let encrypted = World::with(Engine::Sqlite, again(&format!("{}?tls=required", server()))).await;
    all_is_due(&away).await;
    assert!(!deliver(&encrypted.app).await, "this server has no STARTTLS");
    assert!(mails(done.id).is_empty());

    let there = World::with(Engine::Sqlite, again(&server())).await;
    all_is_due(&away).await;
    assert!(deliver(&there.app).await);
    assert_eq!(mails(done.id).len(), 2);
}
