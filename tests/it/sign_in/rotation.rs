//! Keys change while the server runs, and the place where they are published is not always there.

use std::time::Duration;

use api::auth::{
    jwks::{Jwks, Source, Timing},
    token::Rules,
};
use axum::http::StatusCode;
use serde_json::json;
use tests::{Engine, Setup, World, people};

use super::{
    issuer::{Signer, jwks},
    publisher::{EAGER, Manner, Publisher, world},
};
use crate::{events::client::Client, operations::page::Page};

/// Waits for no reason to look, but looks soon.
const RESTLESS: Timing =
    Timing { within: Duration::from_secs(20), every: Duration::from_millis(10), again: Duration::from_hours(1) };

const AGE: &str = "joblink_jwks_age_seconds{}";

async fn status(world: &World, token: &str) -> u16 {
    let query = json!({ "query": "{ viewer { role } }" });
    world.post().bearer_auth(token).json(&query).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_new_key_is_looked_for_and_an_old_one_is_forgotten() {
    let (old, new) = (Signer::rsa(0, "old"), Signer::ec("new"));
    let publisher = Publisher::new(Manner::Says(jwks(&[&old]))).await;
    let world = world(Engine::Sqlite, publisher.jwks(EAGER).await.unwrap(), Rules::default()).await;
    let anna = people(&world).await.anna;
    let (first, second) = (old.token(&anna), new.token(&anna));
    assert_eq!((status(&world, &first).await, publisher.asked()), (200, 1));
    assert_eq!((status(&world, &second).await, publisher.asked()), (401, 2));
    publisher.set(Manner::Says(jwks(&[&old, &new])));
    assert_eq!((status(&world, &second).await, publisher.asked()), (200, 3));
    assert_eq!((status(&world, &first).await, publisher.asked()), (200, 3));
    let mut socket = Client::signed_in(&world, &first).await;
    // From here on the first token, which was verified and remembered, is nobody's.
    publisher.set(Manner::Says(jwks(&[&new])));
    assert_eq!(status(&world, &old.called(Some("next")).token(&anna)).await, 401);
    assert_eq!((status(&world, &first).await, status(&world, &second).await), (401, 200));
    socket.ask("1", "{ viewer { role } }", json!({})).await;
    assert_eq!(socket.closed().await, 4403);
    // The same name for another key.
    publisher.set(Manner::Says(jwks(&[&Signer::ec("new"), &old])));
    assert_eq!((status(&world, &first).await, status(&world, &second).await), (200, 401));
}

#[tokio::test]
async fn unknown_keys_are_not_looked_for_all_the_time() {
    let signer = Signer::ec("a");
    let publisher = Publisher::new(Manner::Says(jwks(&[&signer]))).await;
    let timing = Timing { again: Duration::from_hours(1), ..EAGER };
    let world = world(Engine::Sqlite, publisher.jwks(timing).await.unwrap(), Rules::default()).await;
    let anna = people(&world).await.anna;
    let strangers = ["b", "c", "d", "e"].map(|id| Signer::ec(id).token(&anna));
    // All at once: they wait for one look.
    let all = futures_util::future::join_all(strangers.iter().map(|token| status(&world, token))).await;
    assert_eq!(all, [401; 4]);
    assert_eq!(publisher.asked(), 2, "once at the start and once since");
    assert_eq!(status(&world, &signer.token(&anna)).await, 200);
}

#[tokio::test]
async fn the_last_good_keys_stay_while_their_place_is_away() {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let publisher = Publisher::new(Manner::Says(jwks(&[&old]))).await;
    let timing = Timing { within: Duration::from_millis(500), ..EAGER };
    let world = world(Engine::Sqlite, publisher.jwks(timing).await.unwrap(), Rules::default()).await;
    let anna = people(&world).await.anna;
    let set = jwks(&[&new]);
    let elsewhere = Publisher::new(Manner::Says(set.clone())).await;
    for manner in [
        Manner::Fails(StatusCode::INTERNAL_SERVER_ERROR),
        Manner::Fails(StatusCode::NO_CONTENT),
        Manner::Redirects(elsewhere.url()),
        Manner::Says("<html>".into()),
        Manner::Says("{\"keys\":[]}".into()),
        Manner::Says("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}".into()),
        Manner::Pads(10_000_000, set.clone()),
        Manner::Stalls,
    ] {
        publisher.set(manner);
        let before = publisher.asked();
        assert_eq!((status(&world, &new.token(&anna)).await, publisher.asked()), (401, before + 1));
        assert_eq!(status(&world, &old.token(&anna)).await, 200);
    }
    assert_eq!(elsewhere.asked(), 0);
    publisher.set(Manner::Says(set.clone()));
    publisher.leave().await;
    assert_eq!((status(&world, &new.token(&anna)).await, status(&world, &old.token(&anna)).await), (401, 200));
    publisher.come_back().await;
    assert_eq!((status(&world, &new.token(&anna)).await, status(&world, &old.token(&anna)).await), (200, 401));
}

#[tokio::test]
async fn keys_are_read_again_without_a_reason() {
    let (old, new) = (Signer::ec("a"), Signer::ec("a"));
    let publisher = Publisher::new(Manner::Says(jwks(&[&old]))).await;
    let keys = publisher.jwks(RESTLESS).await.unwrap();
    let world = world(Engine::Sqlite, keys, Rules::default()).await;
    let anna = people(&world).await.anna;
    assert_eq!(status(&world, &old.token(&anna)).await, 200);
    // A key that is taken back is out of force although no token names another one.
    publisher.set(Manner::Says(jwks(&[&new])));
    let token = old.token(&anna);
    world.until(async || (status(&world, &token).await == 401).then_some(())).await;
    assert_eq!(status(&world, &new.token(&anna)).await, 200);
}

#[tokio::test]
async fn the_metrics_show_how_old_the_keys_are() {
    let keys = jwks(&[&Signer::ec("a")]);
    let publisher = Publisher::new(Manner::Says(keys.clone())).await;
    let published = world(Engine::Sqlite, publisher.jwks(RESTLESS).await.unwrap(), Rules::default()).await;
    let age = async |world: &World| {
        let address = world.server().metrics.unwrap();
        let page = world.http.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
        let page = Page::read(&page);
        page.series().any(|series| series == AGE).then(|| page.value(AGE))
    };
    publisher.set(Manner::Fails(StatusCode::SERVICE_UNAVAILABLE));
    published.until(async || (age(&published).await? > 0.5).then_some(())).await;
    publisher.set(Manner::Says(keys));
    published.until(async || (age(&published).await? < 0.5).then_some(())).await;
    let world = World::with(Engine::Sqlite, Setup { tokens: true, idle: true, ..Default::default() }).await;
    assert_eq!(age(&world).await, None, "a secret is read once");
}

#[tokio::test]
async fn a_file_of_keys_is_read_again_when_it_changes() {
    let (old, new) = (Signer::ec("a"), Signer::ec("b"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, jwks(&[&old])).unwrap();
    let source: Source = path.to_str().unwrap().parse().unwrap();
    let world = world(Engine::Sqlite, Jwks::follow(source, RESTLESS).await.unwrap(), Rules::default()).await;
    let anna = people(&world).await.anna;
    let (first, second) = (old.token(&anna), new.token(&anna));
    assert_eq!((status(&world, &first).await, status(&world, &second).await), (200, 401));
    for wrong in ["", "{\"keys\":", "{\"keys\":[]}"] {
        std::fs::write(&path, wrong).unwrap();
        assert_eq!(status(&world, &first).await, 200);
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(status(&world, &first).await, 200);
    std::fs::write(&path, jwks(&[&new])).unwrap();
    world.until(async || (status(&world, &second).await == 200).then_some(())).await;
    assert_eq!(status(&world, &first).await, 401);
}

#[tokio::test]
async fn without_keys_nothing_starts() {
    let short = Signer::short_rsa("short");
    let good = jwks(&[&Signer::ec("a")]);
    let elsewhere = Publisher::new(Manner::Says(good.clone())).await;
    for (manner, why) in [
        (Manner::Fails(StatusCode::NOT_FOUND), "it answered 404"),
        (Manner::Redirects(elsewhere.url()), "redirects are not followed"),
        (Manner::Says("[]".into()), "it is no JWK set"),
        (Manner::Says(jwks(&[&short])), "none of its keys can verify tokens"),
        (Manner::Pads(10_000_000, good), "it is larger than 1000000 bytes"),
        (Manner::Stalls, "it took longer than 500ms"),
    ] {
        let publisher = Publisher::new(manner).await;
        let refused = publisher.jwks(Timing { within: Duration::from_millis(500), ..EAGER }).await.unwrap_err();
        let (said, place) = (refused.to_string(), publisher.url());
        assert!(said.starts_with(&format!("cannot take the keys of tokens from {place}: ")), "{said}");
        assert!(said.contains(why), "{said}");
    }
    let away = Publisher::new(Manner::Stalls).await;
    away.leave().await;
    let refused = away.jwks(EAGER).await.unwrap_err().to_string();
    assert!(refused.contains("it cannot be reached (Connection refused"), "{refused}");
    let refused = Jwks::follow("/nowhere/keys.json".parse().unwrap(), EAGER).await.unwrap_err().to_string();
    assert!(refused.contains("it cannot be read (No such file"), "{refused}");
}
