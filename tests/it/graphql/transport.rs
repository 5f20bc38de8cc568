//! The edge to the network: which requests are let in, and what pages and probes answer.

use std::io::Read;

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tests::{Engine, Setup, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::code;

#[tokio::test]
async fn nothing_but_get_and_post_is_answered() {
    let world = World::new(Engine::Sqlite).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "completed").await;
    let mutation = format!("mutation {{ deleteJob(id: \"{job}\") {{ deletedJobId }} }}");
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::TRACE] {
        for query in ["{ __typename }", &mutation] {
            let mut url = reqwest::Url::parse(&format!("{}/graphql", world.base())).unwrap();
            url.query_pairs_mut().append_pair("query", query);
            let request = world.http.request(method.clone(), url).json(&json!({ "query": query }));
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
            assert_eq!(response.headers()[header::ALLOW], "GET, HEAD, POST", "{method}");
            assert!(response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none(), "{method}");
            assert_eq!(code(&response.json().await.unwrap()), "METHOD_NOT_ALLOWED");
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
    world.check_invariants().await;
}

#[tokio::test]
async fn what_a_form_of_another_site_could_send_is_refused() {
    let world = World::new(Engine::Sqlite).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "completed").await;
    let body = json!({ "query": format!("mutation {{ deleteJob(id: \"{job}\") {{ deletedJobId }} }}") }).to_string();
    for kind in [
        None,
        Some(""),
        Some("text/plain"),
        Some("text/plain; charset=utf-8"),
        Some("text/plain;application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonx"),
        Some("application/graphql"),
        Some("multipart/form-data; boundary=x"),
        Some("multipart/mixed; boundary=x"),
    ] {
        let request = world.post().body(body.clone());
        let request = if let Some(kind) = kind { request.header("content-type", kind) } else { request };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{kind:?}");
        assert_eq!(code(&response.json().await.unwrap()), "CSRF_BLOCKED", "{kind:?}");
    }
    let form = |name: &str| {
        let operations = json!({ "query": "mutation($f: Upload!) { createJob(input: {kind: ANNUAL, source: {file: $f}}) { job { id } } }",
            "variables": { "f": null } });
        let part = reqwest::multipart::Part::bytes(crate::deletion::file(1).into_bytes()).file_name("a.csv");
        let form = reqwest::multipart::Form::new().text("operations", operations.to_string());
        let request = world.post().multipart(form.text("map", "{\"0\": [\"variables.f\"]}").part("0", part));
        if name.is_empty() { request } else { request.header(name, "1") }
    };
    for name in ["", "x-requested-with", "authorization"] {
        let response = form(name).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}");
        assert_eq!(code(&response.json().await.unwrap()), "CSRF_BLOCKED", "{name}");
    }
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM audit_log").await, 0);
    assert!(world.app.store.keys().await.unwrap().is_empty());
    for name in ["apollo-require-preflight", "x-apollo-operation-name"] {
        let answer: Value = form(name).send().await.unwrap().json().await.unwrap();
        let id = answer["data"]["createJob"]["job"]["id"].as_str().unwrap();
        world.ended(id).await;
    }
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        let request = world.post().header("content-type", kind).body("{\"query\":\"{ __typename }\"}");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{kind}");
    }
    world.check_invariants().await;
}

/// A request by hand, as no client library would send it; the status of its answer.
async fn by_hand(world: &World, path: &str, headers: &str) -> u16 {
    let body = "{\"query\":\"{ __typename }\"}";
    let mut stream = TcpStream::connect(world.base().strip_prefix("http://").unwrap()).await.unwrap();
    let method = if path == "/graphql" { "POST" } else { "GET" };
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn in_local_mode_only_this_machine_is_answered() {
    let world = World::new(Engine::Sqlite).await;
    let port = world.base().rsplit_once(':').unwrap().1.to_owned();
    let here = format!("host: 127.0.0.1:{port}\r\n");
    for path in ["/graphql", "/graphiql", "/console", "/healthz", "/"] {
        let well = if path == "/" { 307 } else { 200 };
        for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.0.0.2"] {
            assert_eq!(by_hand(&world, path, &format!("host: {host}:{port}\r\n")).await, well, "{path} {host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "127.0.0.1.nip.io",
            "0.0.0.0",
            "10.0.0.1",
            "[fe80::1]",
            "2130706433",
            "localhost.",
        ] {
            let status = by_hand(&world, path, &format!("host: {host}:{port}\r\n")).await;
            assert_eq!(status, 403, "{path} {host}");
        }
        for origin in ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:3000", &world.base()] {
            assert_eq!(by_hand(&world, path, &format!("{here}origin: {origin}\r\n")).await, well, "{path} {origin}");
        }
        for origin in [
            "null",
            "http://example.com",
            "https://localhost.example.com",
            "file://",
            "",
            "http://127.0.0.1@example.com",
            "http://example.com#localhost",
        ] {
            assert_eq!(by_hand(&world, path, &format!("{here}origin: {origin}\r\n")).await, 403, "{path} {origin:?}");
        }
    }
    // With tokens it may be reached from elsewhere.
    let world = World::with(Engine::Sqlite, Setup { tokens: true, ..Default::default() }).await;
    for headers in ["host: example.com\r\n", "host: example.com\r\norigin: http://example.org\r\n"] {
        assert_eq!(by_hand(&world, "/graphql", headers).await, 200, "{headers}");
    }
}

#[tokio::test]
async fn probes_answer_for_the_server_and_its_database() {
    let mut world = World::new(Engine::Sqlite).await;
    let get = async |path: &str| {
        let response = world.http.get(format!("{}{path}", world.base())).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    };
    assert_eq!(get("/healthz").await, (StatusCode::OK, "ok".to_owned()));
    assert_eq!(get("/readyz").await, (StatusCode::OK, "ready".to_owned()));
    assert_eq!(get("/nothing").await.0, StatusCode::NOT_FOUND);
    world.app.db.clone().close().await.unwrap();
    assert_eq!(get("/healthz").await.0, StatusCode::OK);
    // That it answered is told for a second more.
    let down = (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer".to_owned());
    world.until(async || (get("/readyz").await == down).then_some(())).await;
    let response =
        world.post().json(&json!({ "query": "{ jobs { totalCount } viewer { role } }" })).send().await.unwrap();
    assert_eq!(
        (response.status(), response.headers()[header::RETRY_AFTER].as_bytes()),
        (StatusCode::SERVICE_UNAVAILABLE, &b"1"[..])
    );
    let answer: Value = response.json().await.unwrap();
    assert_eq!(code(&answer), "DATABASE_BUSY");
    assert_eq!(answer["data"], json!({ "jobs": null, "viewer": { "role": "OPERATOR" } }));
    world.stop().await;
}

#[tokio::test]
async fn the_pages_are_whole_and_ask_nobody_else() {
    let world = World::new(Engine::Sqlite).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let response = client.get(world.base()).send().await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()[header::LOCATION]),
        (StatusCode::TEMPORARY_REDIRECT, &"/console".parse().unwrap())
    );
    for (page, same) in [("/console", "/console/jobs/1?sort=file"), ("/graphiql", "/graphiql?x=1")] {
        is_whole(&client, &world.base(), page, same).await;
    }
}

/// Looks at a page, at what it loads, and at another address of the same page.
async fn is_whole(client: &reqwest::Client, base: &str, name: &str, same: &str) {
    let get = |path: &str| client.get(format!("{base}{path}"));

    let page = get(name).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let headers = page.headers().clone();
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
    assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    for rule in
        ["default-src '", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe-eval"), "{policy}");
    // GraphiQL's styles alone are set by its scripts.
    assert_eq!(policy.contains("unsafe"), name == "/graphiql", "{policy}");
    let html = page.text().await.unwrap();
    assert_eq!(get(same).send().await.unwrap().text().await.unwrap(), html);
    let assets = format!("{name}/assets/");
    let linked: Vec<&str> = html.split(&assets).skip(1).map(|rest| rest.split(['"', '\'']).next().unwrap()).collect();
    assert!(linked.len() >= 2, "{html}");
    assert!(!html.contains("https://") && !html.contains("//cdn"), "{html}");

    for name in linked {
        let path = format!("{assets}{name}");
        let plain = get(&path).send().await.unwrap();
        assert_eq!(plain.status(), StatusCode::OK, "{name}");
        let kind = match name.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript",
            "css" => "text/css",
            _ => "image/svg+xml",
        };
        assert_eq!(plain.headers()[header::CONTENT_TYPE], kind, "{name}");
        assert_eq!(plain.headers()[header::VARY], "accept-encoding", "{name}");
        assert!(plain.headers().get(header::CONTENT_ENCODING).is_none(), "{name}");
        let tag = plain.headers()[header::ETAG].clone();
        let plain = plain.bytes().await.unwrap();
        let packed = get(&path).header(header::ACCEPT_ENCODING, "br, gzip").send().await.unwrap();
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip", "{name}");
        let packed = packed.bytes().await.unwrap();
        assert!(packed.len() < plain.len(), "{name}");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain, "{name} differs");
        for seen in [tag.to_str().unwrap().to_owned(), format!("\"x\", W/{}", tag.to_str().unwrap())] {
            let again = get(&path).header(header::IF_NONE_MATCH, seen).send().await.unwrap();
            assert_eq!((again.status(), &again.headers()[header::ETAG]), (StatusCode::NOT_MODIFIED, &tag), "{name}");
            assert!(again.bytes().await.unwrap().is_empty(), "{name}");
        }
        let changed = get(&path).header(header::IF_NONE_MATCH, "\"x\"").send().await.unwrap();
        assert_eq!(changed.status(), StatusCode::OK, "{name}");
        let refused = get(&path).header(header::ACCEPT_ENCODING, "gzip;q=0, identity").send().await.unwrap();
        assert!(refused.headers().get(header::CONTENT_ENCODING).is_none(), "{name}: gzip was refused");
    }
    for nothing in ["", "nothing.js", "index.html", "LICENSES.txt", "..%2f..%2fCargo.toml", "x", "x/y.js"] {
        let path = format!("{assets}{nothing}");
        assert_eq!(get(&path).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
}
