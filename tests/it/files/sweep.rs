//! What belongs to no job is found and removed, and nothing else.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use api::files::{mark, staged, sweep::sweep};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use crate::{deletion::file, migrations::program::run, upload::files_on_disk};

tests::on_both!(
    files_without_a_job_go_and_all_others_stay,
    a_store_in_order_is_left_as_it_is,
    what_was_never_finished_or_registered_goes_once_it_is_old,
    what_is_received_for_longer_than_a_day_and_never_finished_goes,
    the_age_is_the_operators,
);

/// A file of a job, as old as it says; its key.
fn put(world: &World, job: &str, hours: u64) -> String {
    put_at(world, format!("jobs/{job}/input/{}", Uuid::now_v7()), hours)
}

/// A file under a key, as old as it says; the key.
fn put_at(world: &World, key: String, hours: u64) -> String {
    let path = world.artifacts.join(&key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "1234567890").unwrap();
    File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_hours(hours))
        .unwrap();
    key
}

fn keys(store: &Path) -> Vec<String> {
    let mut keys = Vec::new();
    for job in fs::read_dir(store.join("jobs")).unwrap().flatten() {
        for file in fs::read_dir(job.path().join("input")).into_iter().flatten().flatten() {
            keys.push(format!("jobs/{}/input/{}", job.file_name().display(), file.file_name().display()));
        }
    }
    keys.sort();
    keys
}

async fn files_without_a_job_go_and_all_others_stay(engine: Engine) {
    let mut world = World::with(engine, Setup::default()).await;
    let living = world.upload("ANNUAL", "a.csv", file(5)).await;
    world.stop().await;
    let mut stay = keys(&world.artifacts);
    // A file that was never registered belongs to its job all the same.
    stay.push(put(&world, &living, 100));
    let [gone, other, young, purging] = [0; 4].map(|_| Uuid::new_v4().to_string());
    // A job that is being made now of a file that was sent long ago.
    let made_now = Uuid::now_v7().to_string();
    let mut go = vec![put(&world, &gone, 2), put(&world, &gone, 100), put(&world, &other, 2)];
    stay.extend([
        put(&world, &young, 0),
        put(&world, &purging, 100),
        put(&world, "notes", 100),
        put(&world, &made_now, 100),
    ]);
    let purge = "INSERT INTO artifact_purges (job_id, due_at, attempts) VALUES ($1, '2100-01-01T00:00:00+00:00', 0) RETURNING attempts";
    let _attempts: i32 = world.one(purge, [purging.parse::<Uuid>().unwrap().into()]).await;
    go.sort();
    stay.sort();

    let store = world.artifacts.to_str().unwrap().to_owned();
    let sweep = async |more: &[&str]| {
        run("joblink", &world.url, &[&["artifacts", "sweep", "--artifacts", &store], more].concat()).await
    };
    let unmarked = sweep(&["--yes"]).await;
    assert_eq!(unmarked.code, 3, "no server has used it yet: {unmarked:?}");
    assert_eq!(mark::check(&world.app).await.unwrap(), mark::Found::Right);
    let all = keys(&world.artifacts);
    let dry = sweep(&["--dry-run"]).await;
    let asked = sweep(&[]).await;
    assert_eq!((dry.code, asked.code), (0, 3), "{asked:?}");
    assert!(asked.err.ends_with("joblink: nothing was removed; do it with --yes\n"), "{asked:?}");
    assert_eq!(dry.out, asked.out);
    assert_eq!(keys(&world.artifacts), all);
    let mut told: Vec<&str> = dry.out.lines().collect();
    let words = told.split_off(3);
    told.sort_unstable();
    assert_eq!(told, go);
    assert_eq!(
        words,
        [
            "would be removed: 3 files without a job, 30 bytes",
            "left: 3 files that are young or about to be purged",
            "not Joblink's, left alone: jobs/notes",
        ]
    );

    let done = sweep(&["--yes", "--json"]).await;
    let told: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((done.code, &told["bytes"], &told["strangers"]), (0, &json!(30), &json!(["notes"])));
    assert_eq!(keys(&world.artifacts), stay);
    let again = sweep(&["--yes"]).await;
    assert!(again.out.starts_with("removed: 0 files without a job, 0 bytes\n"), "{again:?}");
    let log = world.rows("SELECT detail FROM audit_log WHERE action = 'sweep' ORDER BY id").await;
    assert_eq!(log[0]["detail"], "removed 3 files without a job, 30 bytes");
}

async fn a_store_in_order_is_left_as_it_is(engine: Engine) {
    let mut world = World::with(engine, Setup::default()).await;
    world.upload("ANNUAL", "a.csv", file(5)).await;
    let gone = world.upload("ANNUAL", "b.csv", file(5)).await;
    crate::deletion::delete(&world, &gone, json!({ "cascade": true })).await;
    world.purged().await;
    world.stop().await;
    mark::check(&world.app).await.unwrap();
    let before = keys(&world.artifacts);
    let done =
        run("joblink", &world.url, &["artifacts", "sweep", "--artifacts", world.artifacts.to_str().unwrap()]).await;
    assert_eq!((done.code, done.out.as_str()), (0, "removed: 0 files without a job, 0 bytes\n"), "{done:?}");
    assert_eq!(keys(&world.artifacts), before);
}

/// What writes leave that never came to their end, and workers that lost their job to another: it goes, unless it is young.
async fn what_was_never_finished_or_registered_goes_once_it_is_old(engine: Engine) {
    let mut world = World::with(engine, Setup::default()).await;
    let ended = world.upload("ANNUAL", "a.csv", file(5)).await;
    let open = world.upload("ANNUAL", "b.csv", file(6)).await;
    world.stop().await;
    world.run("UPDATE bulk_upload_jobs SET status = 'processing' WHERE original_filename = 'b.csv'").await;
    let staged = "INSERT INTO staged_uploads (id, user_id, name, size, sha256, created_at)
        VALUES ($1, $2, 'a.csv', 10, '', '2100-01-01T00:00:00+00:00') RETURNING size";
    let waiting = Uuid::now_v7();
    let _size: i64 = world.one(staged, [waiting.into(), world.local_user().await.into()]).await;
    let id = Uuid::now_v7;
    // A job that was about to be made when its file was copied, long ago.
    let begun = Uuid::new_v4();
    let empty = world.artifacts.join(format!("jobs/{}/output", Uuid::new_v4()));
    fs::create_dir_all(&empty).unwrap();
    let stay = [
        put_at(&world, format!("jobs/{ended}/output/{}", id()), 0),
        put_at(&world, format!("jobs/{ended}/output/notes.txt"), 100),
        put_at(&world, format!("jobs/{open}/output/{}", id()), 100),
        put_at(&world, format!("jobs/{open}/output/{}#1", id()), 100),
        put_at(&world, format!("uploads/{waiting}"), 100),
        put_at(&world, format!("uploads/{}#1", id()), 0),
        put_at(&world, "uploads/notes.txt".to_owned(), 100),
    ];
    let mut go = vec![
        put_at(&world, format!("jobs/{ended}/output/{}", id()), 2),
        put_at(&world, format!("jobs/{ended}/output/{}#1", id()), 2),
        put_at(&world, format!("jobs/{begun}/input/{}#12", id()), 2),
        put_at(&world, format!("uploads/{}", id()), 2),
        put_at(&world, format!("uploads/{}#1", id()), 2),
    ];
    go.sort();
    let registered = world.count("SELECT count(*) FROM artifacts").await;
    let young = sweep(&world.app, Duration::from_hours(3), false).await.unwrap();
    assert_eq!((young.keys.len(), young.left), (0, 7));
    let mut swept = sweep(&world.app, Duration::from_hours(1), false).await.unwrap();
    swept.keys.sort();
    assert_eq!((swept.keys, swept.left), (go, 2));
    assert!(!empty.parent().unwrap().exists() && !world.artifacts.join(format!("jobs/{begun}")).exists());
    assert!(stay.iter().all(|key| world.artifacts.join(key).exists()));
    assert_eq!(files_on_disk(&world).len(), stay.len() + usize::try_from(registered).unwrap());
}

async fn what_is_received_for_longer_than_a_day_and_never_finished_goes(engine: Engine) {
    let world = World::with(engine, Setup { asleep: true, ..Setup::default() }).await;
    let go = put_at(&world, format!("uploads/{}#3", Uuid::now_v7()), 25);
    let stay = put_at(&world, format!("uploads/{}#3", Uuid::now_v7()), 23);
    staged::drop_stale(&world.app).await.unwrap();
    assert!(!world.artifacts.join(go).exists() && world.artifacts.join(stay).exists());
}

async fn the_age_is_the_operators(engine: Engine) {
    let mut world = World::with(engine, Setup::default()).await;
    let living = world.upload("ANNUAL", "a.csv", file(5)).await;
    world.stop().await;
    mark::check(&world.app).await.unwrap();
    put_at(&world, format!("jobs/{living}/output/{}", Uuid::now_v7()), 0);
    let store = world.artifacts.to_str().unwrap();
    let sweep = async |age: &str| {
        let arguments = ["artifacts", "sweep", "--artifacts", store, "--yes", "--older-than", age];
        run("joblink", &world.url, &arguments).await
    };
    for wrong in ["", "1", "h", "-1h", "1 h", "1.5h", "99999999999d"] {
        assert_eq!(sweep(wrong).await.code, 2, "{wrong}");
    }
    assert!(sweep("10m").await.out.starts_with("removed: 0 files"));
    let done = sweep("0s").await;
    assert!(done.out.contains("removed: 1 file without a job, 10 bytes"), "{done:?}");
    world.check_invariants().await;
}
