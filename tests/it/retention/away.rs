//! `joblink retention run --direct` with an S3 server that is away: no run is lost, and no file is forgotten.

use api::files::mark;
use artifacts::ArtifactStore;
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use super::{
    command::{joblink, summary},
    due_jobs,
    killed::{RUN, held_in_the_middle},
    later,
    races::{beside, idle},
};
use crate::{
    files::s3::{Network, place},
    migrations::site::until,
};

tests::on_both!(a_store_that_is_away_from_the_start_refuses_the_run, files_wait_for_a_store_that_went_away,);

/// A site whose files are in a bucket that commands reach by a network of their own.
struct Site {
    world: World,
    place: String,
    network: Network,
}

impl Site {
    async fn new(engine: Engine) -> Self {
        let place = place();
        let store = Some(ArtifactStore::open(&place).unwrap());
        let world = World::with(engine, Setup { store, ..idle() }).await;
        mark::check(&world.app).await.unwrap();
        Self { world, place, network: Network::new().await }
    }

    /// By which settings a command reaches the bucket.
    fn settings(&self) -> [(&str, &str); 2] {
        [("JOBLINK_ARTIFACTS", &self.place), ("AWS_ENDPOINT", &self.network.address)]
    }

    async fn waiting(&self) -> i64 {
        self.world.count("SELECT count(*) FROM artifact_purges WHERE completed_at IS NULL").await
    }
}

async fn a_store_that_is_away_from_the_start_refuses_the_run(engine: Engine) {
    let site = Site::new(engine).await;
    let jobs = due_jobs(&site.world, 3).await;
    site.network.fail().await;
    let refused = joblink(&site.world, &RUN, &site.settings()).await;
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    assert!(refused.err.contains("\njoblink: cannot read the artifact store: "), "{refused:?}");
    assert_eq!(refused.err.lines().count(), 2, "{refused:?}");
    assert_eq!(site.world.count("SELECT count(*) FROM retention_runs").await, 0);
    assert_eq!(site.world.count("SELECT count(*) FROM bulk_upload_jobs").await, 3);
    assert_eq!(site.world.app.store.keys().await.unwrap().len(), jobs.len());
}

async fn files_wait_for_a_store_that_went_away(engine: Engine) {
    for server in [false, true] {
        let site = Site::new(engine).await;
        due_jobs(&site.world, 60).await;
        let (mut command, choke) = held_in_the_middle(&site.world, &site.settings()).await;
        site.network.fail().await;
        choke.open();
        assert_eq!(command.ended().await, 1, "{}", command.err());
        let told: Value = until("it told what it did", async || serde_json::from_str(&command.out()).ok()).await;
        assert_eq!(told["jobs"], json!({ "FAILED": { "DELETE": 60 } }));
        assert_eq!((&told["errors"], &told["purgesPending"]), (&json!([]), &json!(60)));
        let said = "joblink: the files of 60 jobs are not removed yet, as the artifact store did not do it when it was \
                    asked; a server or the next run removes them\n";
        until("it said so", async || command.err().ends_with(said).then_some(())).await;
        assert_eq!(site.world.count("SELECT count(*) FROM retention_runs WHERE finished_at IS NULL").await, 0);
        assert_eq!((site.waiting().await, site.world.app.store.keys().await.unwrap().len()), (60, 60));
        site.world.check_invariants().await;

        site.network.mend();
        later(&site.world).await;
        if server {
            let store = Some(ArtifactStore::open(&site.place).unwrap());
            beside(&site.world, Setup { store, ..Setup::default() }).await.purged().await;
        } else {
            // Nothing is due any more.
            let again = joblink(&site.world, &RUN, &site.settings()).await;
            assert_eq!(again.err.lines().count(), 1, "where it works, and no more: {again:?}");
            let summary = summary(&again);
            assert_eq!((&summary["jobs"], &summary["purgesPending"]), (&json!({}), &json!(0)));
        }
        assert_eq!((site.waiting().await, site.world.app.store.keys().await.unwrap().len()), (0, 0));
        site.world.check_invariants().await;
    }
}
