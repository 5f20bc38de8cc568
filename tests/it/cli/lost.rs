//! Answers that are lost on their way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use api::checkpoint::Checkpoint;
use tests::{Engine, Gate, Setup, World};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::program::{command, run_with};
use crate::deletion::file;

tests::on_both!(a_lost_answer_to_an_upload_makes_no_second_job, a_lost_answer_to_a_deletion_is_asked_for_again,);

/// A way to the server on which all connections break when they are told to, and which can be closed.
pub struct Way {
    pub base: String,
    cut: watch::Sender<usize>,
    was_cut: Arc<AtomicBool>,
    is_closed: Arc<AtomicBool>,
    turned_away: Arc<AtomicUsize>,
}

impl Way {
    pub async fn to(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = world.server().address;
        let (cut, cuts) = watch::channel(0);
        let (is_closed, turned_away) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (closed, turned) = (is_closed.clone(), turned_away.clone());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if closed.load(Ordering::SeqCst) {
                    turned.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                let mut cuts = cuts.clone();
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { base, cut, was_cut: Arc::default(), is_closed, turned_away }
    }

    /// Lets nobody through until it has turned away so many connections.
    pub async fn turn_away(&self, world: &World, connections: usize) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.cut();
        let wanted = self.turned_away.load(Ordering::SeqCst) + connections;
        world.until(async || (self.turned_away.load(Ordering::SeqCst) >= wanted).then_some(())).await;
        self.is_closed.store(false, Ordering::SeqCst);
    }

    pub fn cut(&self) {
        self.was_cut.store(true, Ordering::SeqCst);
        self.cut.send_modify(|times| *times += 1);
    }
}

async fn a_lost_answer_to_an_upload_makes_no_second_job(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::JobCommitted, 1);
    let world = World::with(engine, Setup { checkpoints, idle: true, ..Setup::default() }).await;
    let way = Way::to(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, file(5)).unwrap();
    let mut upload = command(&["jobs", "upload", path.to_str().unwrap(), "--kind", "annual"]);
    upload.env("JOBLINK_SERVER", &way.base);
    let (sent, ()) = tokio::join!(run_with(upload, ""), async {
        gate.wait().await;
        way.cut();
        gate.open();
    });
    let sent = sent.well();
    assert!(way.was_cut.load(Ordering::SeqCst));
    let id: sea_orm::prelude::Uuid = world.one("SELECT id FROM bulk_upload_jobs", []).await;
    assert_eq!(sent.out.trim(), id.to_string());
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
}

async fn a_lost_answer_to_a_deletion_is_asked_for_again(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::DeletionCommitted, 1);
    let world = World::with(engine, Setup { checkpoints, idle: true, ..Setup::default() }).await;
    let user = world.local_user().await;
    let id = world.adopted_job(user, None, "annual", "completed").await.to_string();
    let way = Way::to(&world).await;
    let mut delete = command(&["jobs", "delete", &id, "--yes", "--json"]);
    delete.env("JOBLINK_SERVER", &way.base);
    let (done, ()) = tokio::join!(run_with(delete, ""), async {
        gate.wait().await;
        way.cut();
        gate.open();
    });
    let done = done.well();
    assert_eq!(done.lines()[0]["outcome"], "already_deleted", "{done:?}");
    assert_eq!(done.lines()[0]["receipt"]["jobId"], id.as_str());
}
