//! What every answer bears, whatever was asked: ids, traces, what browsers may do with it, and how small it is.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
    time::Duration,
};

use api::app::{ConnectionLimits, Limits};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use super::{program, says_one_sentence};

const ENGINE: Engine = Engine::Sqlite;
const PAGE: &str = "https://pages.example";

async fn allowing(origins: &'static str, tokens: bool) -> World {
    World::with(ENGINE, Setup { origins, tokens, idle: true, ..Default::default() }).await
}

#[tokio::test]
async fn every_answer_bears_its_id_and_says_what_browsers_may_do_with_it() {
    let world = World::with(ENGINE, Setup { idle: true, ..Default::default() }).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (method, path, host, status) in [
        (Method::GET, "/", None, 307),
        (Method::GET, "/graphiql", None, 200),
        (Method::GET, "/console", None, 200),
        (Method::GET, "/graphql?query=%7B__typename%7D", None, 200),
        (Method::POST, "/graphql", None, 400),
        (Method::PUT, "/graphql", None, 405),
        (Method::POST, "/uploads", None, 415),
        (Method::GET, "/uploads", None, 405),
        (Method::GET, "/artifacts/nothing", None, 404),
        (Method::GET, "/healthz", None, 200),
        (Method::GET, "/readyz", None, 200),
        (Method::GET, "/nothing", None, 404),
        (Method::GET, "/graphql", Some("evil.example"), 403),
    ] {
        let request = client.request(method.clone(), format!("{}{path}", world.base()));
        let request = if let Some(host) = host { request.header("host", host) } else { request };
        let response = request.header("x-request-id", "mine").send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        let page = ["/graphiql", "/console"].contains(&path);
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert_eq!(policy == "default-src 'none'; frame-ancestors 'none'", !page, "{path}: {policy}");
        for (name, value) in [
            ("x-request-id", "mine"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(response.headers()[name], value, "{method} {path}: {name}");
        }
        assert!(response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none(), "{path}");
        let response =
            client.get(format!("{}{path}", world.base())).header("x-request-id", "a b").send().await.unwrap();
        assert_eq!(response.headers()["x-request-id"].len(), 36, "{path}: a new id");
    }
}

#[tokio::test]
async fn pages_of_the_list_may_ask_and_no_others() {
    let world = allowing("https://pages.example,http://localhost:5173", true).await;
    let asked = "authorization,content-type,apollo-require-preflight,x-request-id,traceparent";
    let preflight = async |path: &str, origin: &str| {
        let request = world.http.request(Method::OPTIONS, format!("{}{path}", world.base()));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", asked).send().await.unwrap()
    };
    for path in ["/graphql", "/uploads", "/artifacts/x"] {
        for origin in [PAGE, "http://localhost:5173"] {
            let response = preflight(path, origin).await;
            let headers = response.headers();
            assert_eq!(
                (response.status(), headers["access-control-allow-origin"].to_str().unwrap()),
                (StatusCode::OK, origin)
            );
            assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("POST"), "{path}");
            let allowed = headers["access-control-allow-headers"].to_str().unwrap().to_owned();
            assert!(asked.split(',').all(|name| allowed.split(',').any(|known| known == name)), "{allowed}");
            assert!(headers.get_all("vary").iter().any(|vary| vary.to_str().unwrap().contains("origin")), "{path}");
            assert!(headers.contains_key("access-control-max-age"), "{path}");
            assert!(!headers.contains_key("access-control-allow-credentials"), "{path}");
        }
        for origin in [
            "https://evil.example",
            "http://pages.example",
            "https://pages.example:444",
            "https://a.pages.example",
            "null",
        ] {
            let response = preflight(path, origin).await;
            assert!(!response.headers().contains_key("access-control-allow-origin"), "{path} {origin}");
        }
    }
    for (origin, may) in [(PAGE, true), ("https://evil.example", false)] {
        for request in [
            world.post().json(&json!({ "query": "{ __typename }" })),
            world.post().json(&json!({ "query": "{ viewer { role } }" })),
            world.http.get(format!("{}/artifacts/x", world.base())),
            world.http.get(format!("{}/graphql?query=%7B__typename%7D", world.base())),
        ] {
            let response = request.header("origin", origin).send().await.unwrap();
            let allowed = response.headers().get("access-control-allow-origin");
            assert_eq!(allowed.map(|it| it.to_str().unwrap()), may.then_some(origin), "{}", response.url());
            assert!(response.headers().get_all("vary").iter().any(|vary| vary.to_str().unwrap().contains("origin")));
            if may {
                let shown = response.headers()["access-control-expose-headers"].to_str().unwrap();
                assert!(shown.contains("x-request-id") && shown.contains("retry-after"), "{shown}");
            }
        }
    }
    // In local mode the list opens nothing to sites elsewhere.
    let world = allowing("https://pages.example,http://localhost:5173", false).await;
    for (origin, status) in [("http://localhost:5173", 200), (PAGE, 403), ("http://localhost:5174", 200)] {
        let response = world.post().header("origin", origin).json(&json!({ "query": "{ __typename }" })).send().await;
        let response = response.unwrap();
        assert_eq!(response.status(), status, "{origin}");
        assert_eq!(
            response.headers().contains_key("access-control-allow-origin"),
            origin.ends_with("5173"),
            "{origin}"
        );
    }
}

#[tokio::test]
async fn a_page_of_the_list_may_read_that_its_request_came_too_slowly() {
    let connections = ConnectionLimits { body: Duration::from_millis(200), ..Default::default() };
    let setup = Setup {
        origins: PAGE,
        tokens: true,
        idle: true,
        limits: Limits { connections, ..Default::default() },
        ..Default::default()
    };
    let world = World::with(ENGINE, setup).await;
    let body = reqwest::Body::wrap_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = world.post().header("origin", PAGE).header("content-type", "application/json").body(body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(response.headers()["access-control-allow-origin"], PAGE);
}

#[test]
fn a_list_of_sites_that_could_not_hold_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, status, told) in [
        (vec!["--cors-origin", "*"], 2, "is no origin"),
        (vec!["--cors-origin", "https://a.example/path"], 2, "and no path"),
        (vec!["--cors-origin", "https://a.example/"], 3, "\"https://a.example\""),
        (vec!["--cors-origin", "http://localhost:1,https://a.example"], 3, "https://a.example"),
    ] {
        let output = program(&["serve"]).args(&arguments).current_dir(&folder).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}

#[tokio::test]
async fn a_path_where_nothing_is_says_where_the_api_is() {
    let world = allowing(PAGE, true).await;
    for (method, path) in [
        (Method::GET, "/api"),
        (Method::POST, "/graphql/"),
        (Method::DELETE, "/jobs/1?key=a-secret"),
        (Method::GET, "/graphiql/assets/nothing.js"),
        (Method::GET, "/console/assets/nothing.js"),
    ] {
        let request = world.http.request(method.clone(), format!("{}{path}", world.base())).body("x".repeat(100_000));
        let response = request.header("x-request-id", "mine").header("origin", PAGE).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {path}");
        let headers = response.headers();
        assert_eq!(headers["content-type"], "application/json", "{path}");
        assert_eq!(headers["x-request-id"], "mine", "{path}");
        assert_eq!(headers["access-control-allow-origin"], PAGE, "{path}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["errors"][0]["extensions"], json!({ "code": "NOT_FOUND", "requestId": "mine" }), "{path}");
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("/graphql"), "{answer}");
        says_one_sentence(&answer["errors"][0]);
    }
    let response = world.http.head(format!("{}/api", world.base())).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_compressed_body_is_refused_as_what_it_is() {
    let world = World::new(ENGINE).await;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(br#"{"query":"{ __typename }"}"#).unwrap();
    let packed = packer.finish().unwrap();
    let uploads = world.http.post(format!("{}/uploads?name=a.csv", world.base())).header("content-type", "text/csv");
    for (what, request) in [
        ("JSON", world.post().header("content-type", "application/json")),
        (
            "with files",
            world
                .post()
                .header("content-type", "multipart/form-data; boundary=x")
                .header("apollo-require-preflight", "1"),
        ),
        ("a file ahead", uploads),
    ] {
        for coding in ["gzip", "br", "Deflate", "identity, gzip", "nonsense"] {
            let request = request.try_clone().unwrap();
            let response = request.header("content-encoding", coding).body(packed.clone()).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{what}, {coding}");
            assert_eq!(response.headers()["accept-encoding"], "identity", "{what}, {coding}");
            let answer: Value = response.json().await.unwrap();
            assert_eq!(answer["errors"][0]["extensions"]["code"], "UNSUPPORTED_MEDIA_TYPE", "{what}, {coding}");
            says_one_sentence(&answer["errors"][0]);
        }
    }
    for coding in ["", "identity", "Identity , identity"] {
        let request = world.post().header("content-encoding", coding).json(&json!({ "query": "{ __typename }" }));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{coding:?}");
    }
    // What is wrong with the kind of body must not be taken for that.
    let response = world.http.post(format!("{}/uploads", world.base())).body("a").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(!response.headers().contains_key("accept-encoding"));
    assert!(world.app.store.keys().await.unwrap().is_empty(), "nothing was taken in");
}

#[tokio::test]
async fn large_answers_are_compressed_for_who_takes_that() {
    let world = World::new(ENGINE).await;
    let ask = async |query: &str, accept: Option<&str>| {
        let request = world.post().json(&json!({ "query": query }));
        let request = if let Some(accept) = accept { request.header("accept-encoding", accept) } else { request };
        let response = request.send().await.unwrap();
        let encoding = response.headers().get("content-encoding").map(|it| it.to_str().unwrap().to_owned());
        let vary: Vec<_> =
            response.headers().get_all("vary").iter().map(|it| it.to_str().unwrap().to_owned()).collect();
        (encoding, vary.join(","), response.bytes().await.unwrap())
    };
    let large = "{ __schema { types { name description fields { name description } } } }";
    let (encoding, vary, plain) = ask(large, None).await;
    assert_eq!((encoding, &*vary), (None, "accept,accept-encoding"));
    for accept in ["gzip", "br, gzip;q=0.5", "*"] {
        let (encoding, vary, packed) = ask(large, Some(accept)).await;
        assert_eq!((encoding.as_deref(), &*vary), (Some("gzip"), "accept,accept-encoding"), "{accept}");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain && packed.len() * 2 < plain.len(), "{accept}: {} of {}", packed.len(), plain.len());
    }
    for accept in ["identity", "gzip;q=0", "br"] {
        assert_eq!(ask(large, Some(accept)).await.0, None, "{accept}");
    }
    assert_eq!(ask("{ __typename }", Some("gzip")).await.0, None, "too small to be worth it");
    // Bytes of a file are counted as they are stored.
    let id = world.upload("ANNUAL", "a.csv", crate::deletion::file(200)).await;
    let file =
        world.data("query($id: ID!) { job(id: $id) { artifacts { downloadUrl size } } }", json!({ "id": id })).await;
    let file = &file["job"]["artifacts"][0];
    let url = format!("{}{}", world.base(), file["downloadUrl"].as_str().unwrap());
    let response =
        world.http.get(url).header("accept-encoding", "gzip").header("range", "bytes=0-1999").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert!(response.headers().get("content-encoding").is_none());
    assert_eq!(response.bytes().await.unwrap().len(), 2000);
}

#[tokio::test]
async fn the_log_names_the_trace_of_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = program(&["serve", "--listen", "127.0.0.1:0"]);
    command.current_dir(&folder).env("JOBLINK_LOG", "info").stdout(Stdio::piped());
    let mut server = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let base = lines.find_map(|line| Some(line.strip_prefix("GraphQL ")?.trim().replace("/graphql", ""))).unwrap();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (id, traceparent) in [
        ("first", format!("00-{trace}-00f067aa0ba902b7-01")),
        ("second", format!("00-{trace}-00f067aa0ba902b7-01-\"x")),
    ] {
        let request = tests::http().post(format!("{base}/uploads?name=a.csv")).header("content-type", "text/csv");
        let request = request.header("x-request-id", id).header("traceparent", traceparent).body("a,b\n1,2\n");
        let response = request.send().await.unwrap();
        assert_eq!((response.status(), response.headers().contains_key("traceparent")), (StatusCode::CREATED, false));
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    let told = |id: &str| {
        let mut lines = log.lines().filter(|line| line.contains("upload staged"));
        lines.find(|line| line.contains(&format!("id=\"{id}\""))).unwrap_or_else(|| panic!("{log}")).to_owned()
    };
    assert!(told("first").contains(&format!("trace_id=\"{trace}\"")), "{log}");
    assert!(told("first").contains("path=\"/uploads\""), "{log}");
    assert!(!told("second").contains("trace_id"), "{log}");
}

/// As when the program that collects the log has died.
#[tokio::test]
async fn a_server_whose_log_nobody_reads_any_more_serves_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(&["serve", "--listen", "127.0.0.1:0"]);
    command.current_dir(&folder).env("JOBLINK_LOG", "info,access=info");
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find_map(|line| Some(line.strip_prefix("GraphQL ")?.trim().to_owned())).unwrap();
    drop(server.stderr.take());
    for _ in 0..3 {
        let request = tests::http().post(&url).json(&serde_json::json!({ "query": "{ __typename }" }));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
    assert!(server.try_wait().unwrap().is_none());
    server.kill().unwrap();
    server.wait().unwrap();
}
