//! The same with an S3 server, also while that is away.

use std::sync::Arc;

use artifacts::ArtifactStore;
use futures_util::StreamExt;
use sea_orm::prelude::Uuid;
use serde_json::json;
use tests::{Engine, Setup, World};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    deletion::{delete, file},
    migrations::{
        program::{run, start},
        site::{Site, until},
    },
};

tests::on_both!(
    jobs_run_and_go_with_their_files,
    a_deletion_does_not_wait_for_a_store_that_is_away,
    a_store_that_is_away_refuses_an_upload_and_leaves_nothing,
    a_server_and_a_sweep_work_with_a_bucket,
);

/// A place in the bucket that nobody else uses.
pub fn place() -> String {
    let bucket = std::env::var("JOBLINK_TEST_S3")
        .expect("JOBLINK_TEST_S3 names no bucket: run the tests by tests/run, or start a server with tests/s3");
    format!("{bucket}/{}/files", Uuid::now_v7())
}

/// What stands between the program and the S3 server.
pub struct Network {
    /// Where the program finds the server.
    pub address: String,
    /// Listened to by each connection.
    broken: Arc<watch::Sender<bool>>,
}

impl Network {
    /// One that works.
    pub async fn new() -> Self {
        let server = std::env::var("AWS_ENDPOINT").unwrap().replace("http://", "");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let broken = Arc::new(watch::Sender::new(false));
        let breaks = broken.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, mut broken) = (server.clone(), breaks.subscribe());
                tokio::spawn(async move {
                    let mut upstream = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        biased;
                        // Connections that were kept break too.
                        _ = broken.wait_for(|broken| *broken) => {}
                        _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
                    }
                });
            }
        });
        Self { address, broken }
    }

    fn store(&self, place: &str) -> ArtifactStore {
        ArtifactStore::open_with(place, &[("aws_endpoint", &self.address)]).unwrap()
    }

    /// Cuts all connections and lets none through any more.
    pub async fn fail(&self) {
        self.broken.send_replace(true);
        self.broken.closed().await;
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.broken.send_replace(false);
    }
}

async fn jobs_run_and_go_with_their_files(engine: Engine) {
    let store = ArtifactStore::open(&place()).unwrap();
    let world = World::with(engine, Setup { store: Some(store), ..Setup::default() }).await;
    // Large enough for an upload in several parts.
    let large = file(200) + &"\n".repeat(12 * 1024 * 1024);
    let id = world.upload("ANNUAL", "a.csv", large).await;
    assert_eq!(world.ended(&id).await, "completed");
    assert_eq!(world.app.store.keys().await.unwrap().len(), 3, "input, log and results");
    let payload = delete(&world, &id, json!({ "cascade": true })).await;
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 200);
    world.purged().await;
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    world.check_invariants().await;
}

/// A job is read for as long as its rows are scored and stored, which may be longer than any request should take.
#[tokio::test]
async fn a_file_may_be_read_slowly() {
    if std::env::var_os("JOBLINK_TEST_LONG").is_none() {
        return;
    }
    let store = ArtifactStore::open(&place()).unwrap();
    let key = artifacts::Key::Upload(Uuid::now_v7());
    let chunks = (0..64_u8).map(|byte| Ok::<_, std::convert::Infallible>(bytes::Bytes::from(vec![byte; 1024 * 1024])));
    store.put(key, futures_util::stream::iter(chunks), u64::MAX).await.unwrap();
    let mut read = store.read(key).await.unwrap();
    let (mut size, began) = (0, std::time::Instant::now());
    while let Some(chunk) = read.next().await {
        size += chunk.unwrap().len();
        // The time that a batch takes: in all about half a minute.
        let due = std::time::Duration::from_millis(480) * u32::try_from(size / (1024 * 1024)).unwrap();
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
    }
    assert_eq!(size, 64 * 1024 * 1024);
}

async fn a_deletion_does_not_wait_for_a_store_that_is_away(engine: Engine) {
    let network = Network::new().await;
    let place = place();
    let world = World::with(engine, Setup { store: Some(network.store(&place)), ..Setup::default() }).await;
    let id = world.upload("ANNUAL", "a.csv", file(20)).await;
    network.fail().await;
    let payload = delete(&world, &id, json!({ "cascade": true })).await;
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 20);
    let query = "query($id: ID!) { deletionReceipt(jobId: $id) { artifacts { total pending lastError completedAt } } }";
    let purge = async || world.data(query, json!({ "id": id })).await["deletionReceipt"]["artifacts"].take();
    let failed = world.until(async || Some(purge().await).filter(|purge| !purge["lastError"].is_null())).await;
    assert_eq!((&failed["pending"], &failed["completedAt"]), (&json!(3), &json!(null)));
    network.mend();
    world.run("UPDATE artifact_purges SET due_at = '2000-01-01T00:00:00+00:00'").await;
    world.purged().await;
    let done = purge().await;
    assert_eq!((&done["pending"], &done["lastError"]), (&json!(0), &json!(null)));
    assert_eq!(ArtifactStore::open(&place).unwrap().keys().await.unwrap(), Vec::<String>::new());
}

async fn a_store_that_is_away_refuses_an_upload_and_leaves_nothing(engine: Engine) {
    let network = Network::new().await;
    let place = place();
    let world = World::with(engine, Setup { store: Some(network.store(&place)), ..Setup::default() }).await;
    network.fail().await;
    let answer = tests::multipart(world.post(), "ANNUAL", "a.csv", file(20).into()).await;
    let text = answer.text().await.unwrap();
    assert!(!text.contains("127.0.0.1") && !text.contains("s3://") && !text.contains(&place), "internals in {text}");
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 0, "{text}");
    network.mend();
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    let id = world.upload("ANNUAL", "a.csv", file(20)).await;
    assert_eq!(world.ended(&id).await, "completed");
}

async fn a_server_and_a_sweep_work_with_a_bucket(engine: Engine) {
    let site = Site::made(engine).await;
    let place = place();
    // The programs' own environment has no settings of tests, but those of S3.
    for _ in 0..2 {
        let mut server = start("joblink", &site.url, &["serve", "--listen", "127.0.0.1:0", "--artifacts", &place]);
        until("it serves", async || server.out().contains("GraphQL").then_some(())).await;
        server.kill();
    }
    let swept = run("joblink", &site.url, &["artifacts", "sweep", "--artifacts", &place]).await;
    assert_eq!((swept.code, swept.out.as_str()), (0, "removed: 0 files without a job, 0 bytes\n"), "{swept:?}");
    let wrong = run("joblink", &site.url, &["artifacts", "sweep", "--artifacts", &format!("{place}/elsewhere")]).await;
    assert_eq!(wrong.code, 3, "{wrong:?}");
    let nowhere = run("joblink", &site.url, &["artifacts", "sweep", "--artifacts", "ftp://files"]).await;
    assert_eq!(nowhere.code, 1, "{nowhere:?}");
    let said = "joblink: cannot use the artifact store ftp://files: ftp:// is no place for files: give a directory, file:///… or s3://BUCKET/PREFIX\n";
    assert_eq!(nowhere.err, said);
}
