//! A server that was given several hosts follows the one that takes changes.

use std::time::Duration;

use api::{
    auth::Viewer,
    checkpoint::Checkpoint,
    events::{self, Wanted},
};
use futures_util::future::join_all;
use migration::hosts::writable_url;
use reqwest::StatusCode;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Gate, Node, Setup, World, migrate};

use crate::{
    deletion::{DELETE, delete, file, variables},
    migrations::program::run,
    operations::page::Page,
};

/// A server on a cluster of two.
struct Cluster {
    first: Node,
    second: Node,
    world: World,
}

impl Cluster {
    async fn with(setup: Setup) -> Self {
        let first = Node::start();
        migrate(first.url()).await;
        let second = first.standby();
        // The standby first: the order of the list says nothing.
        let url = Some(Node::list(&[&second, &first]));
        let world = World::with(Engine::Postgres, Setup { url, ..setup }).await;
        Self { first, second, world }
    }

    /// Uploads a file and waits until all of it is on both.
    async fn upload(&self) -> String {
        let job = self.world.upload("ANNUAL", "a.csv", file(20)).await;
        assert_eq!(self.world.ended(&job).await, "completed");
        self.first.followed_by(&self.second).await;
        job
    }

    /// Whether changes go to each of them, by the metrics.
    async fn primaries(&self) -> [bool; 2] {
        let address = self.world.server().metrics.expect("metrics");
        let answer = self.world.http.get(format!("http://{address}/metrics")).send().await.unwrap();
        let page = Page::read(&answer.text().await.unwrap());
        [&self.first, &self.second]
            .map(|node| page.value(&format!("joblink_db_primary{{host=\"{}\"}}", node.address())) > 0.)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_waits_until_another_host_takes_changes() {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::DeletionBegins, 1);
    let cluster = Cluster::with(Setup { checkpoints, ..Setup::default() }).await;
    let job = cluster.upload().await;
    assert_eq!(cluster.primaries().await, [true, false]);
    let (payload, ()) = tokio::join!(delete(&cluster.world, &job, json!({ "cascade": true })), async {
        gate.wait().await;
        cluster.first.kill();
        gate.open();
        cluster.second.promote();
    });
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 20, "{payload}");
    assert_eq!(cluster.primaries().await, [false, true]);
    assert_eq!(cluster.second.one::<i64>("SELECT count(*) FROM deletion_receipts").await, 1);
    cluster.world.purged().await;
    cluster.world.check_invariants().await;

    // All that goes on by itself goes on there: a worker takes a job, and what happens is heard.
    let next = cluster.world.upload("ANNUAL", "b.csv", file(20)).await;
    assert_eq!(cluster.world.ended(&next).await, "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_on_a_frozen_host_is_done_on_the_next_one_and_the_old_one_is_left_alone() {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::DeletionBeforeCommit, 1);
    let cluster = Cluster::with(Setup { checkpoints, ..Setup::default() }).await;
    let job = cluster.upload().await;
    let (payload, ()) = tokio::join!(delete(&cluster.world, &job, json!({ "cascade": true })), async {
        gate.wait().await;
        cluster.first.freeze();
        gate.open();
        cluster.second.promote();
    });
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 20, "{payload}");
    assert_eq!(cluster.second.one::<i64>("SELECT count(*) FROM deletion_receipts").await, 1);

    // It takes itself for the one that takes changes until its cluster tells it otherwise.
    cluster.first.thaw();
    assert!(!cluster.first.one::<bool>("SELECT pg_is_in_recovery()").await);
    for _ in 0..5 {
        let job = cluster.world.upload("ANNUAL", "b.csv", file(20)).await;
        assert_eq!(cluster.world.ended(&job).await, "completed");
        let payload = delete(&cluster.world, &job, json!({ "cascade": true })).await;
        assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 20, "{payload}");
    }
    assert_eq!(cluster.second.one::<i64>("SELECT count(*) FROM deletion_receipts").await, 6);
    // It may have carried out the commit that it was sent before it froze, and nothing since.
    assert!(cluster.first.one::<i64>("SELECT count(*) FROM deletion_receipts").await <= 1);
    cluster.world.check_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_host_requests_are_told_to_come_again() {
    let cluster = Cluster::with(Setup::default()).await;
    let job = cluster.upload().await;
    cluster.first.kill();
    let request = cluster.world.post().json(&json!({ "query": DELETE, "variables": variables(&job, json!({})) }));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "DATABASE_BUSY", "{answer}");
    let ready = cluster.world.http.get(format!("{}/readyz", cluster.world.base())).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(cluster.primaries().await, [false, false]);

    // The same host, without another having taken its place.
    cluster.first.restart();
    let payload = delete(&cluster.world, &job, json!({})).await;
    assert_eq!(payload["deletedJobId"], job, "{payload}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_host_without_another_in_its_place_holds_nobody_for_ever() {
    let cluster = Cluster::with(Setup::default()).await;
    let job = cluster.upload().await;
    cluster.first.freeze();
    for query in ["{ jobs { totalCount } }", "mutation { deleteJob(id: \"ID\") { deletedJobId } }"] {
        let answer = cluster.world.answer(&query.replace("ID", &job), json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "DATABASE_BUSY", "{answer}");
    }
    cluster.first.thaw();
    let payload = delete(&cluster.world, &job, json!({})).await;
    assert_eq!(payload["deletedJobId"], job, "{payload}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_host_who_begins_to_watch_does_not_wait_for_others_who_do() {
    let cluster = Cluster::with(Setup { idle: true, ..Setup::default() }).await;
    cluster.first.kill();
    let (app, viewer) = (&cluster.world.app, Viewer::local());
    let all = join_all([(); 4].map(|()| async { events::watch(app, &viewer, Wanted::All).await.is_err() }));
    // Each waits ten seconds for a host.
    let failed = tokio::time::timeout(Duration::from_secs(30), all).await.expect("they wait one after the other");
    assert_eq!(failed, [true; 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_host_many_deletions_wait_once() {
    let cluster = Cluster::with(Setup { idle: true, ..Setup::default() }).await;
    cluster.first.kill();
    let query = "mutation($ids: [ID!]!) { deleteJobs(ids: $ids) { deletedJobIds } }";
    let ids = [(); 4].map(|()| Uuid::now_v7());
    let request = json!({ "query": query, "variables": { "ids": ids } });
    // Each waits ten seconds for a host.
    let answer = tokio::time::timeout(Duration::from_secs(30), cluster.world.post().json(&request).send()).await;
    let answer: Value = answer.expect("they wait one after the other").unwrap().json().await.unwrap();
    let codes = answer["errors"].as_array().unwrap().iter().map(|error| error["extensions"]["code"].clone());
    assert_eq!(codes.collect::<Vec<_>>(), ["DATABASE_BUSY"; 4], "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_frozen_host_can_be_given_up() {
    let cluster = Cluster::with(Setup { asleep: true, ..Setup::default() }).await;
    let db = cluster.world.app.db.clone();
    let open = db.begin().await.unwrap();
    cluster.first.freeze();
    // Its connection is asked whether it lives, and does not answer.
    drop(open);
    let closed = tokio::time::timeout(Duration::from_secs(20), db.close()).await;
    closed.expect("closing waits for a frozen host").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_migration_program_takes_the_same_list() {
    let first = Node::start();
    let second = first.standby();
    let list = Node::list(&[&second, &first]);
    assert_eq!(run("migration", &list, &["up"]).await.code, 0);
    first.followed_by(&second).await;
    assert_eq!(second.one::<i64>("SELECT count(*) FROM bulk_upload_jobs").await, 0);
    first.kill();
    let said = run("migration", &list, &["status"]).await;
    assert!(said.err.contains("none of the database hosts takes changes"), "{said:?}");
    second.promote();
    assert_eq!(run("migration", &list, &["status"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_demoted_and_does_not_know_it_is_not_taken_while_the_right_one_is_slow() {
    let first = Node::start();
    let second = first.standby();
    second.promote();
    second.freeze();
    let list = Node::list(&[&first, &second]);
    let (found, ()) = tokio::join!(writable_url(&list, Duration::from_secs(10)), async {
        // Longer than a host may take to answer a question.
        tokio::time::sleep(Duration::from_secs(1)).await;
        second.thaw();
    });
    assert_eq!(found.unwrap(), second.url());

    // One that never answers is not waited for.
    second.freeze();
    assert_eq!(writable_url(&list, Duration::from_secs(10)).await.unwrap(), first.url());
}
