//! Events over HTTP: the same checks and the same ends as over WebSocket.

use std::time::Duration;

use api::app::{Limits, SocketLimits};
use reqwest::{RequestBuilder, Response, header};
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::client::{Client, open, watched_by};
use crate::{
    deletion::{delete, file},
    graphql::{code, tokens::expired},
};

tests::on_both!(
    events_come_as_they_happen_and_end_with_the_job,
    who_may_no_longer_sign_in_is_told_so,
    only_who_is_signed_in_may_watch,
    a_stream_ends_with_its_client_and_with_its_server,
    sockets_and_streams_share_a_limit,
);

const WATCH: &str = "subscription($id: ID) { jobEvents(jobId: $id) { type jobId } }";
const KIND: &str = "text/event-stream";

async fn with_limits(engine: Engine, limits: Limits) -> World {
    World::with(engine, Setup { tokens: true, limits, ..Default::default() }).await
}

fn ask(world: &World, query: &str, variables: &Value) -> RequestBuilder {
    world.post().header("accept", KIND).json(&json!({ "query": query, "variables": variables }))
}

/// A stream of events.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[header::CONTENT_TYPE]),
            (200, &format!("{KIND}; charset=utf-8").parse().unwrap())
        );
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert!(response.headers().get(header::CONTENT_ENCODING).is_none());
        Self { response, text: String::new() }
    }

    /// What comes until the next empty line; none at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = tokio::time::timeout(Duration::from_mins(1), self.response.chunk()).await;
            let Some(chunk) = chunk.expect("waited for a minute in vain").unwrap() else {
                assert_eq!(self.text, "", "cut off in the middle of an event");
                return None;
            };
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The next event's name and data; none at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            let block = self.block().await?;
            if block == ":" {
                continue;
            }
            let (name, data) = block.split_once('\n').unwrap();
            let data = data.strip_prefix("data:").unwrap().trim();
            let data = if data.is_empty() { Value::Null } else { serde_json::from_str(data).unwrap() };
            return Some((name.strip_prefix("event: ").unwrap().to_owned(), data));
        }
    }
}

fn complete() -> (String, Value) {
    ("complete".to_owned(), Value::Null)
}

async fn events_come_as_they_happen_and_end_with_the_job(engine: Engine) {
    let world = with_limits(engine, Limits::default()).await;
    let people = people(&world).await;
    let id = world.create_as(&people.anna.token, "ANNUAL", "a.csv", file(3)).await["job"]["id"].take();
    let id = id.as_str().unwrap();
    world.ended(id).await;
    let variables = json!({ "id": id });
    let url = format!("{}/graphql", world.base());
    let parameters = [("query", WATCH), ("variables", &variables.to_string())];
    let by_get = world.http.get(reqwest::Url::parse_with_params(&url, parameters).unwrap()).header("accept", KIND);
    let mut streams = Vec::new();
    for (request, person) in [
        (ask(&world, WATCH, &variables), &people.anna),
        (by_get, &people.ben),
        (ask(&world, WATCH, &json!({})), &people.carla),
    ] {
        streams.push(Stream::open(request.bearer_auth(&person.token)).await);
    }
    let mut stranger = Stream::open(ask(&world, WATCH, &json!({})).bearer_auth(&people.dora.token)).await;
    watched_by(&world, 4).await;
    let answer =
        world.answer_to(&people.anna.token, "mutation($id: ID!) { deleteJob(id: $id) { deletedJobId } }", variables);
    assert_eq!(answer.await["data"]["deleteJob"]["deletedJobId"], id);
    let event =
        |what: &str| Some(("next".to_owned(), json!({ "data": { "jobEvents": { "type": what, "jobId": id } } })));
    for stream in &mut streams[..2] {
        assert_eq!(stream.next().await, event("STATUS"));
        assert_eq!(stream.next().await, event("DELETED"));
        assert_eq!(stream.next().await, Some(complete()));
        assert_eq!(stream.next().await, None);
    }
    assert_eq!(streams[2].next().await, event("DELETED"));
    // Nothing of another organization's job came before this.
    let own = world.create_as(&people.dora.token, "ANNUAL", "a.csv", file(3)).await["job"]["id"].take();
    assert_eq!(stranger.next().await.unwrap().1["data"]["jobEvents"], json!({ "type": "CREATED", "jobId": own }));
}

async fn who_may_no_longer_sign_in_is_told_so(engine: Engine) {
    let socket =
        SocketLimits { recheck: Duration::from_millis(20), ping: Duration::from_millis(20), ..Default::default() };
    let world = with_limits(engine, Limits { socket, ..Default::default() }).await;
    let people = people(&world).await;
    let mut anna = Stream::open(ask(&world, WATCH, &json!({})).bearer_auth(&people.anna.token)).await;
    let mut ben = Stream::open(ask(&world, WATCH, &json!({})).bearer_auth(&people.ben.token)).await;
    watched_by(&world, 2).await;
    // Both sides see that the other one is there.
    for _ in 0..3 {
        assert_eq!(anna.block().await.as_deref(), Some(":"));
    }
    world.run("UPDATE users SET is_active = false WHERE username = 'anna'").await;
    let (name, told) = anna.next().await.unwrap();
    assert_eq!((&*name, code(&told)), ("next", "UNAUTHENTICATED"));
    assert_eq!((anna.next().await, anna.next().await), (Some(complete()), None));
    watched_by(&world, 1).await;
    assert_eq!(ben.block().await.as_deref(), Some(":"));
}

async fn only_who_is_signed_in_may_watch(engine: Engine) {
    let world =
        World::with(engine, Setup { tokens: true, origins: "https://pages.example", ..Default::default() }).await;
    let anna = people(&world).await.anna;
    let watch = || ask(&world, WATCH, &json!({}));
    for request in [watch(), watch().bearer_auth("x"), watch().bearer_auth(expired(&anna))] {
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["www-authenticate"].to_str().unwrap()),
            (401, "Bearer")
        );
        assert_eq!(code(&response.json().await.unwrap()), "UNAUTHENTICATED");
    }
    // A page of another site has no token; but where it had one, it would be told apart.
    for (name, value, refused) in [
        ("origin", "https://evil.example", true),
        ("origin", "https://pages.example", false),
        ("sec-fetch-site", "cross-site", true),
        ("sec-fetch-site", "same-origin", false),
    ] {
        let response = watch().bearer_auth(&anna.token).header(name, value).send().await.unwrap();
        assert_eq!(response.status().as_u16(), if refused { 403 } else { 200 }, "{name}: {value}");
        if refused {
            assert_eq!(code(&response.json().await.unwrap()), "CSRF_BLOCKED");
        }
    }
    // Who does not ask for a stream gets none, and who asks for nonsense is told so in one.
    let request = world.post().bearer_auth(&anna.token).header("accept", "application/json, */*");
    let response = request.json(&json!({ "query": WATCH })).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(code(&response.json().await.unwrap()), "GRAPHQL_VALIDATION_FAILED");
    let query = "subscription { a: jobEvents { at } b: jobEvents { at } }";
    let mut stream = Stream::open(ask(&world, query, &json!({})).bearer_auth(&anna.token)).await;
    assert_eq!(code(&stream.next().await.unwrap().1), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!((stream.next().await, stream.next().await), (Some(complete()), None));
    // A mutation is executed once.
    let job = world.adopted_job(anna.id, anna.organization, "annual", "completed").await;
    let mutation = format!("mutation {{ deleteJob(id: \"{job}\") {{ deletedJobId }} }}");
    let mut stream = Stream::open(ask(&world, &mutation, &json!({})).bearer_auth(&anna.token)).await;
    assert_eq!(stream.next().await.unwrap().1, json!({ "data": { "deleteJob": { "deletedJobId": job } } }));
    assert_eq!((stream.next().await, stream.next().await), (Some(complete()), None));
    assert_eq!(world.count("SELECT count(*) FROM audit_log").await, 1);
}

async fn a_stream_ends_with_its_client_and_with_its_server(engine: Engine) {
    let mut world = World::new(engine).await;
    let first = Stream::open(ask(&world, WATCH, &json!({}))).await;
    let mut second = Stream::open(ask(&world, WATCH, &json!({}))).await;
    watched_by(&world, 2).await;
    drop(first);
    watched_by(&world, 1).await;
    let id = world.upload("ANNUAL", "a.csv", file(3)).await;
    delete(&world, &id, json!({})).await;
    let mut last = second.next().await.unwrap();
    while last.1["data"]["jobEvents"]["type"] != "DELETED" {
        last = second.next().await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(20), world.stop()).await.expect("the server does not stop");
    // Not complete: whoever reads it begins again elsewhere.
    assert_eq!(second.next().await, None);
    assert_eq!(world.app.events.watchers().await, 0);
}

async fn sockets_and_streams_share_a_limit(engine: Engine) {
    let world =
        World::with(engine, Setup { limits: Limits { streams: 2, ..Default::default() }, ..Default::default() }).await;
    let socket = Client::new(&world).await;
    let stream = Stream::open(ask(&world, WATCH, &json!({}))).await;
    assert_eq!(open(&world, &[]).await.err(), Some(503));
    let response = ask(&world, WATCH, &json!({})).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    assert_eq!(code(&response.json().await.unwrap()), "TOO_MANY_STREAMS");
    // What ends at once needs no place.
    assert_eq!(ask(&world, "{ __typename }", &json!({})).send().await.unwrap().status(), 200);
    drop(stream);
    let _next = world.until(async || open(&world, &[]).await.ok()).await;
    drop(socket);
    world.until(async || (ask(&world, WATCH, &json!({})).send().await.unwrap().status() == 200).then_some(())).await;
}
