//! Many behind one address: what the issuer of their tokens does to its keys locks none of them out.

use std::{num::NonZeroU32, time::Duration};

use api::auth::{
    Clock,
    jwks::Timing,
    login::Login,
    rate::{Limiter, Rate},
    token::Rules,
};
use serde_json::{Value, json};
use tests::{Engine, People, Setup, World, people};

use super::{
    issuer::{Signer, jwks},
    publisher::{Manner, Publisher},
};

/// Looks soon, and for no token.
const RESTLESS: Timing =
    Timing { within: Duration::from_secs(20), every: Duration::from_millis(10), again: Duration::from_hours(1) };

/// An address has five requests, and gets no more.
async fn world(publisher: &Publisher) -> (World, People) {
    let (clock, number) = (Clock::held(), |number| NonZeroU32::new(number).unwrap());
    let rate = Rate { per_second: number(2), burst: number(5), trusted_proxies: Vec::new() };
    let limiter = Some(Limiter::new(rate, clock.clone()));
    let login =
        Some(Login::with_published_keys(publisher.jwks(RESTLESS).await.unwrap(), Rules::default(), clock.clone()));
    let world = World::with(Engine::Sqlite, Setup { login, limiter, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    (world, people)
}

async fn status(world: &World, token: &str) -> u16 {
    let query = json!({ "query": "{ viewer { role } }" });
    world.post().bearer_auth(token).json(&query).send().await.unwrap().status().as_u16()
}

/// Publishes this, and waits until it was read.
async fn publish(world: &World, publisher: &Publisher, set: String) {
    publisher.set(Manner::Says(set));
    // The next look but one comes after the next one.
    let until = publisher.asked() + 3;
    world.until(async || (publisher.asked() >= until).then_some(())).await;
}

#[tokio::test]
async fn the_same_keys_in_another_order_are_no_reason_to_ask_who_calls() {
    let (a, b) = (Signer::ec("a"), Signer::rsa(0, "b"));
    let publisher = Publisher::new(Manner::Says(jwks(&[&a, &b]))).await;
    let (world, people) = world(&publisher).await;
    let known = [a.token(&people.anna), b.token(&people.ben), a.token(&people.carla), b.token(&people.emil)];
    for token in &known {
        assert_eq!(status(&world, token).await, 200);
    }
    let set = serde_json::from_str::<Value>(&jwks(&[&b, &a])).unwrap();
    publish(&world, &publisher, serde_json::to_string_pretty(&set).unwrap()).await;
    let mut more = set;
    more["keys"][0]["x5t"] = json!("a word about the key");
    more["issued"] = json!(1_700_000_000);
    publish(&world, &publisher, more.to_string()).await;
    for token in &known {
        assert_eq!(status(&world, token).await, 200);
    }
    // The address has one left, of its five.
    assert_eq!((status(&world, "guess").await, status(&world, "guess").await), (401, 429));
}

#[tokio::test]
async fn who_was_known_before_the_keys_changed_is_not_charged_to_the_address() {
    let (a, b, c) = (Signer::ec("a"), Signer::rsa(0, "b"), Signer::ec("c"));
    let publisher = Publisher::new(Manner::Says(jwks(&[&a, &b]))).await;
    let (world, people) = world(&publisher).await;
    let stay = [a.token(&people.anna), a.token(&people.carla)];
    let go = [b.token(&people.ben), b.token(&people.emil)];
    for token in stay.iter().chain(&go) {
        assert_eq!(status(&world, token).await, 200);
    }
    publish(&world, &publisher, jwks(&[&a, &c])).await;
    // Once, each of them; a token of no key that is in force is then like any other.
    for (tokens, expected) in [(&stay, 200), (&go, 401), (&stay, 200)] {
        for token in tokens {
            assert_eq!(status(&world, token).await, expected);
        }
    }
    assert_eq!((status(&world, &go[0]).await, status(&world, &go[1]).await), (401, 429));
    assert_eq!(status(&world, &c.token(&people.ben)).await, 429);
    assert_eq!(status(&world, &stay[0]).await, 200);
}

#[tokio::test]
async fn a_key_under_the_name_of_another_one_verifies_nothing_that_was_known() {
    let (old, new) = (Signer::ec("a"), Signer::ec("a"));
    let publisher = Publisher::new(Manner::Says(jwks(&[&old]))).await;
    let (world, people) = world(&publisher).await;
    let (anna, ben) = (old.token(&people.anna), new.token(&people.ben));
    assert_eq!(status(&world, &anna).await, 200);
    publish(&world, &publisher, jwks(&[&new])).await;
    assert_eq!((status(&world, &anna).await, status(&world, &ben).await), (401, 200));
    assert_eq!(status(&world, &anna).await, 401);
}
