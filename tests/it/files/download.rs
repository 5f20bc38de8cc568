//! Files of jobs are fetched by those who see the job, whole or in part.

use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use crate::deletion::{delete, file};

tests::on_both!(
    a_file_is_fetched_whole_in_part_and_not_again,
    a_file_of_a_job_that_one_does_not_see_is_no_file,
    a_file_that_is_gone_from_the_store_says_so,
);

/// The paths of a job's files by their kind.
async fn paths(world: &World, token: Option<&str>, id: &str) -> Value {
    let query = "query($id: ID!) { job(id: $id) { artifacts { kind downloadUrl } } }";
    let answer = match token {
        Some(token) => world.data_to(token, query, json!({ "id": id })).await,
        None => world.data(query, json!({ "id": id })).await,
    };
    let files = answer["job"]["artifacts"].as_array().unwrap().clone();
    files.into_iter().map(|it| (it["kind"].as_str().unwrap().to_owned(), it["downloadUrl"].clone())).collect()
}

async fn a_file_is_fetched_whole_in_part_and_not_again(engine: Engine) {
    let world = World::new(engine).await;
    let input = file(2_000);
    let id = world.upload("ANNUAL", "Zahlen \"ä\" 2024.csv", input.clone()).await;
    let paths = paths(&world, None, &id).await;
    let url = format!("{}{}", world.base(), paths["INPUT"].as_str().unwrap());
    let get = async |headers: &[(&str, &str)]| {
        let request = headers.iter().fold(world.http.get(&url), |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let told = (response.status().as_u16(), header("content-range"), header("etag"));
        (told, header("content-disposition"), header("content-type"), response.bytes().await.unwrap())
    };
    let ((status, range, tag), name, kind, bytes) = get(&[]).await;
    assert_eq!((status, range), (200, None));
    assert_eq!(bytes, input.as_bytes());
    assert_eq!(
        name.unwrap(),
        "attachment; filename=\"Zahlen ___ 2024.csv\"; filename*=UTF-8''Zahlen%20%22%C3%A4%22%202024.csv"
    );
    assert_eq!(kind.unwrap(), "text/csv; charset=utf-8");
    let (tag, size) = (tag.unwrap(), input.len());

    let ((status, range, _), .., bytes) = get(&[("range", "bytes=100-199")]).await;
    assert_eq!((status, range.unwrap()), (206, format!("bytes 100-199/{size}")));
    assert_eq!(bytes, input.as_bytes()[100..200]);
    let ((status, ..), .., bytes) = get(&[("range", "bytes=-7"), ("if-range", &tag)]).await;
    assert_eq!((status, &bytes[..]), (206, &input.as_bytes()[size - 7..]));
    let ((status, ..), .., bytes) = get(&[("range", "bytes=-7"), ("if-range", "\"another\"")]).await;
    assert_eq!((status, bytes.len()), (200, size));
    let ((status, range, _), .., bytes) = get(&[("range", &format!("bytes={size}-"))]).await;
    assert_eq!((status, range.unwrap(), bytes.len()), (416, format!("bytes */{size}"), 0));
    let ((status, ..), .., bytes) = get(&[("if-none-match", &tag)]).await;
    assert_eq!((status, bytes.len()), (304, 0));
    let ((status, ..), .., bytes) = get(&[("if-none-match", &format!("\"a\", W/{tag}"))]).await;
    assert_eq!((status, bytes.len()), (304, 0), "a tag that was made weak on the way");
    let head = world.http.head(&url).header("range", "bytes=0-9").send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &size.to_string().parse().unwrap()));

    for (kind, wanted) in [("RESULTS", "results"), ("LOG", "log")] {
        let url = format!("{}{}", world.base(), paths[kind].as_str().unwrap());
        assert_eq!(world.http.get(&url).send().await.unwrap().text().await.unwrap(), world.file(&id, wanted).await);
    }
    // What is deleted is no file any more, at once.
    delete(&world, &id, json!({})).await;
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), 404);
}

async fn a_file_of_a_job_that_one_does_not_see_is_no_file(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Setup::default() }).await;
    let people = people(&world).await;
    let id = world.create_as(&people.anna.token, "ANNUAL", "a.csv", file(3)).await["job"]["id"].take();
    let id = id.as_str().unwrap();
    world.ended(id).await;
    let path = paths(&world, Some(&people.anna.token), id).await["INPUT"].as_str().unwrap().to_owned();
    let get = async |token: &str, path: &str| {
        let request = world.http.get(format!("{}{path}", world.base())).header("x-request-id", "r");
        let response = request.bearer_auth(token).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    for reader in [&people.anna, &people.ben, &people.carla, &people.olga] {
        assert_eq!(get(&reader.token, &path).await, (200, file(3)));
    }
    let nothing = get(&people.dora.token, "/artifacts/01a1ffff-0000-7000-8000-000000000000").await;
    assert_eq!(nothing.0, 404);
    for stranger in [&people.dora, &people.emil] {
        assert_eq!(get(&stranger.token, &path).await, nothing, "as if it had never been");
    }
    assert_eq!(get(&people.anna.token, "/artifacts/nonsense").await, nothing);
    assert_eq!(get("no token", &path).await.0, 401);
    let anonymous = world.http.get(format!("{}{path}", world.base())).send().await.unwrap();
    assert_eq!(
        (anonymous.status().as_u16(), anonymous.headers()["www-authenticate"].to_str().unwrap()),
        (401, "Bearer")
    );
}

async fn a_file_that_is_gone_from_the_store_says_so(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(3)).await;
    let path = paths(&world, None, &id).await["INPUT"].as_str().unwrap().to_owned();
    std::fs::remove_dir_all(world.artifacts.join("jobs").join(&id)).unwrap();
    let response = world.http.get(format!("{}{path}", world.base())).send().await.unwrap();
    assert_eq!(response.status(), 404);
    let told: Value = response.json().await.unwrap();
    assert_eq!(told["errors"][0]["message"], "The file is gone from the artifact store.");
}
