//! Whoever may no longer sign in is out within a second, and who may costs next to nothing.

use std::time::Duration;

use api::auth::{Clock, login, login::Login, token::Rules};
use serde_json::json;
use tests::{Engine, Setup, World, people};

tests::on_both!(
    who_may_no_longer_sign_in_is_out_within_a_second,
    a_caller_is_looked_up_in_one_statement_and_not_again_at_once,
);

async fn world(engine: Engine) -> (World, Clock) {
    let clock = Clock::held();
    let login = Login::with_secret(&tests::secret(), Rules::default(), clock.clone());
    (World::with(engine, Setup { login: Some(login), idle: true, ..Default::default() }).await, clock)
}

async fn status(world: &World, token: &str) -> u16 {
    let query = json!({ "query": "{ viewer { role } }" });
    world.post().bearer_auth(token).json(&query).send().await.unwrap().status().as_u16()
}

async fn who_may_no_longer_sign_in_is_out_within_a_second(engine: Engine) {
    assert_eq!(login::FRESH, Duration::from_secs(1));
    let (world, clock) = world(engine).await;
    let people = people(&world).await;
    for (out, back) in [
        ("UPDATE users SET is_active = false WHERE username = 'anna'", "UPDATE users SET is_active = true"),
        (
            "UPDATE users SET organization_id = NULL WHERE username = 'anna'",
            "UPDATE users SET organization_id = (SELECT id FROM organizations WHERE slug = 'first')
             WHERE username IN ('anna', 'ben', 'carla')",
        ),
    ] {
        clock.advance(login::FRESH);
        assert_eq!(status(&world, &people.anna.token).await, 200);
        assert_eq!(status(&world, &people.ben.token).await, 200);
        world.run(out).await;
        clock.advance(login::FRESH);
        assert_eq!(status(&world, &people.anna.token).await, 401, "{out}");
        assert_eq!(status(&world, &people.ben.token).await, 200);
        // A refusal is not remembered.
        world.run(back).await;
        assert_eq!(status(&world, &people.anna.token).await, 200, "{back}");
    }
}

async fn a_caller_is_looked_up_in_one_statement_and_not_again_at_once(engine: Engine) {
    let (world, clock) = world(engine).await;
    let people = people(&world).await;
    let asks = async |token: &str| world.statements_of(world.answer_to(token, "{ __typename }", json!({}))).await.0;
    for token in [&people.anna.token, &people.emil.token] {
        assert_eq!(asks(token).await, 1);
        assert_eq!(asks(token).await, 0);
        clock.advance(login::FRESH.checked_sub(Duration::from_millis(1)).unwrap());
        assert_eq!(asks(token).await, 0);
        clock.advance(Duration::from_millis(1));
        assert_eq!(asks(token).await, 1);
    }
}
