//! No token in the log, not even where everything is logged, and none is taken from an address.

use api::auth::Role;
use sea_orm::prelude::Uuid;
use serde_json::json;
use tests::Engine;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    events::client::{Client, open_at},
    migrations::{
        program::start_with,
        site::{Site, until},
    },
};

const SECRET: &str = "a secret for tests alone, longer than thirty-two bytes";

#[tokio::test]
async fn no_token_is_logged_even_at_the_finest_level() {
    let (site, files) = (Site::empty(Engine::Sqlite).await, tempfile::tempdir().unwrap());
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--auth", "jwt", "--artifacts", files.path().to_str().unwrap()];
    let settings = [("JOBLINK_JWT_SECRET", SECRET), ("JOBLINK_LOG", "trace"), ("RUST_LOG", "trace")];
    let server = start_with("joblink", &site.url, &arguments, &settings);
    let base = until("it serves", async || {
        let said = server.out();
        said.lines().find_map(|line| line.strip_prefix("GraphQL   ")?.strip_suffix("/graphql").map(str::to_owned))
    })
    .await;
    let user = Uuid::now_v7();
    site.run(&format!(
        "INSERT INTO users (id, email, username, hashed_password, is_active)
         VALUES (X'{}', 'a@example.com', 'a', '!', true)",
        user.simple()
    ))
    .await;
    let good = tests::token(user, None, Role::Member);
    let [head, body, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let forged = format!("{head}.{body}.{}", signature.chars().rev().collect::<String>());
    let malformed = format!("{head}{body}.{signature}");
    let who = json!({ "query": "{ viewer { role } }" });
    let clients = [tests::http(), reqwest::Client::builder().http2_prior_knowledge().build().unwrap()];
    for client in &clients {
        for (token, status) in [(&good, 200), (&forged, 401), (&malformed, 401)] {
            let post = || client.post(format!("{base}/graphql")).json(&who);
            assert_eq!(post().bearer_auth(token).send().await.unwrap().status(), status);
            let authorization = format!("Token {token}");
            assert_eq!(post().header("authorization", authorization).send().await.unwrap().status(), 401);
            for parameter in ["access_token", "token", "authorization", "Authorization"] {
                let there = client.post(format!("{base}/graphql?{parameter}={token}")).json(&who);
                assert_eq!(there.send().await.unwrap().status(), 401, "{parameter}");
                let there = client.get(format!("{base}/artifacts/{user}?{parameter}={token}"));
                assert_eq!(there.send().await.unwrap().status(), 401, "{parameter}");
            }
            let upload = client.post(format!("{base}/uploads?name=a.csv")).header("content-type", "text/csv");
            let status = if status == 200 { 201 } else { status };
            assert_eq!(upload.bearer_auth(token).body("a").send().await.unwrap().status(), status);
        }
    }
    for (token, known) in [(&good, true), (&forged, false), (&malformed, false)] {
        let authorization = format!("Bearer {token}");
        let mut client = Client(open_at(&base, &[("authorization", &authorization)]).await.unwrap());
        client.send(json!({ "type": "connection_init" })).await;
        let mut other = Client(open_at(&base, &[]).await.unwrap());
        other.send(json!({ "type": "connection_init", "payload": { "authorization": authorization } })).await;
        if known {
            assert_eq!(
                (client.next().await, other.next().await),
                (json!({ "type": "connection_ack" }), json!({ "type": "connection_ack" }))
            );
        } else {
            assert_eq!((client.closed().await, other.closed().await), (4403, 4403));
        }
        // What is no message shows it as little.
        let mut odd = Client(open_at(&base, &[]).await.unwrap());
        let text = format!("{{\"type\":\"connection_init\",\"payload\":[\"{authorization}\"]}}");
        futures_util::SinkExt::send(&mut odd.0, Message::text(text)).await.unwrap();
        assert_eq!(odd.closed().await, 4400);
    }
    let log = until("it has logged", async || {
        let log = server.err();
        (log.contains("TRACE") && log.contains("a token is refused")).then_some(log)
    })
    .await;
    let forged_signature = forged.rsplit('.').next().unwrap();
    for (part, text) in [("head", head), ("body", body), ("signature", signature), ("signature", forged_signature)] {
        let line = log.lines().find(|line| line.contains(text));
        assert_eq!(line, None, "the {part} of a token is logged");
    }
    assert!(!log.contains(SECRET) && !server.out().contains(SECRET));
}
