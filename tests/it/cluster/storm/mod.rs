//! Three servers on a cluster of three, with clients that upload, cancel and delete while one after the other is killed.
//!
//! The short form has a folder for files and hosts that the test itself promotes; the long one has what is used in earnest,
//! started by `tests/run --long --only storm`.

mod clients;
mod servers;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use api::files::sweep::sweep;
use artifacts::ArtifactStore;
use sea_orm::ConnectionTrait;
use tests::{Engine, Node, Setup, World, history::faults, migrate, script};
use tokio::task::block_in_place;

use self::{
    clients::{Clients, Phase, Storm},
    servers::{Balancer, Served, Settings, ready},
};
use crate::files::s3::place;

/// How soon changes are done again after the primary's node was killed.
const FAILOVER: Duration = Duration::from_secs(15);
/// How long the primary's node is frozen.
const FROZEN: Duration = Duration::from_secs(25);

/// Servers, and clients at work on them.
struct Scene {
    settings: Arc<Settings>,
    servers: Vec<Served>,
    balancer: Option<Balancer>,
    storm: Arc<Storm>,
    clients: Clients,
    phases: Vec<Phase>,
}

/// Where clients find the servers.
#[derive(PartialEq, Eq)]
enum Address {
    /// Each has its own, and who is not answered goes to the next one.
    Each,
    /// All have one, the balancer's.
    One,
}

impl Scene {
    /// Starts servers of this version, or of an older one, and the clients.
    async fn begin(settings: Settings, address: Address, older: Option<&Path>) -> Self {
        let settings = Arc::new(settings);
        let servers: Vec<_> = block_in_place(|| (0..3).map(|_| Served::start(&settings, older)).collect());
        let balancer = (address == Address::One).then(|| Balancer::start(&servers, &settings));
        let bases = match &balancer {
            Some(balancer) => vec![balancer.base.clone()],
            None => servers.iter().map(|server| server.base.clone()).collect(),
        };
        let storm = Arc::new(Storm::new(bases.clone()));
        for base in &bases {
            ready(&storm.http, base).await;
        }
        let clients = Clients::start(&storm);
        let mut scene = Self { settings, servers, balancer, storm, clients, phases: Vec::new() };
        scene.after("nothing", async |_| {}).await;
        scene
    }

    /// Does harm to the servers or to what they need, and waits until the clients have gone on.
    async fn after(&mut self, fault: &'static str, harm: impl AsyncFnOnce(&mut [Served])) -> &Phase {
        let phase = self.storm.after(fault, async || harm(&mut self.servers).await).await;
        self.phases.push(phase);
        self.phases.last().unwrap()
    }

    /// One server after the other makes way for one of this version.
    async fn restart_in_turn(&mut self) {
        let storm = self.storm.clone();
        let restarts = async |servers: &mut [Served]| {
            for server in servers {
                block_in_place(|| {
                    server.stop();
                    server.again();
                });
                ready(&storm.http, &server.base).await;
                storm.goes_on().await;
            }
        };
        let phase = self.after("servers are restarted in turn", restarts).await;
        assert_eq!(phase.failures, 0, "a request failed while servers were restarted in turn: {}", phase.why);
    }

    /// Ends clients and servers, and compares what the clients were told with what is there.
    async fn end(mut self, database: &str) {
        let told = self.clients.end(&self.storm).await;
        drop(self.balancer);
        block_in_place(|| self.servers.iter_mut().for_each(Served::stop));
        tell(&self.phases);
        // What a server had taken that was killed is tried again when its time is over, and what a worker was at is looked at
        // once more when that one can send nothing any more. Nobody is left to wait for.
        let db = migration::connect(database, None).await.unwrap();
        let now = "UPDATE artifact_purges SET due_at = now(), settles_at = now() WHERE completed_at IS NULL";
        db.execute_unprepared(now).await.unwrap();
        db.close().await.unwrap();
        let store = Some(ArtifactStore::open(&self.settings.artifacts).unwrap());
        let setup = Setup { url: Some(database.to_owned()), store, ..Setup::default() };
        let world = World::with(Engine::Postgres, setup).await;
        let at_work = "SELECT count(*) FROM bulk_upload_jobs WHERE completed_at IS NULL";
        world.until(async || (world.count(at_work).await == 0).then_some(())).await;
        world.purged().await;
        // Servers that are killed leave files that nobody knows of.
        sweep(&world.app, Duration::ZERO, false).await.unwrap();
        let found = faults(&told, world.app.db.reader()).await;
        println!("{} changes were acknowledged, {} of them do not hold", told.len(), found.len());
        assert_eq!(found, []);
        world.check_invariants().await;
    }
}

/// Prints what came of the clients' requests after each fault, as `SCALING.md` shows it.
fn tell(phases: &[Phase]) {
    println!("\n| fault | changes | none for | longest wait of a client | requests repeated |\n|---|---|---|---|---|");
    for phase in phases {
        println!(
            "| {} | {} | {:.1} s | {:.1} s | {} |",
            phase.fault,
            phase.changes(),
            phase.pause.as_secs_f64(),
            phase.longest.as_secs_f64(),
            phase.failures
        );
    }
}

/// Three hosts; each commit waits until one more has it.
fn cluster() -> [Node; 3] {
    let first = Node::start();
    let (second, third) = (first.standby(), first.standby());
    [first, second, third]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_torn_while_hosts_and_servers_die() {
    let [first, second, third] = cluster();
    migrate(first.url()).await;
    let wait_for_one =
        ["ALTER SYSTEM SET synchronous_commit = 'on'", "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'"];
    for node in [&first, &second, &third] {
        node.set(&wait_for_one).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        database: Node::list(&[&first, &second, &third]),
        artifacts: folder.path().join("artifacts").to_str().unwrap().to_owned(),
        drain: 0,
        folder: folder.path().to_owned(),
    };
    let mut scene = Scene::begin(settings, Address::Each, None).await;

    scene.after("a server is killed", async |servers| servers[0].kill()).await;
    scene.after("it comes back", async |servers| servers[0].again()).await;

    let mut chosen = None;
    let promotion = async |_: &mut [Served]| {
        first.kill();
        let (next, other) = if second.has_more_than(&third).await { (&second, &third) } else { (&third, &second) };
        next.promote();
        other.follow(next).await;
        chosen = Some((next, other));
    };
    scene.after("the primary is killed", promotion).await;
    let (next, other) = chosen.unwrap();
    scene.after("a server is stopped", async |servers| servers[1].stop()).await;
    scene.after("it comes back", async |servers| servers[1].again()).await;

    let promotion = async |_: &mut [Served]| {
        next.freeze();
        // It is alone from here on.
        other.set(&["ALTER SYSTEM SET synchronous_standby_names = ''"]).await;
        other.promote();
    };
    scene.after("the primary is frozen", promotion).await;
    scene.after("it goes on", async |_| next.thaw()).await;
    scene.end(other.url()).await;
}

/// Where the cluster is that `tests/run` started: `postgres`, `s3`, and the logs of the servers.
fn place_of(part: &str) -> PathBuf {
    let place = std::env::var_os("JOBLINK_TEST_CLUSTER").expect("JOBLINK_TEST_CLUSTER names no cluster");
    Path::new(&place).join(part)
}

/// Has `tests/postgres` or `tests/s3` do something with its part of the cluster.
fn on(part: &str, arguments: &[&str]) -> String {
    let place = place_of(part);
    let (command, rest) = arguments.split_first().unwrap();
    block_in_place(|| script(part, &[&[command, place.to_str().unwrap()], rest].concat()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: tests/run --long --only storm"]
async fn nothing_is_lost_or_torn_while_a_cluster_fails_over() {
    let database = std::env::var("JOBLINK_TEST_POSTGRES").unwrap();
    migrate(&database).await;
    let settings = Settings { database: database.clone(), artifacts: place(), drain: 2, folder: place_of("servers") };
    std::fs::create_dir(&settings.folder).unwrap();
    let older = std::env::var_os("JOBLINK_OLD").map(PathBuf::from);
    let mut scene = Scene::begin(settings, Address::One, older.as_deref()).await;
    let host = |command: &str, host: &str| block_in_place(|| script("postgres", &[command, host]));
    let primary = || on("postgres", &["primary"]);

    scene.restart_in_turn().await;

    let node = primary();
    let killed = scene.after("the primary's node is killed", async |_| _ = host("kill", &node)).await.pause;
    let back = async |_: &mut [Served]| {
        host("restart", &node);
        primary();
    };
    scene.after("it comes back", back).await;

    let node = primary();
    let began = std::time::Instant::now();
    scene.after("the primary's node is frozen", async |_| _ = host("freeze", &node)).await;
    tokio::time::sleep(FROZEN.saturating_sub(began.elapsed())).await;
    let back = async |_: &mut [Served]| {
        host("thaw", &node);
        primary();
    };
    scene.after("it goes on", back).await;

    let switch = async |_: &mut [Served]| {
        on("postgres", &["switch"]);
        primary();
    };
    scene.after("the primary is switched over", switch).await;

    scene.after("a volume server is killed", async |_| _ = on("s3", &["kill", "volume1"])).await;
    scene.after("it comes back", async |_| _ = on("s3", &["restart", "volume1"])).await;
    let master = on("s3", &["leader"]);
    scene.after("the leading master is killed", async |_| _ = on("s3", &["kill", &master])).await;
    scene.after("it comes back", async |_| _ = on("s3", &["restart", &master])).await;

    scene.after("a server is killed", async |servers| servers[0].kill()).await;
    scene.after("it comes back", async |servers| servers[0].again()).await;

    scene.end(&database).await;
    assert!(killed <= FAILOVER, "no change was done for {killed:?} after the primary's node was killed");
}
