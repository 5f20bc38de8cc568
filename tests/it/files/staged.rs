//! Files sent ahead, and requests for a job that are sent twice.

use api::checkpoint::Checkpoint;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Engine, Gate, Setup, World, people};

use crate::deletion::{delete, file};

tests::on_both!(
    a_file_sent_ahead_becomes_one_job,
    names_that_are_none_or_read_otherwise_than_they_end_are_mended,
    an_upload_is_its_senders_own,
    an_upload_that_no_job_takes_goes_after_a_day,
    what_is_no_upload_is_refused,
    the_same_key_and_file_give_the_first_job_again,
    of_two_requests_under_one_key_at_once_one_makes_the_job,
    the_same_request_sent_again_while_the_first_is_at_work_gets_its_job,
    a_key_is_its_users_own_for_a_day,
);

const CREATE: &str = "mutation($upload: ID!, $key: String, $kind: PredictionKind = ANNUAL) {
    createJob(input: {kind: $kind, source: {uploadId: $upload}, idempotencyKey: $key}) {
        job { id fileName progress { total } } userErrors { code message field } } }";

async fn send(world: &World, token: Option<&str>, name: &str, file: impl Into<reqwest::Body>) -> (StatusCode, Value) {
    let request = world.http.post(format!("{}/uploads?name={name}", world.base())).header("content-type", "text/csv");
    let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
    let response = request.body(file).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn upload(world: &World, file: String) -> String {
    let (status, upload) = send(world, None, "a.csv", file).await;
    assert_eq!(status, 201, "{upload}");
    upload["uploadId"].as_str().unwrap().to_owned()
}

async fn create(world: &World, upload: &str, key: Option<&str>) -> Value {
    world.data(CREATE, json!({ "upload": upload, "key": key })).await["createJob"].take()
}

fn refused(payload: &Value) -> (&str, &Value) {
    assert_eq!(payload["job"], json!(null));
    (payload["userErrors"][0]["code"].as_str().unwrap(), &payload["userErrors"][0]["field"])
}

async fn a_file_sent_ahead_becomes_one_job(engine: Engine) {
    let world = World::new(engine).await;
    let (status, upload) = send(&world, None, "dir%2F%C3%A4+b.csv", file(3)).await;
    assert_eq!((status, &upload["size"]), (StatusCode::CREATED, &json!(file(3).len())));
    let id = upload["uploadId"].as_str().unwrap();
    let job = create(&world, id, None).await["job"].take();
    assert_eq!((&job["fileName"], &job["progress"]["total"]), (&json!("ä b.csv"), &json!(3)));
    assert_eq!(world.ended(job["id"].as_str().unwrap()).await, "completed");
    assert_eq!(refused(&create(&world, id, None).await), ("NOT_FOUND", &json!(["input", "source", "uploadId"])));
    // A file that is refused still waits, for the other kind or a better file.
    let id = self::upload(&world, file(4)).await;
    let wrong = world.data(CREATE, json!({ "upload": id, "kind": "QUARTERLY" })).await["createJob"].take();
    assert_eq!(refused(&wrong), ("INVALID_FILE", &json!(["input", "source", "uploadId"])));
    assert!(create(&world, &id, None).await["job"]["id"].is_string());
    world.run("DELETE FROM staged_uploads").await;
}

async fn names_that_are_none_or_read_otherwise_than_they_end_are_mended(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    for (given, kept) in [
        ("", "upload.csv"),
        (".", "upload.csv"),
        ("..", "upload.csv"),
        ("data/..", "upload.csv"),
        ("annual\u{202e}vsc\u{2066}.\u{200e}exe", "annualvsc.exe"),
        ("an\u{85}nual\u{2028}.csv", "annual.csv"),
    ] {
        let address = reqwest::Url::parse_with_params(&format!("{}/uploads", world.base()), [("name", given)]).unwrap();
        let request = world.http.post(address).header("content-type", "text/csv").body(file(3));
        let upload: Value = request.send().await.unwrap().json().await.unwrap();
        let ahead = create(&world, upload["uploadId"].as_str().unwrap(), None).await["job"]["fileName"].take();
        let job = world.create("ANNUAL", given, file(3)).await["job"]["id"].take();
        let question = "query($id: ID!) { job(id: $id) { fileName artifacts { name downloadUrl } } }";
        let job = world.data(question, json!({ "id": job })).await["job"].take();
        let input = &job["artifacts"][0];
        for name in [&upload["name"], &ahead, &job["fileName"], &input["name"]] {
            assert_eq!(name, kept, "{given:?}");
        }
        let address = format!("{}{}", world.base(), input["downloadUrl"].as_str().unwrap());
        let response = world.http.get(address).send().await.unwrap();
        let wanted = format!("attachment; filename=\"{kept}\"; filename*=UTF-8''{kept}");
        assert_eq!(response.headers()["content-disposition"], wanted, "{given:?}");
    }
}

async fn an_upload_is_its_senders_own(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Setup::default() }).await;
    let people = people(&world).await;
    let (_, upload) = send(&world, Some(&people.anna.token), "a.csv", file(3)).await;
    for stranger in [&people.ben, &people.dora, &people.olga] {
        let payload = world.data_to(&stranger.token, CREATE, json!({ "upload": upload["uploadId"] })).await;
        assert_eq!(refused(&payload["createJob"]).0, "NOT_FOUND");
    }
    let payload = world.data_to(&people.anna.token, CREATE, json!({ "upload": upload["uploadId"] })).await;
    assert!(payload["createJob"]["job"]["id"].is_string());
    assert_eq!(send(&world, None, "a.csv", file(3)).await.0, 401);
    assert_eq!(send(&world, Some("nonsense"), "a.csv", file(3)).await.0, 401);
}

async fn an_upload_that_no_job_takes_goes_after_a_day(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    let (old, young) = (upload(&world, file(3)).await, upload(&world, file(4)).await);
    let a_day_ago = (chrono::Utc::now() - chrono::TimeDelta::hours(25)).to_rfc3339();
    let id = if engine == Engine::Sqlite { format!("x'{}'", old.replace('-', "")) } else { format!("'{old}'") };
    world.run(&format!("UPDATE staged_uploads SET created_at = '{a_day_ago}' WHERE id = {id}")).await;
    assert_eq!(refused(&create(&world, &old, None).await).0, "NOT_FOUND", "also before it is cleared away");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(25);
    let kept = std::fs::File::options().write(true).open(world.artifacts.join("uploads").join(&old)).unwrap();
    kept.set_modified(long_ago).unwrap();
    api::files::staged::drop_stale(&world.app).await.unwrap();
    assert_eq!(world.app.store.keys().await.unwrap(), [format!("uploads/{young}")]);
    assert_eq!(world.count("SELECT count(*) FROM staged_uploads").await, 1);
}

async fn what_is_no_upload_is_refused(engine: Engine) {
    let limits = api::app::Limits { file_bytes: 1_000, ..Default::default() };
    let world = World::with(engine, Setup { limits, ..Setup::default() }).await;
    let (status, told) = send(&world, None, "a.csv", vec![b'x'; 1_001]).await;
    assert_eq!((status.as_u16(), &told["errors"][0]["extensions"]["code"]), (413, &json!("PAYLOAD_TOO_LARGE")));
    let chunks = futures_util::stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 400])));
    assert_eq!(send(&world, None, "a.csv", reqwest::Body::wrap_stream(chunks)).await.0, 413, "without a length");
    let post = || world.http.post(format!("{}/uploads", world.base())).body("a,b\n");
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"] {
        let response = post().header("content-type", kind).send().await.unwrap();
        assert_eq!(response.status(), 415, "{kind}: any page could send it");
    }
    assert_eq!(post().send().await.unwrap().status(), 415);
    let meant = post().header("content-type", "text/plain").header("apollo-require-preflight", "1");
    assert_eq!(meant.send().await.unwrap().status(), 201);
    for unknown in ["nonsense", "01a1ffff-0000-7000-8000-000000000000"] {
        assert_eq!(refused(&create(&world, unknown, None).await).0, "NOT_FOUND");
    }
    world.run("DELETE FROM staged_uploads").await;
    assert_eq!(world.app.store.keys().await.unwrap().len(), 1, "what was refused left no file");
}

async fn the_same_key_and_file_give_the_first_job_again(engine: Engine) {
    let world = World::new(engine).await;
    let sent = upload(&world, file(3)).await;
    let first = create(&world, &sent, Some("key")).await;
    let id = first["job"]["id"].as_str().unwrap();
    world.ended(id).await;
    // The very same request again, also after the upload was taken; and the same file sent anew.
    let again = upload(&world, file(3)).await;
    for upload in [&sent, &again] {
        assert_eq!(create(&world, upload, Some("key")).await["job"]["id"], id);
    }
    let other = upload(&world, file(4)).await;
    let field = json!(["input", "idempotencyKey"]);
    assert_eq!(refused(&create(&world, &other, Some("key")).await), ("VALIDATION_FAILED", &field));
    let kind = world.data(CREATE, json!({ "upload": again, "key": "key", "kind": "QUARTERLY" })).await;
    assert_eq!(refused(&kind["createJob"]), ("VALIDATION_FAILED", &field));
    for bad in ["", "a\0b", &"x".repeat(256)] {
        assert_eq!(refused(&create(&world, &other, Some(bad)).await), ("VALIDATION_FAILED", &field));
    }
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
    delete(&world, id, json!({ "cascade": true })).await;
    assert_eq!(refused(&create(&world, &again, Some("key")).await).0, "JOB_ALREADY_DELETED");
}

async fn of_two_requests_under_one_key_at_once_one_makes_the_job(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::JobBeforeCommit, 1);
    let world = World::with(engine, Setup { checkpoints, ..Setup::default() }).await;
    let (one, two) = (upload(&world, file(3)).await, upload(&world, file(3)).await);
    let (first, second, ()) = tokio::join!(
        create(&world, &one, Some("key")),
        async {
            gate.wait().await;
            let second = create(&world, &two, Some("key"));
            let (second, ()) = tokio::join!(second, async {
                world.somebody_waits().await;
                gate.open();
            });
            second
        },
        async {}
    );
    assert!(first["job"]["id"].is_string(), "{first}");
    assert_eq!(first["job"]["id"], second["job"]["id"], "{second}");
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
    let left = world.app.store.keys().await.unwrap().into_iter().filter(|key| key.starts_with("uploads/")).count();
    assert_eq!(left, 1, "the second file waits again");
}

async fn the_same_request_sent_again_while_the_first_is_at_work_gets_its_job(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::JobBeforeInsert, 1);
    let world = World::with(engine, Setup { checkpoints, ..Setup::default() }).await;
    let sent = upload(&world, file(3)).await;
    let (first, second) = tokio::join!(create(&world, &sent, Some("key")), async {
        gate.wait().await;
        // It looks for its key and its file as well, and finds the file.
        let (second, ()) = tokio::join!(create(&world, &sent, Some("key")), async {
            gate.wait().await;
            gate.open();
        });
        second
    });
    assert!(first["job"]["id"].is_string(), "{first}");
    assert_eq!(first["job"]["id"], second["job"]["id"], "{second}");
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
    let told = "SELECT count(*) FROM audit_log WHERE detail = 'answered as before, by its idempotency key'";
    assert_eq!(world.count(told).await, 1);
}

async fn a_key_is_its_users_own_for_a_day(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Setup::default() }).await;
    let people = people(&world).await;
    let create = async |token: &str| {
        let (_, upload) = send(&world, Some(token), "a.csv", file(3)).await;
        let variables = json!({ "upload": upload["uploadId"], "key": "key" });
        world.data_to(token, CREATE, variables).await["createJob"]["job"]["id"].take()
    };
    let (anna, ben) = (create(&people.anna.token).await, create(&people.ben.token).await);
    assert_ne!(anna, ben);
    assert_eq!(create(&people.anna.token).await, anna);
    let a_day_ago = (chrono::Utc::now() - chrono::TimeDelta::hours(25)).to_rfc3339();
    world.run(&format!("UPDATE idempotency_keys SET created_at = '{a_day_ago}'")).await;
    assert_ne!(create(&people.anna.token).await, anna);
    api::jobs::idempotency::drop_old(&world.app).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM idempotency_keys").await, 1);
}
