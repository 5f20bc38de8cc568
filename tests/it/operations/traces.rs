//! Traces: what a collector is sent, and that a server without one, or with a bad one, answers as ever.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use api::auth::Role;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span::SpanKind, status::StatusCode};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::Engine;

use super::collector::{Collector, attributes};
use crate::{
    events::client::{Client, open_at},
    migrations::{
        program::{Running, run_with, start_with},
        site::{Site, until},
    },
};

const SECRET: &str = "a secret for tests alone, longer than thirty-two bytes";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// The real program, its address, and a user's token.
struct Serving {
    server: Running,
    base: String,
    token: String,
    site: Site,
    files: TempDir,
}

impl Serving {
    async fn with(engine: Engine, settings: &[(&str, &str)]) -> Self {
        let (site, files) = (Site::made(engine).await, tempfile::tempdir().unwrap());
        let store = files.path().join("store");
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--auth", "jwt", "--artifacts", store.to_str().unwrap()];
        let all = [settings, &[("JOBLINK_JWT_SECRET", SECRET)]].concat();
        let server = start_with("joblink", &site.url, &arguments, &all);
        let base = until("it serves", async || {
            let said = server.out();
            said.lines().find_map(|line| line.strip_prefix("GraphQL   ")?.strip_suffix("/graphql").map(str::to_owned))
        })
        .await;
        let user = Uuid::now_v7();
        let id = match engine {
            Engine::Sqlite => format!("X'{}'", user.simple()),
            Engine::Postgres => format!("'{user}'"),
        };
        let values = format!("({id}, 'a@example.com', 'a', '!', true)");
        site.run(&format!("INSERT INTO users (id, email, username, hashed_password, is_active) VALUES {values}")).await;
        Self { server, base, token: tests::token(user, None, Role::Member), site, files }
    }

    async fn sending_to(engine: Engine, collector: &Collector, more: &[(&str, &str)]) -> Self {
        let url = collector.url();
        Self::with(engine, &[&[("OTEL_EXPORTER_OTLP_ENDPOINT", &*url)], more].concat()).await
    }

    fn post(&self) -> reqwest::RequestBuilder {
        tests::http().post(format!("{}/graphql?access_token={}", self.base, self.token)).bearer_auth(&self.token)
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let request = self.post().json(&json!({ "query": query, "variables": variables }));
        let answer = request.send().await.unwrap().json::<Value>().await.unwrap();
        assert_eq!(answer.get("errors"), None, "{answer}");
        answer["data"].clone()
    }

    /// Stops it, and gives how long that took and what it logged.
    async fn stop(mut self) -> (Duration, String) {
        let began = Instant::now();
        self.server.terminate();
        assert_eq!(self.server.ended().await, 0, "{}", self.server.err());
        (began.elapsed(), self.server.err())
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

tests::on_both!(a_request_is_a_span_in_the_trace_of_its_caller_and_tells_no_secret);

async fn a_request_is_a_span_in_the_trace_of_its_caller_and_tells_no_secret(engine: Engine) {
    let collector = Collector::new().await;
    let more = [("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")];
    let serving = Serving::sending_to(engine, &collector, &more).await;
    let who = json!({
        "query": "query Who($id: ID!) { viewer { role } job(id: $id) { id } } # a-word-in-the-document",
        "variables": { "id": "a-word-in-the-variables" },
    });
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let request = serving.post().header("traceparent", traceparent).header("x-request-id", "request-1").json(&who);
    assert_eq!(request.send().await.unwrap().status(), 200);
    // Not of a trace that is kept.
    let request = serving.post().header("traceparent", format!("00-{}-{PARENT}-00", "a".repeat(32))).json(&who);
    assert_eq!(request.send().await.unwrap().status(), 200);
    std::fs::remove_dir_all(serving.files.path().join("store")).unwrap();
    let ready = tests::http().get(format!("{}/readyz", serving.base)).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let token = serving.token.clone();
    serving.stop().await;

    let spans = collector.spans();
    let of_who = named(&spans, "POST /graphql");
    let [span] = of_who[..] else { panic!("{of_who:#?}") };
    assert_eq!((&*hex(&span.trace_id), &*hex(&span.parent_span_id)), (TRACE, PARENT));
    assert_eq!(
        (span.kind(), span.status.as_ref().map_or(StatusCode::Unset, Status::code)),
        (SpanKind::Server, StatusCode::Unset)
    );
    let told = BTreeMap::from(
        [
            ("http.request.method", "POST"),
            ("http.response.status_code", "200"),
            ("http.route", "/graphql"),
            ("url.path", "/graphql"),
            ("network.protocol.version", "1.1"),
            ("graphql.operation.type", "query"),
            ("graphql.operation.name", "Who"),
            ("joblink.request.id", "request-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert_eq!(attributes(&span.attributes), told);
    assert!(span.end_time_unix_nano > span.start_time_unix_nano && span.events.is_empty(), "{span:#?}");
    // What the database was asked meanwhile: that, and no more.
    let statements: Vec<_> = spans.iter().filter(|other| other.parent_span_id == span.span_id).collect();
    assert!(!statements.is_empty());
    for statement in statements {
        assert_eq!(statement.kind(), SpanKind::Client);
        let told: Vec<_> = attributes(&statement.attributes).into_keys().collect();
        assert_eq!(told, ["db.operation", "db.system"], "{statement:#?}");
    }
    let [ready] = named(&spans, "GET /readyz")[..] else { panic!("{spans:#?}") };
    assert_eq!(ready.status.as_ref().unwrap().code(), StatusCode::Error);
    assert_eq!(attributes(&ready.attributes)["error.type"], "503");
    assert!(ready.parent_span_id.is_empty());
    // Nothing stands alone but requests: not what the server asks its database by itself.
    for span in &spans {
        assert!(span.kind() == SpanKind::Server || !span.parent_span_id.is_empty(), "{span:#?}");
    }

    let resource = collector.resource();
    let says = |name: &str| resource.get(name).map(String::as_str);
    assert_eq!((says("service.name"), says("deployment.environment.name")), (Some("joblink"), Some("test")));
    assert!(says("service.version").is_some());
    let bytes = collector.bytes();
    let parts = token.split('.').chain([SECRET, "access_token", "a-word-in", "SELECT \"", "FROM "]);
    for secret in parts {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} was sent");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_deletions_and_operations_of_a_socket_are_spans() {
    let collector = Collector::new().await;
    let serving = Serving::sending_to(Engine::Sqlite, &collector, &[("OTEL_SERVICE_NAME", "jobs")]).await;
    let file = include_bytes!("../../fixtures/annual.csv").to_vec();
    let created = tests::multipart(serving.post(), "ANNUAL", "a.csv", file).await.json::<Value>().await.unwrap();
    let job = created["data"]["createJob"]["job"]["id"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();
    let status = "query($id: ID!) { job(id: $id) { status } }";
    until("the job has ended", async || {
        let found = serving.ask(status, json!({ "id": job })).await;
        (found["job"]["status"] == "COMPLETED").then_some(())
    })
    .await;
    let delete = "mutation Delete($id: ID!) { deleteJob(id: $id) { deletedJobId } }";
    assert_eq!(serving.ask(delete, json!({ "id": job })).await["deleteJob"]["deletedJobId"], json!(job));
    let left = "SELECT count(*) FROM artifact_purges WHERE completed_at IS NULL";
    until("it is purged", async || (serving.site.count(left).await == 0).then_some(())).await;
    let authorization = format!("Bearer {}", serving.token);
    let mut client = Client(open_at(&serving.base, &[("authorization", &authorization)]).await.unwrap());
    client.send(json!({ "type": "connection_init" })).await;
    assert_eq!(client.next().await["type"], "connection_ack");
    client.ask("1", "query OfSocket { viewer { role } }", json!({})).await;
    assert_eq!(client.next().await["type"], "next");
    drop(client);
    serving.stop().await;

    assert_eq!(collector.resource()["service.name"], "jobs");
    let spans = collector.spans();
    for name in ["run job", "delete job", "purge job"] {
        let [span] = named(&spans, name)[..] else { panic!("{name}: {spans:#?}") };
        assert_eq!(attributes(&span.attributes), BTreeMap::from([("joblink.job.id".to_owned(), job.clone())]));
        assert!(spans.iter().any(|statement| statement.parent_span_id == span.span_id), "{name} has no statement");
    }
    let request = |name: &str| {
        let of = |span: &&Span| attributes(&span.attributes).get("graphql.operation.name").is_some_and(|is| is == name);
        spans.iter().find(of).unwrap_or_else(|| panic!("{name}: {spans:#?}"))
    };
    assert_eq!(named(&spans, "delete job")[0].parent_span_id, request("Delete").span_id);
    let operation = request("OfSocket");
    assert_eq!((&*operation.name, operation.kind()), ("GraphQL Operation", SpanKind::Server));
    let connection = spans.iter().find(|span| span.span_id == operation.parent_span_id).expect("the connection's span");
    assert_eq!(attributes(&connection.attributes)["http.response.status_code"], "101");
}

/// One server sends to nobody, the other one to a collector that never answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_or_hangs_changes_nothing() {
    let hanging = Collector::hanging().await;
    // Taken, so that no other test listens there, and refused by the system.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let nobody = format!("http://{}", taken.local_addr().unwrap());
    // Each span by itself, and more than are kept.
    let eager = [
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("JOBLINK_LOG", "warn"),
    ];
    for (url, why) in [(&nobody, Some("Connection refused")), (&hanging.url(), None)] {
        let serving =
            Serving::with(Engine::Sqlite, &[&[("OTEL_EXPORTER_OTLP_ENDPOINT", &**url)], &eager[..]].concat()).await;
        let began = Instant::now();
        for _ in 0..100 {
            assert_eq!(serving.ask("{ viewer { role } }", json!({})).await["viewer"]["role"], "MEMBER");
        }
        // What hangs is given up after 10 s.
        assert!(began.elapsed() < Duration::from_mins(5), "answers wait for the collector");
        if let Some(why) = why {
            until("it is logged", async || serving.server.err().contains(why).then_some(())).await;
        } else {
            until("it is sent", async || (hanging.asked() > 0).then_some(())).await;
        }
        let (took, log) = serving.stop().await;
        assert!(took < Duration::from_mins(1), "it took {took:?} to stop");
        let said = log.lines().filter(|line| line.contains("cannot be sent to")).count();
        // A refusal comes at once, the end of what hangs after 10 s: either is said once.
        assert!(said == 1 || (why.is_none() && said == 0), "{log}");
        let dropping = log.lines().filter(|line| line.contains("queue full")).count();
        assert!(dropping <= 1, "{log}");
        assert!(why.is_some() || log.contains("the last traces were not sent"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_endpoint_nothing_of_it_is_there() {
    let collector = Collector::new().await;
    let url = collector.url();
    for (settings, there) in [
        (&[("OTEL_SERVICE_NAME", "jobs"), ("OTEL_TRACES_SAMPLER", "always_on")][..], false),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")], false),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_SDK_DISABLED", "true")], false),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_TRACES_SAMPLER", "always_off")], true),
    ] {
        let serving = Serving::with(Engine::Sqlite, settings).await;
        serving.ask("{ viewer { role } }", json!({})).await;
        let threads = std::fs::read_dir(format!("/proc/{}/task", serving.server.pid())).unwrap();
        let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
        assert_eq!(names.into_iter().any(|name| name.starts_with("OpenTelemetry")), there, "{settings:?}");
        serving.stop().await;
    }
    assert_eq!(collector.asked(), 0);
    // The variable for traces alone names the whole address.
    let whole = format!("{url}/v1/traces");
    let serving = Serving::with(Engine::Sqlite, &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &whole)]).await;
    serving.ask("{ viewer { role } }", json!({})).await;
    serving.stop().await;
    assert!(!named(&collector.spans(), "POST /graphql").is_empty());
}

#[tokio::test]
async fn what_cannot_be_done_is_said_at_the_start() {
    let site = Site::made(Engine::Sqlite).await;
    for (name, value, why) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            "OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\", and they are sent by http/protobuf alone",
        ),
        ("OTEL_TRACES_SAMPLER", "xray", "OTEL_TRACES_SAMPLER is \"xray\", which is none of always_on, "),
    ] {
        let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), (name, value)];
        let ended = run_with("joblink", &site.url, &["serve", "--listen", "127.0.0.1:0"], &settings).await;
        assert_eq!((ended.code, ended.err.lines().count()), (1, 1), "{ended:?}");
        assert!(ended.err.starts_with("joblink: cannot send traces: ") && ended.err.contains(why), "{ended:?}");
    }
}
