//! A server runs on the copy as it did on the source.

use serde_json::json;
use tests::{Engine, Setup, World, sha256};

use super::{copied, copy, filled::filled};
use crate::{deletion::delete, migrations::site::Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_lists_jobs_serves_files_and_deletes_on_the_copy() {
    let (source, target) = (filled().await, Site::empty(Engine::Postgres).await);
    copied(copy(&source.url, &target.url, &[]).await);
    let setup = Setup { url: Some(target.url.clone()), artifacts: Some(source.artifacts.clone()), ..Setup::default() };
    let world = World::with(Engine::Postgres, setup).await;
    let list = "{ jobs(first: 20) { totalCount nodes { id fileName status artifacts { kind sha256 downloadUrl } } } }";
    let jobs = world.data(list, json!({})).await["jobs"].take();
    assert_eq!(jobs["totalCount"], source.count("SELECT count(*) FROM bulk_upload_jobs").await);
    let job = jobs["nodes"].as_array().unwrap().iter().find(|job| job["fileName"] == "quarterly.csv").unwrap();
    let files = job["artifacts"].as_array().unwrap();
    assert_eq!(files.len(), 3);
    for file in files {
        let url = format!("{}{}", world.base(), file["downloadUrl"].as_str().unwrap());
        let bytes = world.http.get(url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(file["sha256"], sha256(&bytes), "{file}");
    }
    let before = world.count("SELECT count(*) FROM quarterly_predictions").await;
    let deleted = delete(&world, job["id"].as_str().unwrap(), json!({ "cascade": true })).await;
    assert!(before > 0 && deleted["receipt"]["deletedQuarterlyPredictions"] == before, "{deleted}");
    assert_eq!(world.count("SELECT count(*) FROM quarterly_predictions").await, 0);
    world.purged().await;
    let again = world.upload("QUARTERLY", "again.csv", include_str!("../../../fixtures/quarterly.csv")).await;
    assert_eq!(world.ended(&again).await, "completed");
}
