//! Lists are read from a standby, and whoever has changed something sees it.

use std::time::Duration;

use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use tests::{Engine, Node, People, Setup, World, migrate, people};

use crate::{
    deletion::file,
    events::client::Client,
    migrations::{
        program::{run, start},
        site::until,
    },
};

const LIST: &str = "{ jobs { nodes { id } totalCount } }";
const HOLD: &str = "mutation($id: ID!) { holdJob(id: $id, reason: \"asked\") { job { id } userErrors { message } } }";
const PREVIEW: &str =
    "query($id: ID!) { job(id: $id) { id } deletionPreview(ids: [$id], force: true) { deletable { job { id } } } }";
/// Longer than any test.
const EVER: Duration = Duration::from_hours(1);

/// A server that reads lists from a standby.
struct Pair {
    first: Node,
    second: Node,
    world: World,
    people: People,
}

impl Pair {
    async fn new(behind: Duration) -> Self {
        let first = Node::start();
        migrate(first.url()).await;
        let second = first.standby();
        let list = Node::list(&[&first, &second]);
        let world = server(&list, behind).await;
        let people = people(&world).await;
        let pair = Self { first, second, world, people };
        pair.in_use(&pair.world).await;
        pair
    }

    /// Waits until everybody reads lists from the standby.
    async fn in_use(&self, world: &World) {
        let all = [&self.people.anna, &self.people.carla];
        let shown = || all.iter().all(|person| world.app.db.on_standby(person.id, None).is_some());
        world.until(async || shown().then_some(())).await;
    }

    /// Lets the standby show nothing new.
    async fn pause(&self) {
        self.first.followed_by(&self.second).await;
        self.second.set(&["SELECT pg_wal_replay_pause()"]).await;
        let paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'";
        self.world.until(async || self.second.one::<bool>(paused).await.then_some(())).await;
    }

    async fn resume(&self) {
        self.second.set(&["SELECT pg_wal_replay_resume()"]).await;
    }

    /// Anna makes a job.
    async fn create(&self) -> String {
        let created = self.world.create_as(&self.people.anna.token, "ANNUAL", "a.csv", file(3)).await;
        created["job"]["id"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned()
    }
}

async fn server(list: &str, behind: Duration) -> World {
    // The one that takes changes is in the list too, and is not read from.
    let standby = Some((list.to_owned(), behind));
    let setup = Setup { url: Some(list.to_owned()), standby, tokens: true, idle: true, ..Setup::default() };
    World::with(Engine::Postgres, setup).await
}

/// How many jobs somebody sees.
async fn seen(world: &World, token: &str) -> i64 {
    world.data_to(token, LIST, json!({})).await["jobs"]["totalCount"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changes_something_sees_it_and_others_as_soon_as_the_standby_shows_it() {
    let pair = Pair::new(EVER).await;
    let (anna, carla) = (&pair.people.anna.token, &pair.people.carla.token);
    pair.pause().await;
    let job = pair.create().await;
    for _ in 0..3 {
        assert_eq!(seen(&pair.world, anna).await, 1);
        assert_eq!(seen(&pair.world, carla).await, 0, "it is not read from the standby");
    }
    // What a deletion would do is told as it is now, whoever asks.
    let preview = pair.world.data_to(carla, PREVIEW, json!({ "id": job })).await;
    assert_eq!(preview["job"], Value::Null);
    assert_eq!(preview["deletionPreview"]["deletable"][0]["job"]["id"], job, "{preview}");
    pair.resume().await;
    pair.world.until(async || (seen(&pair.world, carla).await == 1).then_some(())).await;
    pair.in_use(&pair.world).await;
    assert_eq!(seen(&pair.world, anna).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_shows_it_to_who_brings_the_cookie() {
    let pair = Pair::new(EVER).await;
    let carla = &pair.people.carla.token;
    let job = pair.create().await;
    let other = server(&Node::list(&[&pair.second, &pair.first]), EVER).await;
    pair.in_use(&other).await;
    pair.pause().await;
    let hold = json!({ "query": HOLD, "variables": { "id": job } });
    let answer = pair.world.post().bearer_auth(carla).json(&hold).send().await.unwrap();
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let held = async |cookie: &str| {
        let request = other.post().bearer_auth(carla).header(COOKIE, cookie);
        let request = request.json(&json!({ "query": "{ jobs { nodes { hold { reason } } } }" }));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["data"]["jobs"]["nodes"][0]["hold"].is_object()
    };
    assert!(held(&format!("a=b; {cookie}")).await);
    assert!(!held("").await, "it is not read from the standby");
    // Nothing but when: it opens nothing.
    for forged in
        ["joblink-changed=", "joblink-changed=99999999999999999999", "joblink-changed=-1", "joblink-changed=x"]
    {
        assert!(!held(forged).await, "{forged}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_of_a_change_sees_it() {
    let pair = Pair::new(EVER).await;
    let carla = &pair.people.carla.token;
    let mut client = Client::signed_in(&pair.world, carla).await;
    client.watch("1", None).await;
    // Whatever is committed from here on is told.
    pair.world.until(async || (pair.world.app.events.watchers().await == 1).then_some(())).await;
    pair.pause().await;
    let job = pair.create().await;
    let told = client.next().await;
    assert_eq!(told["payload"]["data"]["jobEvents"]["jobId"], job, "{told}");
    assert_eq!(seen(&pair.world, carla).await, 1);
    pair.resume().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_is_behind_is_left_until_it_follows() {
    let pair = Pair::new(Duration::from_secs(1)).await;
    let carla = &pair.people.carla;
    pair.pause().await;
    pair.create().await;
    pair.world.until(async || (seen(&pair.world, &carla.token).await == 1).then_some(())).await;
    assert!(pair.world.app.db.on_standby(carla.id, None).is_none());
    assert_eq!(pair.world.app.db.standby_age(), None);
    pair.resume().await;
    pair.in_use(&pair.world).await;
    assert_eq!(seen(&pair.world, &carla.token).await, 1);
    assert!(pair.world.app.db.standby_age().unwrap() < EVER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_is_frozen_lost_or_promoted_costs_nobody_an_answer() {
    let pair = Pair::new(EVER).await;
    let carla = &pair.people.carla.token;
    pair.create().await;
    pair.in_use(&pair.world).await;
    pair.second.freeze();
    // The first one is sent to the standby, which does not answer.
    for _ in 0..3 {
        assert_eq!(seen(&pair.world, carla).await, 1);
    }
    pair.second.thaw();
    pair.in_use(&pair.world).await;
    pair.second.kill();
    for _ in 0..3 {
        assert_eq!(seen(&pair.world, carla).await, 1);
    }
    pair.second.restart();
    pair.in_use(&pair.world).await;
    pair.first.kill();
    pair.second.promote();
    pair.create().await;
    assert_eq!(seen(&pair.world, carla).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_of_another_database_is_not_read_from() {
    let first = Node::start();
    first.set(&["CREATE DATABASE other"]).await;
    migrate(first.url()).await;
    let second = first.standby();
    first.followed_by(&second).await;
    let (host, _) = second.url().rsplit_once('/').unwrap();
    let (other, files) = (format!("{host}/other"), tempfile::tempdir().unwrap());
    let artifacts = files.path().to_str().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--artifacts", artifacts, "--database-read-url", &*other];
    let server = start("joblink", first.url(), &arguments);
    // It is at the same position of the log as the one that belongs to it.
    until("it says where lists are read", async || server.err().contains("lists are read").then_some(())).await;
    assert!(server.err().contains(" is of another database"), "{}", server.err());
}

#[tokio::test]
async fn a_standby_that_is_no_postgresql_is_refused() {
    let node = Node::start();
    migrate(node.url()).await;
    let files = tempfile::tempdir().unwrap();
    let artifacts = files.path().to_str().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--artifacts", artifacts, "--database-read-url", "sqlite://x"];
    let ended = run("joblink", node.url(), &arguments).await;
    let why = "joblink: cannot use the standby of --database-read-url: it should look like postgres://USER:PASSWORD@HOST:PORT/NAME\n";
    assert!(ended.code == 2 && ended.err.ends_with(why), "{ended:?}");
}
