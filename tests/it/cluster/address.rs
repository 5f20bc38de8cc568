//! One address that leads to whichever host takes changes, and for a moment to another one.

use migration::hosts::unless_standby;
use reqwest::StatusCode;
use serde_json::json;
use tests::{Engine, Node, Setup, World, migrate};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    deletion::{DELETE, delete, file, variables},
    migrations::{program::run, site::until},
    operations::probes::ready,
};

/// An address that leads to one host, and can be turned to another.
struct Address {
    url: String,
    host: watch::Sender<String>,
}

impl Address {
    async fn of(node: &Node) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = node.url().replace(node.address(), &listener.local_addr().unwrap().to_string());
        let (host, hosts) = watch::channel(node.address().to_owned());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let far = hosts.borrow().clone();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(far).await else { return };
                    // An end that hangs up is an end.
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { url, host }
    }

    /// New connections go there; those that are there stay.
    fn turn_to(&self, node: &Node) {
        self.host.send_replace(node.address().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_is_kept_to_a_standby_that_an_address_led_to() {
    let first = Node::start();
    migrate(first.url()).await;
    let second = first.standby();
    let address = Address::of(&first).await;
    let world = World::with(Engine::Postgres, Setup { url: Some(address.url.clone()), ..Setup::default() }).await;
    api::files::mark::accept(&world.app).await.unwrap();
    let job = world.upload("ANNUAL", "a.csv", file(20)).await;
    assert_eq!(world.ended(&job).await, "completed");
    first.followed_by(&second).await;

    address.turn_to(&second);
    first.kill();
    first.restart();
    let request = world.post().json(&json!({ "query": DELETE, "variables": variables(&job, json!({})) }));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let (status, lines) = ready(&world).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(lines.starts_with("the database does not answer, or is a standby"), "{lines}");
    address.turn_to(&first);
    until("it is ready", async || (ready(&world).await.0 == StatusCode::OK).then_some(())).await;
    let payload = delete(&world, &job, json!({ "cascade": true })).await;
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 20, "{payload}");
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    until("the last of them is closed", async || (second.one::<i64>(sql).await == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_made_read_only_is_not_ready_and_still_read_from() {
    let node = Node::start();
    migrate(node.url()).await;
    let world = World::with(Engine::Postgres, Setup { url: Some(node.url().to_owned()), ..Setup::default() }).await;
    api::files::mark::accept(&world.app).await.unwrap();
    assert_eq!(ready(&world).await.0, StatusCode::OK);
    node.set(&["ALTER SYSTEM SET default_transaction_read_only = on"]).await;
    let read_only = (StatusCode::SERVICE_UNAVAILABLE, "the database is read-only".to_owned());
    until("it is noticed", async || (ready(&world).await == read_only).then_some(())).await;
    assert_eq!(world.data("{ jobs { totalCount } }", json!({})).await["jobs"]["totalCount"], 0);
    node.set(&["ALTER SYSTEM SET default_transaction_read_only = off"]).await;
    until("it is ready", async || (ready(&world).await.0 == StatusCode::OK).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_does_not_start_on_a_standby() {
    let first = Node::start();
    migrate(first.url()).await;
    let second = first.standby();
    first.followed_by(&second).await;
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--artifacts", folder.path().to_str().unwrap()];
    let said = run("joblink", second.url(), &arguments).await;
    let why = format!(
        "joblink: cannot use the database: the database host {} is a standby, which takes no changes; name the primary, or all \
         hosts as HOST:PORT,HOST:PORT\n",
        second.address()
    );
    assert_eq!((said.code, &*said.err), (1, &*why), "{said:?}");

    // One that becomes the primary meanwhile is waited for.
    let waiting = tokio::spawn({
        let url = second.url().to_owned();
        async move { unless_standby(&url, std::time::Duration::from_secs(30)).await }
    });
    let asks = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'joblink hosts'";
    until("it asks", async || (second.one::<i64>(asks).await > 0).then_some(())).await;
    second.promote();
    waiting.await.unwrap().unwrap();
}
