//! Which tokens are taken by published keys: those that the key they name has signed by its own algorithm, in time, for
//! us.

use api::auth::token::Rules;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, World, people};

use super::{
    issuer::{Signer, claims, jwks, now},
    publisher::{EAGER, Manner, Publisher, world},
};
use crate::graphql::pages::base64;

tests::on_both!(each_algorithm_signs_people_in, a_key_decides_by_which_algorithm);

const WHO: &str = "{ viewer { user { id } organization { id } role } }";

/// The status of a request with a token, and its answer without what differs between requests.
async fn ask(world: &World, token: &str) -> (u16, Value) {
    let response = world.post().bearer_auth(token).json(&json!({ "query": WHO })).send().await.unwrap();
    let status = response.status().as_u16();
    let mut answer: Value = response.json().await.unwrap();
    if let Some(id) = answer.pointer_mut("/errors/0/extensions/requestId") {
        *id = Value::Null;
    }
    (status, answer)
}

async fn each_algorithm_signs_people_in(engine: Engine) {
    let signers = [
        Signer::rsa(0, "rs"),
        Signer::rsa(1, "ps").by(Algorithm::PS256),
        Signer::rsa(1, "rs512").by(Algorithm::RS512),
        Signer::ec("es"),
        Signer::ed(7, "ed"),
    ];
    let publisher = Publisher::new(Manner::Says(jwks(&signers.each_ref()))).await;
    let world = world(engine, publisher.jwks(EAGER).await.unwrap(), Rules::default()).await;
    let anna = people(&world).await.anna;
    for signer in &signers {
        let (status, answer) = ask(&world, &signer.token(&anna)).await;
        assert_eq!((status, &answer["data"]["viewer"]["user"]["id"]), (200, &json!(anna.id)), "{answer}");
    }
    assert_eq!(publisher.asked(), 1);
}

async fn a_key_decides_by_which_algorithm(engine: Engine) {
    let (rsa, ec) = (Signer::rsa(0, "rsa"), Signer::ec("ec"));
    let mut encrypts = Signer::rsa(1, "encrypts").jwk();
    encrypts["use"] = json!("enc");
    // No algorithm is named, as some providers do.
    let mut bare = rsa.called(Some("bare")).jwk();
    bare.as_object_mut().unwrap().remove("alg");
    let short = Signer::short_rsa("short");
    let shared = json!({ "kty": "oct", "kid": "shared", "alg": "HS256", "k": base64(&[7; 32]) });
    let set = json!({ "keys": [rsa.jwk(), ec.jwk(), encrypts, bare, short.jwk(), shared] }).to_string();
    let publisher = Publisher::new(Manner::Says(set)).await;
    let world = world(engine, publisher.jwks(EAGER).await.unwrap(), Rules::default()).await;
    let anna = people(&world).await.anna;
    for signer in [&rsa, &ec, &rsa.called(Some("bare"))] {
        assert_eq!(ask(&world, &signer.token(&anna)).await.0, 200);
    }
    // What everybody knows of the key, as the secret of a shared one.
    let by_secret = |secret: &[u8], id: &str| {
        let header = Header { kid: Some(id.into()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims(&anna), &EncodingKey::from_secret(secret)).unwrap()
    };
    let good = rsa.token(&anna);
    let [_, body, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let head = |text: Value| base64(text.to_string().as_bytes());
    let critical = Header { kid: Some("rsa".into()), crit: Some(vec!["b64".into()]), ..Header::new(Algorithm::RS256) };
    let forgeries = [
        ("the public key as a secret", by_secret(rsa.jwk().to_string().as_bytes(), "rsa")),
        ("the modulus as a secret", by_secret(rsa.jwk()["n"].as_str().unwrap().as_bytes(), "rsa")),
        ("a secret in the set", by_secret(&[7; 32], "shared")),
        ("no algorithm", format!("{}.{body}.", head(json!({ "alg": "none", "kid": "rsa" })))),
        (
            "no algorithm, with a signature",
            format!("{}.{body}.{signature}", head(json!({ "alg": "None", "kid": "rsa" }))),
        ),
        ("no signature", format!("{}.{body}.", head(json!({ "alg": "RS256", "kid": "rsa" })))),
        ("another algorithm of the key", rsa.called(Some("rsa")).by(Algorithm::PS256).token(&anna)),
        ("another algorithm than by default", rsa.called(Some("bare")).by(Algorithm::RS512).token(&anna)),
        ("another key", Signer::rsa(1, "rsa").token(&anna)),
        ("another key on the curve", Signer::ec("ec").token(&anna)),
        ("another's name", rsa.called(Some("ec")).token(&anna)),
        ("an unknown name", rsa.called(Some("other")).token(&anna)),
        ("no name, where there is a choice", rsa.called(None).token(&anna)),
        ("a key that encrypts", Signer::rsa(1, "encrypts").token(&anna)),
        ("a short key", short.token(&anna)),
        ("a key of its own in the header", {
            let own = Signer::rsa(1, "rsa");
            let jwk = serde_json::from_value(own.jwk()).unwrap();
            own.sign_with(
                &Header { jwk: Some(jwk), kid: Some("rsa".into()), ..Header::new(Algorithm::RS256) },
                &claims(&anna),
            )
        }),
        ("a place of keys in the header", {
            let own = Signer::rsa(1, "own");
            let jku = Some("http://127.0.0.1:1/keys".into());
            own.sign_with(&Header { jku, kid: Some("own".into()), ..Header::new(Algorithm::RS256) }, &claims(&anna))
        }),
        ("something critical", rsa.sign_with(&critical, &claims(&anna))),
        ("too long", {
            let mut claims = claims(&anna);
            claims["more"] = json!("x".repeat(10_000));
            rsa.sign(&claims)
        }),
        ("two parts", format!("{}.{body}", head(json!({ "alg": "RS256", "kid": "rsa" })))),
        ("four parts", format!("{good}.x")),
    ];
    let refused = ask(&world, "nothing at all").await;
    assert_eq!((refused.0, &refused.1["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")));
    for (fault, token) in forgeries {
        assert_eq!(ask(&world, &token).await, refused, "{fault}");
    }
    assert_eq!(ask(&world, &good).await.0, 200);
}

#[tokio::test]
async fn a_token_says_for_how_long_for_whom_and_by_whom() {
    let signer = Signer::ec("a");
    let publisher = Publisher::new(Manner::Says(jwks(&[&signer]))).await;
    let keys = publisher.jwks(EAGER).await.unwrap();
    let strict =
        Rules { leeway: 100, audience: Some("joblink".into()), issuer: Some("https://login.example.com".into()) };
    let strict = world(Engine::Sqlite, keys.clone(), strict).await;
    let people_of_strict = people(&strict).await;
    let anna = &people_of_strict.anna;
    let but = |changes: Value| {
        let mut all = claims(anna);
        all["aud"] = json!("joblink");
        all["iss"] = json!("https://login.example.com");
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => _ = all.as_object_mut().unwrap().remove(name),
                value => all[name] = value.clone(),
            }
        }
        all
    };
    let now = now();
    for good in [
        json!({}),
        json!({ "aud": ["other", "joblink"] }),
        json!({ "exp": now - 60 }),
        json!({ "exp": json!(now).as_f64().unwrap() + 60.5 }),
        json!({ "nbf": now + 60 }),
        json!({ "nbf": now - 60 }),
        json!({ "iat": now + 60 }),
        json!({ "iat": json!(now).as_f64().unwrap() - 60.5 }),
        json!({ "org": null, "role": null }),
    ] {
        let (status, answer) = ask(&strict, &signer.sign(&but(good.clone()))).await;
        assert_eq!(status, 200, "{good}: {answer}");
    }
    let refused = ask(&strict, "nothing at all").await;
    for bad in [
        json!({ "aud": null }),
        json!({ "aud": "" }),
        json!({ "aud": [] }),
        json!({ "aud": "other" }),
        json!({ "aud": "Joblink" }),
        json!({ "aud": { "joblink": true } }),
        json!({ "iss": null }),
        json!({ "iss": "https://login.example.com/" }),
        json!({ "iss": 1 }),
        json!({ "exp": null }),
        json!({ "exp": now - 160 }),
        json!({ "exp": -1 }),
        json!({ "exp": "4000000000" }),
        json!({ "nbf": now + 160 }),
        json!({ "nbf": "soon" }),
        json!({ "iat": now + 160 }),
        json!({ "iat": "now" }),
        json!({ "sub": null }),
        json!({ "sub": "anna" }),
        json!({ "sub": Uuid::now_v7() }),
        json!({ "org": people_of_strict.dora.organization }),
        json!({ "role": "admin" }),
    ] {
        assert_eq!(ask(&strict, &signer.sign(&but(bad.clone()))).await, refused, "{bad}");
    }
    // Where nothing is demanded, any audience and issuer will do.
    let easy = world(Engine::Sqlite, keys, Rules::default()).await;
    let anna = people(&easy).await.anna;
    let mut claims = claims(&anna);
    assert_eq!(ask(&easy, &signer.sign(&claims)).await.0, 200);
    claims["aud"] = json!("somebody");
    claims["iss"] = json!("somewhere");
    assert_eq!(ask(&easy, &signer.sign(&claims)).await.0, 200);
}
