//! How often callers may ask: each user, each address without a login, at every entrance.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use api::auth::{
    Clock,
    login::Login,
    rate::{Limiter, Rate},
    token::Rules,
};
use reqwest::{RequestBuilder, Response, header::HeaderMap};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use crate::{
    events::client::{Client, open},
    graphql::code,
};

tests::on_both!(
    each_user_has_a_burst_and_then_so_many_a_second,
    every_entrance_counts,
    who_has_not_signed_in_is_counted_by_address,
    guessing_tokens_is_bounded,
    operations_of_a_socket_count,
);

/// A server that takes so many requests a second, and so many at once.
async fn server(engine: Engine, limits: [u32; 2], proxies: &[&str], setup: Setup) -> (World, Clock) {
    let clock = Clock::held();
    let [per_second, burst] = limits.map(|number| NonZeroU32::new(number).unwrap());
    let trusted_proxies = proxies.iter().map(|net| net.parse().unwrap()).collect();
    let limiter = Limiter::new(Rate { per_second, burst, trusted_proxies }, clock.clone());
    let login = Login::with_secret(&tests::secret(), Rules::default(), clock.clone());
    let setup = Setup { login: Some(login), limiter: Some(limiter), idle: true, ..setup };
    (World::with(engine, setup).await, clock)
}

/// Two requests a second, and five at once.
async fn world_behind(engine: Engine, proxies: &[&str]) -> (World, Clock) {
    server(engine, [2, 5], proxies, Setup::default()).await
}

async fn world(engine: Engine) -> (World, Clock) {
    world_behind(engine, &[]).await
}

const FULL: Duration = Duration::from_secs(3);

fn who(world: &World) -> RequestBuilder {
    world.post().json(&json!({ "query": "{ viewer { role } }" }))
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

/// Status, and the headers that tell of the limit.
async fn told(request: RequestBuilder) -> (u16, String, String, String) {
    let response = send(request).await;
    let header = |headers: &HeaderMap, name| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let headers = response.headers();
    let [policy, left, retry] = ["ratelimit-policy", "ratelimit", "retry-after"].map(|name| header(headers, name));
    (response.status().as_u16(), policy, left, retry)
}

fn expected(status: u16, policy: &str, left: &str, retry: &str) -> (u16, String, String, String) {
    (status, policy.to_owned(), left.to_owned(), retry.to_owned())
}

async fn each_user_has_a_burst_and_then_so_many_a_second(engine: Engine) {
    let (world, clock) = world(engine).await;
    let people = people(&world).await;
    let policy = "\"viewer\";q=5;w=3";
    for (left, full_in) in [(4, 1), (3, 1), (2, 2), (1, 2), (0, 3)] {
        let left = format!("\"viewer\";r={left};t={full_in}");
        assert_eq!(told(who(&world).bearer_auth(&people.anna.token)).await, expected(200, policy, &left, ""));
    }
    let refused = expected(429, policy, "\"viewer\";r=0;t=1", "1");
    assert_eq!(told(who(&world).bearer_auth(&people.anna.token)).await, refused);
    let answer = send(who(&world).bearer_auth(&people.anna.token)).await.json::<Value>().await.unwrap();
    assert_eq!(code(&answer), "RATE_LIMITED");
    assert_eq!(answer["errors"][0]["message"], "Too many requests: try again in 1 second.");
    assert_eq!(send(who(&world).bearer_auth(&people.ben.token)).await.status(), 200);
    // Another token of the same user, as another role, is no other user.
    let other = tests::token(people.anna.id, None, api::auth::Role::Member);
    assert_eq!(send(who(&world).bearer_auth(&other)).await.status(), 429);
    clock.advance(Duration::from_millis(500));
    assert_eq!(send(who(&world).bearer_auth(&people.anna.token)).await.status(), 200);
    assert_eq!(send(who(&world).bearer_auth(&people.anna.token)).await.status(), 429);
    // What is not an entrance has no limit.
    for path in ["/healthz", "/readyz", "/graphiql"] {
        for _ in 0..10 {
            let response = send(world.http.get(world.base() + path).bearer_auth(&people.anna.token)).await;
            assert_eq!((response.status().as_u16(), response.headers().get("ratelimit")), (200, None), "{path}");
        }
    }
}

async fn every_entrance_counts(engine: Engine) {
    let (world, _) = world(engine).await;
    let anna = people(&world).await.anna.token;
    let upload =
        || world.http.post(world.base() + "/uploads?name=a.csv").header("content-type", "text/csv").body("a\n");
    let download = || world.http.get(format!("{}/artifacts/{}", world.base(), Uuid::now_v7()));
    let multipart = || tests::multipart_request(world.post(), "ANNUAL", "a.csv", b"a".to_vec(), None);
    let ways: [(&str, u16, &dyn Fn() -> RequestBuilder); 5] = [
        ("graphql", 200, &|| who(&world)),
        ("multipart", 200, &multipart),
        ("upload", 201, &upload),
        ("download", 404, &download),
        ("refused otherwise", 400, &|| world.post().body("{}")),
    ];
    for (left, (way, status, request)) in (0..5).rev().zip(ways) {
        let (found, _, told, _) = told(request().bearer_auth(&anna)).await;
        assert_eq!((found, &told[..12]), (status, &*format!("\"viewer\";r={left}")), "{way}");
    }
    for (way, _, request) in &ways[..4] {
        let response = send(request().bearer_auth(&anna)).await;
        assert_eq!(response.status(), 429, "{way}");
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(code(&response.json().await.unwrap()), "RATE_LIMITED");
    }
    let authorization = format!("Bearer {anna}");
    assert_eq!(open(&world, &[("authorization", &authorization)]).await.err(), Some(429));
    assert_eq!(world.count("SELECT count(*) FROM staged_uploads").await, 1);
}

async fn who_has_not_signed_in_is_counted_by_address(engine: Engine) {
    let (world, clock) = world_behind(engine, &["127.0.0.0/8"]).await;
    let anna = people(&world).await.anna.token;
    let from =
        |address: &str| world.post().header("x-forwarded-for", address).json(&json!({ "query": "{ __typename }" }));
    for left in (0..5).rev() {
        let (status, policy, told, _) = told(from("192.0.2.1")).await;
        assert_eq!((status, &*policy, &told[..13]), (200, "\"address\";q=5;w=3", &*format!("\"address\";r={left}")));
    }
    assert_eq!(told(from("192.0.2.1")).await, expected(429, "\"address\";q=5;w=3", "\"address\";r=0;t=1", "1"));
    assert_eq!(send(from("203.0.113.1, 192.0.2.1")).await.status(), 429);
    assert_eq!(send(from("192.0.2.2")).await.status(), 200);
    // A network of IPv6 is one customer.
    for host in 0..5 {
        assert_eq!(send(from(&format!("2001:db8::{host}"))).await.status(), 200);
    }
    assert_eq!(send(from("2001:db8::abcd")).await.status(), 429);
    assert_eq!(send(from("2001:db8:0:1::1")).await.status(), 200);
    // Who is known is counted elsewhere.
    assert_eq!(send(from("192.0.2.3").bearer_auth(&anna)).await.status(), 200);
    assert_eq!(send(from("192.0.2.1").bearer_auth(&anna)).await.status(), 200);
    clock.advance(FULL);
    assert_eq!(send(from("192.0.2.1")).await.status(), 200);
    // Nobody is believed who is no proxy of ours.
    let (world, _) = world_behind(engine, &["192.0.2.0/24"]).await;
    let from =
        |address: &str| world.post().header("x-forwarded-for", address).json(&json!({ "query": "{ __typename }" }));
    for host in 0..5 {
        assert_eq!(send(from(&format!("192.0.2.{host}"))).await.status(), 200);
    }
    assert_eq!(send(from("192.0.2.9")).await.status(), 429);
}

async fn guessing_tokens_is_bounded(engine: Engine) {
    let (world, clock) = world(engine).await;
    let people = people(&world).await;
    assert_eq!(send(who(&world).bearer_auth(&people.anna.token)).await.status(), 200);
    for guess in 0..4 {
        let response = send(who(&world).bearer_auth(format!("{}{guess}", people.ben.token))).await;
        assert_eq!(response.status(), 401, "{guess}");
    }
    // From here on no token is even looked at that was not seen before.
    for token in ["guess", &people.ben.token] {
        assert_eq!(send(who(&world).bearer_auth(token)).await.status(), 429);
    }
    assert_eq!(send(who(&world).bearer_auth(&people.anna.token)).await.status(), 200);
    clock.advance(Duration::from_millis(500));
    assert_eq!(send(who(&world).bearer_auth(&people.ben.token)).await.status(), 200);
    // A signed token of somebody who may not sign in is a guess each time.
    clock.advance(FULL);
    world.run("UPDATE users SET is_active = false WHERE username = 'ben'").await;
    for _ in 0..5 {
        assert_eq!(send(who(&world).bearer_auth(&people.ben.token)).await.status(), 401);
    }
    assert_eq!(send(who(&world).bearer_auth(&people.ben.token)).await.status(), 429);
}

async fn operations_of_a_socket_count(engine: Engine) {
    let (world, clock) = world(engine).await;
    let people = people(&world).await;
    let mut anna = Client::signed_in(&world, &people.anna.token).await;
    anna.watch("watch", None).await;
    for id in ["1", "2", "3"] {
        anna.ask(id, "{ viewer { role } }", Value::Null).await;
        assert_eq!(anna.next().await["type"], "next");
        assert_eq!(anna.next().await, json!({ "type": "complete", "id": id }));
    }
    // The introduction was the first request of five.
    anna.ask("4", "{ viewer { role } }", Value::Null).await;
    let refused = anna.next().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("4")));
    assert_eq!(code(&json!({ "errors": refused["payload"] })), "RATE_LIMITED");
    // Over HTTP the same user has no more either, and another one has.
    assert_eq!(send(who(&world).bearer_auth(&people.anna.token)).await.status(), 429);
    let mut ben = Client::signed_in(&world, &people.ben.token).await;
    ben.ask("1", "{ viewer { role } }", Value::Null).await;
    assert_eq!(ben.next().await["type"], "next");
    // What runs goes on, and later there is more.
    let job = world.adopted_job(people.anna.id, people.anna.organization, "annual", "completed").await;
    clock.advance(Duration::from_millis(500));
    anna.ask("5", &format!("mutation {{ deleteJob(id: \"{job}\") {{ deletedJobId }} }}"), Value::Null).await;
    let mut kinds = vec![];
    for _ in 0..3 {
        let message = anna.next().await;
        kinds.push(format!("{} {}", message["type"].as_str().unwrap(), message["id"].as_str().unwrap()));
    }
    kinds.sort();
    assert_eq!(kinds, ["complete 5", "next 5", "next watch"]);
    // A connection counts on the address together with its introduction, by whoever is not known yet.
    clock.advance(FULL);
    let guess = json!({ "type": "connection_init", "payload": { "Authorization": "Bearer guess" } });
    for _ in 0..4 {
        let mut client = Client::silent(&world).await;
        client.send(guess.clone()).await;
        assert_eq!(client.closed().await, 4403);
    }
    let mut client = Client::silent(&world).await;
    assert_eq!(open(&world, &[]).await.err(), Some(429));
    client.send(guess.clone()).await;
    assert_eq!(client.closed().await, 4403);
    // One that was opened by somebody who is known was not: an introduction by another counts.
    let authorization = format!("Bearer {}", people.ben.token);
    let mut client = Client(open(&world, &[("authorization", &authorization)]).await.unwrap());
    client.send(guess).await;
    assert_eq!(client.closed().await, 1013);
}

#[tokio::test]
async fn on_this_machine_alone_there_is_no_limit() {
    let world = World::new(Engine::Sqlite).await;
    for _ in 0..300 {
        assert_eq!(told(who(&world)).await, expected(200, "", "", ""));
    }
}

/// What a user may still ask of a server at once, after one more request.
async fn left(world: &World, token: &str) -> usize {
    let (status, _, left, _) = told(who(world).bearer_auth(token)).await;
    assert_eq!(status, 200);
    left.split_once("r=").unwrap().1.split(';').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_of_one_server_counts_at_the_others() {
    let (first, _) = server(Engine::Postgres, [50, 200], &[], Setup::default()).await;
    let people = people(&first).await;
    let of_first =
        || Setup { url: Some(first.url.clone()), artifacts: Some(first.artifacts.clone()), ..Setup::default() };
    let (second, _) = server(Engine::Postgres, [50, 200], &[], of_first()).await;
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%joblink_rates%'";
    first.until(async || (first.count(listening).await == 2).then_some(())).await;
    for left_there in (50..200).rev() {
        assert_eq!(left(&first, &people.anna.token).await, left_there);
    }
    // Each look is a request as well.
    let looks = AtomicUsize::new(0);
    let counted = async || {
        let looks = looks.fetch_add(1, Ordering::Relaxed) + 1;
        (left(&second, &people.anna.token).await + looks == 50).then_some(())
    };
    second.until(counted).await;
    for left_here in (0..50 - looks.into_inner()).rev() {
        assert_eq!(left(&second, &people.anna.token).await, left_here);
    }
    assert_eq!(send(who(&second).bearer_auth(&people.anna.token)).await.status(), 429);
    assert_eq!(left(&second, &people.carla.token).await, 199, "another user is not held up");
}
