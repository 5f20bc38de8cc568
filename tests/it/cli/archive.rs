//! `delete --archive`: what goes is in the archive first, byte for byte.

use std::{collections::BTreeMap, io::Read};

use entity::artifact;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::{Engine, World};

use super::{deleting::left, program::jobs};
use crate::deletion::file;

tests::on_both!(
    what_is_deleted_is_in_the_archive,
    a_job_that_cannot_be_archived_whole_stays,
    an_archive_is_never_overwritten,
);

/// The files of an archive.
fn read(path: &str) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        assert!(files.insert(name, content).is_none());
    }
    files
}

fn lines(content: &[u8]) -> Vec<Value> {
    std::str::from_utf8(content).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn what_is_deleted_is_in_the_archive(engine: Engine) {
    let world = World::new(engine).await;
    let bad = "S0,Company,1,Tech,19x9,Q4,10,1,5,10,3\n".repeat(130);
    let first = world.upload("ANNUAL", "a.csv", file(230) + &bad).await;
    let quarterly = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/quarterly.csv")).unwrap();
    let second = world.upload("QUARTERLY", "q.csv", quarterly.clone()).await;
    let all = "SELECT a.id, c.symbol, a.reporting_year, a.probability FROM annual_predictions a
               JOIN companies c ON c.id = a.company_id ORDER BY a.id";
    let (annual, artifacts) =
        (world.rows(all).await, artifact::Entity::find().all(world.app.db.reader()).await.unwrap());
    let mut contents = BTreeMap::new();
    for artifact in &artifacts {
        contents.insert(artifact.id.to_string(), world.content(artifact).await);
    }
    let shown = jobs(&world, &["show", &first, "--json"]).await.well().document();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.tar.zst");
    let path = path.to_str().unwrap();
    let arguments =
        ["delete", &first, &second, "--with-predictions", "--yes", "--archive", path, "--reason", "too old"];
    let done = jobs(&world, &arguments).await.well();
    assert_eq!(left(&world).await, 0);
    let sha256: String =
        Sha256::digest(std::fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(done.err.contains(&sha256), "{done:?}");
    for id in [&first, &second] {
        let receipt = jobs(&world, &["receipt", id, "--json"]).await.well().document();
        assert_eq!(receipt["reason"], format!("too old; archived in old.tar.zst, SHA-256 {sha256}"));
    }

    let files = read(path);
    assert_eq!(files.len(), 2 * 6, "{:?}", files.keys());
    let job: Value = serde_json::from_slice(&files[&format!("jobs/{first}/job.json")]).unwrap();
    assert_eq!((&job["id"], &job["artifacts"]), (&shown["id"], &shown["artifacts"]));
    for artifact in &artifacts {
        let name = format!("jobs/{}/artifacts/{}-{}", artifact.job_id, artifact.kind, artifact.id);
        assert!(files[&name] == contents[&artifact.id.to_string()], "{name}");
    }
    let rows = lines(&files[&format!("jobs/{first}/row-errors.jsonl")]);
    assert_eq!((rows.len(), &rows[129]["line"]), (130, &json!(361)));
    let archived = lines(&files[&format!("jobs/{first}/predictions.jsonl")]);
    assert_eq!((archived.len(), annual.len()), (230, 230));
    for (row, prediction) in annual.iter().zip(&archived) {
        assert_eq!(
            (&prediction["company"]["symbol"], &prediction["reportingYear"], &prediction["kind"]),
            (&row["symbol"], &row["reporting_year"], &json!("ANNUAL"))
        );
        assert_eq!(prediction["linkSource"], "UPLOAD");
    }
    let archived = lines(&files[&format!("jobs/{second}/predictions.jsonl")]);
    assert_eq!(archived.len(), 93);
    assert!(archived.iter().all(|prediction| prediction["kind"] == "QUARTERLY"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something is left beside the archive");
}

async fn a_job_that_cannot_be_archived_whole_stays(engine: Engine) {
    let world = World::new(engine).await;
    let (good, bad) = (
        world.upload("ANNUAL", "a.csv", file(5)).await,
        world.upload("ANNUAL", "b.csv", file(5).replace("S0", "T0")).await,
    );
    let artifacts = artifact::Entity::find().all(world.app.db.reader()).await.unwrap();
    let input = artifacts.iter().find(|file| file.job_id.to_string() == bad && file.kind == "input").unwrap();
    let changed = "x".repeat(usize::try_from(input.size).unwrap());
    let stored = walk(&world.artifacts).into_iter().find(|path| path.to_str().unwrap().contains(&input.id.to_string()));
    std::fs::write(stored.expect("the file in the store"), changed).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar.zst");
    let arguments = ["delete", &good, &bad, "--yes", "--json", "--archive", path.to_str().unwrap()];
    let ended = jobs(&world, &arguments).await;
    assert_eq!(ended.sentence(1), "1 job not deleted: 1 failed");
    let lines = ended.lines();
    let line = lines.iter().find(|line| line["jobId"] == bad.as_str()).unwrap();
    assert!(line["error"]["message"].as_str().unwrap().contains("the SHA-256 differs"), "{line}");
    assert_eq!(left(&world).await, 1);
    assert!(read(path.to_str().unwrap()).keys().all(|name| name.contains(&good)));
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

async fn an_archive_is_never_overwritten(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let id = world.adopted_job(user, None, "annual", "completed").await.to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar.zst");
    std::fs::write(&path, "precious").unwrap();
    let refused = jobs(&world, &["delete", &id, "--yes", "--archive", path.to_str().unwrap()]).await;
    assert!(refused.sentence(3).contains("is there already and is not overwritten"), "{refused:?}");
    assert_eq!((left(&world).await, std::fs::read_to_string(&path).unwrap().as_str()), (1, "precious"));
}
