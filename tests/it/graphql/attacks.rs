//! Requests that ask too much are refused before validation, on every way they come, and cost no memory worth the name.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::Duration,
};

use api::app::{DocumentLimits, Limits};
use serde_json::{Value, json};
use tests::{Attack, Engine, Setup, World, attacks};

use super::{code, only_error, program};
use crate::events::client::Client;

/// A hung server fails the test; how long an attack takes at most is for the benchmarks.
const PATIENCE: Duration = Duration::from_mins(1);
/// How much memory an attack may take while it is looked at, in bytes: documents have at most 256,000, bodies 1,000,000.
const MOST_MEMORY: u64 = 48_000_000;

async fn send(base: &str, attack: &Attack) -> (u16, Value) {
    let request = tests::http().post(format!("{base}/graphql")).timeout(PATIENCE);
    let request =
        request.header("content-type", "application/json").header("accept", "application/graphql-response+json");
    let response = request.body(attack.body.clone()).send().await;
    let response = response.unwrap_or_else(|error| panic!("{}: {error}", attack.name));
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Checks that an attack was refused as it should be, with the numbers of its limit.
fn refused(attack: &Attack, errors: &Value) {
    let name = attack.name;
    let first = &errors["errors"][0];
    super::says_one_sentence(first);
    assert!(errors["errors"].as_array().unwrap().len() <= 50, "{name}");
    let told = &first["extensions"];
    assert_eq!(told["code"], attack.code, "{name}: {first}");
    if !attack.limit.is_empty() {
        assert_eq!(told["limit"], attack.limit, "{name}: {first}");
        let (allowed, found) = (told["allowed"].as_u64().unwrap(), told["found"].as_u64().unwrap());
        assert!(found > allowed, "{name}: {first}");
        for number in [allowed, found] {
            assert!(first["message"].as_str().unwrap().contains(&number.to_string()), "{name}: {first}");
        }
    }
}

#[tokio::test]
async fn attacks_are_refused_with_their_numbers() {
    let world = World::new(Engine::Sqlite).await;
    for attack in attacks() {
        let (status, answer) = send(&world.base(), &attack).await;
        if attack.code.is_empty() {
            assert!(status == 200 && answer.get("errors").is_none(), "{}: {answer}", attack.name);
        } else {
            assert_eq!(status, 400, "{}: {answer}", attack.name);
            assert!(answer.get("data").is_none(), "{}", attack.name);
            refused(&attack, &answer);
        }
    }
}

#[tokio::test]
async fn attacks_over_a_websocket_are_refused_alike() {
    let world = World::new(Engine::Sqlite).await;
    let mut client = Client::new(&world).await;
    for (at, attack) in attacks().into_iter().enumerate() {
        // What is no request at all closes the connection.
        let Ok(payload @ Value::Object(_)) = serde_json::from_str(&attack.body) else { continue };
        client.send(json!({ "id": at.to_string(), "type": "subscribe", "payload": payload })).await;
        let message = client.next().await;
        if attack.code.is_empty() {
            assert_eq!(message["type"], "next", "{}: {message}", attack.name);
            assert_eq!(client.next().await["type"], "complete");
        } else {
            assert_eq!(message["type"], "error", "{}: {message}", attack.name);
            refused(&attack, &json!({ "errors": message["payload"] }));
        }
    }
}

/// The real program; killed when it is dropped.
pub struct Program {
    child: Child,
    pub base: String,
}

impl Program {
    /// Starts it in a folder, with an empty database.
    pub fn start(folder: &std::path::Path, environment: &[(&str, &str)], flags: &[&str]) -> Self {
        let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--workers", "0"]);
        command
            .args(flags)
            .envs(environment.iter().copied())
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.find_map(|line| line.strip_prefix("GraphQL ").map(|url| url.trim().to_owned())).unwrap();
        Self { child, base: url.replace("/graphql", "") }
    }

    /// A figure of its memory in bytes: man page proc(5).
    fn memory(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Begins to look for the peak anew.
    fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[tokio::test]
async fn no_attack_takes_much_memory_or_ends_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Program::start(folder.path(), &[], &[]);
    let ordinary =
        Attack { name: "ordinary", body: json!({ "query": "{ viewer { role } }" }).to_string(), code: "", limit: "" };
    assert_eq!(send(&server.base, &ordinary).await.0, 200);
    // The most it had so far: pages that the system took from an idle server come back with its next request.
    let mut before = server.memory("VmHWM");
    for attack in attacks() {
        before = before.max(server.memory("VmRSS"));
        server.forget_peak();
        send(&server.base, &attack).await;
        let taken = server.memory("VmHWM").saturating_sub(before);
        assert!(taken < MOST_MEMORY, "{} takes {taken} bytes", attack.name);
    }
    assert!(server.child.try_wait().unwrap().is_none(), "the server has ended");
    assert_eq!(send(&server.base, &ordinary).await.1, json!({ "data": { "viewer": { "role": "OPERATOR" } } }));
}

/// As with `joblink serve | head -1`: what it prints later reaches nobody.
#[tokio::test]
async fn a_server_whose_output_nobody_reads_serves_on_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Program::start(folder.path(), &[], &[]);
    let ordinary =
        Attack { name: "ordinary", body: json!({ "query": "{ __typename }" }).to_string(), code: "", limit: "" };
    assert_eq!(send(&server.base, &ordinary).await.0, 200);
    let id = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || server.child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

/// Where the sizes of the text are not limited, what is behind them refuses the same.
#[tokio::test]
async fn each_limit_holds_without_those_before_it() {
    let document = DocumentLimits { bytes: 900_000, tokens: 500_000, ..DocumentLimits::default() };
    let world =
        World::with(Engine::Sqlite, Setup { limits: Limits { document, ..Limits::default() }, ..Default::default() })
            .await;
    for attack in attacks() {
        if !["tokens", "bytes"].contains(&attack.limit) {
            continue;
        }
        let (status, answer) = send(&world.base(), &attack).await;
        match attack.name {
            "a document of 256,001 bytes" => assert_eq!(status, 200, "{answer}"),
            name => {
                assert_eq!((status, code(&answer)), (400, "QUERY_TOO_COMPLEX"), "{name}");
                assert!(only_error(&answer)["extensions"]["found"].is_u64(), "{name}");
            }
        }
    }
}
