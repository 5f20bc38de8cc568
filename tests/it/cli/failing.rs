//! What goes wrong is said in one sentence, with what to do next.

use axum::{Router, http::StatusCode, response::IntoResponse, routing::any};
use serde_json::json;
use tests::{Engine, Setup, World};
use tokio::net::TcpListener;

use super::program::{Ended, command, run, run_with};
use crate::operations::certificate::Authority;

/// Asks a server that answers everything like this.
async fn asked(status: u16, kind: &'static str, body: String) -> Ended {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = (StatusCode::from_u16(status).unwrap(), [("content-type", kind), ("location", "https://x/")], body);
    let routes = Router::new().fallback(any(async move || answer.clone().into_response()));
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    let ended = run(&["jobs", "list", "--server", &base]).await;
    server.abort();
    assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_answers() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ended = run(&["jobs", "list", "--server", &format!("http://127.0.0.1:{port}")]).await;
    let said = ended.sentence(1);
    assert!(said.starts_with(&format!("no server answers at http://127.0.0.1:{port} (")), "{said}");
    assert!(said.ends_with("check the address, and that the server runs"), "{said}");
    for address in
        ["joblink.example.com", "ftp://joblink.example.com", "http://", "http://a:geheim@b/", "http://a/?b=c"]
    {
        let ended = run(&["jobs", "list", "--server", address]).await;
        assert!(ended.sentence(2).contains("is no address of a server"), "{ended:?}");
        assert!(!ended.err.contains("geheim"), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_answers() {
    for (status, kind, body) in
        [(200, "text/html", "<p>\x1b[31mHello"), (404, "text/plain", "no"), (302, "text/html", "")]
    {
        let ended = asked(status, kind, body.to_owned()).await;
        assert!(ended.sentence(1).contains("is no Joblink server"), "{ended:?}");
    }
    let error =
        |code: &str| json!({ "errors": [{ "message": "Unknown field.", "extensions": { "code": code } }] }).to_string();
    for body in
        [error("GRAPHQL_VALIDATION_FAILED"), json!({ "data": { "jobs": { "rows": [] } } }).to_string(), "{}".to_owned()]
    {
        let ended = asked(200, "application/json", body).await;
        assert!(ended.sentence(1).contains("is of another version"), "{ended:?}");
    }
    let ended = asked(500, "application/json", error("INTERNAL_SERVER_ERROR")).await;
    assert!(ended.sentence(1).ends_with("says: Unknown field."), "{ended:?}");
    let ended = asked(502, "text/html", "Bad gateway".to_owned()).await;
    assert!(ended.sentence(1).contains("broke before its answer came (502 Bad Gateway)"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_knows_is_not_trusted_until_it_is_known() {
    let authority = Authority::new();
    let setup = Setup { tls: Some(authority.tls()), idle: true, ..Setup::default() };
    let world = World::with(Engine::Sqlite, setup).await;
    let ended = run(&["jobs", "list", "--server", &world.base()]).await;
    assert!(ended.sentence(1).contains("cannot be trusted"), "{ended:?}");
    let mut list = command(&["jobs", "list", "--server", &world.base()]);
    list.env("SSL_CERT_FILE", &authority.files()[0]);
    run_with(list, "").await.well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shells_and_man_know_all_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let said = run(&["completions", shell]).await.well().out;
        assert!(said.contains("joblink") && said.contains("with-predictions"), "{shell}");
    }
    assert_eq!(run(&["completions", "cmd"]).await.code, 2);
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    run(&["man", "--out", pages.to_str().unwrap()]).await.well();
    let page = std::fs::read_to_string(pages.join("joblink-jobs-delete.1")).unwrap();
    assert!(page.contains("with\\-predictions"), "{page}");
    assert!(run(&["man"]).await.well().out.starts_with(".ie"), "no manual page");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_no_further_is_no_failure() {
    let world = World::with(Engine::Sqlite, Setup { idle: true, ..Setup::default() }).await;
    let user = world.local_user().await;
    world.adopted_job(user, None, "annual", "completed").await;
    for arguments in [&["list"][..], &["list", "--json"], &["list", "--ids"]] {
        let mut command = super::program::of(&world, arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.stdin(std::process::Stdio::null()).stdout(writer).stderr(std::process::Stdio::piped());
        let output = tokio::task::block_in_place(|| output.spawn().unwrap().wait_with_output().unwrap());
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}
