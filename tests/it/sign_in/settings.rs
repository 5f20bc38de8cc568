//! What the command line takes and refuses of sign-in.

use api::auth::{
    Clock,
    login::Login,
    token::{Rules, Secret},
};
use sea_orm::prelude::Uuid;
use tests::Engine;

use super::{
    issuer::{Signer, jwks},
    publisher::{Manner, Publisher},
};
use crate::migrations::{
    program::{run_with, start_with},
    site::{Site, until},
};

const SECRET: &str = "a secret for tests alone, longer than thirty-two bytes";
const USER: &str = "0196f0a5-0000-7000-8000-000000000000";

#[tokio::test]
async fn a_token_lasts_from_an_hour_to_a_year() {
    let site = Site::empty(Engine::Sqlite).await;
    let secret = [("JOBLINK_JWT_SECRET", SECRET)];
    for hours in ["0", "-1", "8761", "4294967295", "99999999999", "1.5", "day", ""] {
        let ended = run_with("joblink", &site.url, &["token", USER, &format!("--hours={hours}")], &secret).await;
        assert_eq!((ended.code, &*ended.out), (2, ""), "{hours}");
        assert!(ended.err.contains("a token is valid for 1 to 8760 hours"), "{hours}: {}", ended.err);
    }
    for hours in ["1", "8760"] {
        let ended = run_with("joblink", &site.url, &["token", USER, "--hours", hours], &secret).await;
        assert_eq!((ended.code, ended.out.matches('.').count()), (0, 2), "{hours}: {}", ended.err);
    }
}

#[tokio::test]
async fn a_minted_token_names_the_audience_and_the_issuer_that_are_set() {
    let site = Site::empty(Engine::Sqlite).await;
    let secret = Secret::new(SECRET).unwrap();
    let strict = || Rules { audience: Some("joblink".into()), issuer: Some("us".into()), ..Rules::default() };
    let settings = [("JOBLINK_JWT_SECRET", SECRET), ("JOBLINK_JWT_AUDIENCE", "joblink"), ("JOBLINK_JWT_ISSUER", "us")];
    let login = Login::with_secret(&secret, strict(), Clock::default());
    let aimed = run_with("joblink", &site.url, &["token", USER], &settings).await.out;
    assert!(login.verify(aimed.trim()).await.is_some());
    for flags in [&["--jwt-audience", "other"], &["--jwt-issuer", "other"]] {
        let other = run_with("joblink", &site.url, &[&["token", USER], &flags[..]].concat(), &settings).await.out;
        assert!(login.verify(other.trim()).await.is_none(), "{flags:?}");
    }
    let plain = run_with("joblink", &site.url, &["token", USER], &settings[..1]).await.out;
    assert!(login.verify(plain.trim()).await.is_none());
    assert!(Login::with_secret(&secret, Rules::default(), Clock::default()).verify(plain.trim()).await.is_some());
}

#[tokio::test]
async fn exactly_one_kind_of_key_is_given_and_can_be_had() {
    let (site, folder) = (Site::empty(Engine::Sqlite).await, tempfile::tempdir().unwrap());
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, jwks(&[&Signer::ec("a")])).unwrap();
    let keys = keys.to_str().unwrap();
    let away = Publisher::new(Manner::Stalls).await;
    away.leave().await;
    let before = site.everything().await;
    for (arguments, secret, code, why) in [
        (vec![], None, 3, "--auth jwt needs JOBLINK_JWT_SECRET (make one with `openssl rand -hex 32`) or --jwks"),
        (vec!["--jwks", keys], Some(SECRET), 3, "give one of both"),
        (vec!["--jwks", "http://login.example.com/keys"], None, 2, "keys come from a file, an https URL"),
        (vec!["--jwks", "https://a:secret@login.example.com/keys"], None, 2, "must not hold a name or a password"),
        (
            vec!["--jwks", "nowhere.json"],
            None,
            1,
            "cannot take the keys of tokens from nowhere.json: it cannot be read",
        ),
        (vec!["--jwks", &away.url()], None, 1, "it cannot be reached"),
        (vec!["--jwt-leeway", "601"], Some(SECRET), 2, "601 is not in"),
        (vec!["--rate-limit=-1"], Some(SECRET), 2, "--rate-limit"),
        (vec!["--rate-burst", "0"], Some(SECRET), 2, "--rate-limit 0 switches the limit off"),
        (vec!["--trusted-proxy", "proxy.example.com"], Some(SECRET), 2, "give addresses or networks"),
    ] {
        let all = [&["serve", "--auth", "jwt", "--listen", "127.0.0.1:0"], &arguments[..]].concat();
        let settings: Vec<_> = secret.iter().map(|secret| ("JOBLINK_JWT_SECRET", *secret)).collect();
        let ended = run_with("joblink", &site.url, &all, &settings).await;
        assert_eq!((ended.code, &*ended.out), (code, ""), "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(why), "{arguments:?}: {}", ended.err);
    }
    assert_eq!(site.everything().await, before, "something was made before the refusal");
}

#[tokio::test]
async fn published_keys_without_an_audience_or_an_issuer_are_warned_of() {
    let (site, folder) = (Site::made(Engine::Sqlite).await, tempfile::tempdir().unwrap());
    let (keys, files) = (folder.path().join("keys.json"), folder.path().join("artifacts"));
    std::fs::write(&keys, jwks(&[&Signer::ec("a")])).unwrap();
    let (audience, issuer) = (["--jwt-audience", "joblink"], ["--jwt-issuer", "us"]);
    let published = [("JOBLINK_JWKS", keys.to_str().unwrap())];
    let secret = [("JOBLINK_JWT_SECRET", SECRET)];
    for (settings, aim, missing) in [
        (&published, vec![], Some("--jwt-audience and --jwt-issuer")),
        (&published, audience.to_vec(), Some("--jwt-issuer")),
        (&published, issuer.to_vec(), Some("--jwt-audience")),
        (&published, [audience, issuer].concat(), None),
        (&secret, vec![], None),
    ] {
        let usual = ["serve", "--listen", "127.0.0.1:0", "--auth", "jwt", "--artifacts", files.to_str().unwrap()];
        let server = start_with("joblink", &site.url, &[&usual[..], &aim].concat(), settings);
        until("it serves", async || server.out().contains("/readyz").then_some(())).await;
        let said = server.err();
        let found: Vec<_> = said.lines().filter_map(|line| line.split_once("has signed them: set ")).collect();
        assert_eq!(found.first().map(|(_, set)| *set), missing, "{said}");
    }
}

#[tokio::test]
async fn the_program_takes_tokens_by_published_keys_and_limits_by_default() {
    let (site, folder) = (Site::empty(Engine::Sqlite).await, tempfile::tempdir().unwrap());
    let (keys, signer) = (folder.path().join("keys.json"), Signer::rsa(0, "a"));
    std::fs::write(&keys, jwks(&[&signer])).unwrap();
    let files = folder.path().join("artifacts");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--auth", "jwt", "--artifacts", files.to_str().unwrap()];
    let settings = [("JOBLINK_JWKS", keys.to_str().unwrap()), ("JOBLINK_TRUSTED_PROXY", "10.0.0.0/8, 192.0.2.1")];
    let server = start_with("joblink", &site.url, &arguments, &settings);
    let url = until("it serves", async || {
        server.out().lines().find_map(|line| line.strip_prefix("GraphQL   ").map(str::to_owned))
    })
    .await;
    let user = Uuid::now_v7();
    site.run(&format!(
        "INSERT INTO users (id, email, username, hashed_password) VALUES (X'{}', 'a@example.com', 'a', '!')",
        user.simple()
    ))
    .await;
    let claims = serde_json::json!({ "sub": user, "exp": super::issuer::now() + 60 });
    let who = serde_json::json!({ "query": "{ viewer { role } }" });
    let ask = async |token: &str| tests::http().post(&url).bearer_auth(token).json(&who).send().await.unwrap();
    let answer = ask(&signer.sign(&claims)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["ratelimit-policy"], "\"viewer\";q=200;w=4");
    let answer = ask(&Signer::rsa(1, "a").sign(&claims)).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["ratelimit-policy"]),
        (401, &"\"address\";q=200;w=4".parse().unwrap())
    );
}
