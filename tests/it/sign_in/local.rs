//! Without a login the server answers to this machine alone, whatever way a request names it.

use api::auth::make_local_user;
use tests::{Engine, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::events::client::open;

tests::on_both!(the_first_requests_make_the_local_user_together);

/// The status of a request that is sent as it stands.
async fn raw(world: &World, target: &str, headers: &[&str]) -> u16 {
    let address = world.base().replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let lines: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nconnection: close\r\n{lines}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer}")).parse().unwrap()
}

#[tokio::test]
async fn only_this_machines_own_names_are_answered() {
    let world = World::new(Engine::Sqlite).await;
    for (target, headers) in [
        ("/healthz", vec!["host: localhost"]),
        ("/healthz", vec!["host: 127.0.0.1:8080"]),
        ("/healthz", vec!["host: [::1]:8080"]),
        ("http://localhost:8080/healthz", vec!["host: 127.0.0.1"]),
        ("/healthz", vec!["host: localhost", "origin: http://localhost:3000"]),
        // A development server on this machine.
        ("/healthz", vec!["host: localhost", "x-forwarded-for: ::1, 127.0.0.1", "x-forwarded-host: localhost:3000"]),
    ] {
        assert_eq!(raw(&world, target, &headers).await, 200, "{target} {headers:?}");
    }
    for (target, headers) in [
        ("/healthz", vec!["host: example.com"]),
        ("/healthz", vec!["host: localhost.example.com"]),
        ("/healthz", vec!["host: localhost:80@example.com"]),
        ("/healthz", vec!["host: 192.0.2.1"]),
        ("/healthz", vec!["host:"]),
        ("/healthz", vec![]),
        // Programs differ on which name counts.
        ("http://example.com/healthz", vec!["host: localhost"]),
        ("http://localhost/healthz", vec!["host: example.com"]),
        ("http://localhost@example.com/healthz", vec!["host: localhost"]),
        ("/healthz", vec!["host: localhost", "host: example.com"]),
        ("/healthz", vec!["host: localhost", "origin: http://example.com"]),
        ("/healthz", vec!["host: localhost", "origin: null"]),
        // A proxy in front of it speaks for others.
        ("/healthz", vec!["host: localhost", "x-forwarded-for: 192.0.2.1"]),
        ("/healthz", vec!["host: localhost", "x-forwarded-for: 127.0.0.1, 192.0.2.1"]),
        ("/healthz", vec!["host: localhost", "x-forwarded-for: 127.0.0.1", "x-forwarded-for: 192.0.2.1"]),
        ("/healthz", vec!["host: localhost", "x-forwarded-host: jobs.example.com"]),
        ("/healthz", vec!["host: localhost", "x-real-ip: 192.0.2.1"]),
        ("/healthz", vec!["host: localhost", "x-forwarded-for: unknown"]),
        ("/healthz", vec!["host: localhost", "forwarded: for=192.0.2.1"]),
    ] {
        let status = raw(&world, target, &headers).await;
        // What is no HTTP at all does not even come that far.
        assert!([400, 403].contains(&status), "{target} {headers:?}: {status}");
    }
}

#[tokio::test]
async fn http_2_and_sockets_are_no_way_around() {
    let world = World::new(Engine::Sqlite).await;
    let address = world.base().replace("http://", "").parse().unwrap();
    let client =
        |name: &str| reqwest::Client::builder().http2_prior_knowledge().resolve(name, address).build().unwrap();
    for (name, status) in [("localhost", 200), ("example.com", 403)] {
        let url = format!("http://{name}:{}/healthz", address.port());
        assert_eq!(client(name).get(url).send().await.unwrap().status(), status, "{name}");
    }
    for (name, value) in [
        ("host", "example.com"),
        ("origin", "http://example.com"),
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
    ] {
        assert_eq!(open(&world, &[(name, value)]).await.err(), Some(403), "{name}");
    }
    assert!(open(&world, &[]).await.is_ok());
}

/// Requests that come at once, each in a transaction of its own, of which none sees the user yet.
async fn the_first_requests_make_the_local_user_together(engine: Engine) {
    const ROUNDS: usize = 20;
    const REQUESTS: usize = 8;
    let world = World::new(engine).await;
    for _ in 0..ROUNDS {
        world.run("DELETE FROM users").await;
        let requests = (0..REQUESTS).map(|_| async {
            let transaction = world.app.db.begin().await?;
            make_local_user(&*transaction).await?;
            transaction.commit().await
        });
        futures_util::future::try_join_all(requests).await.unwrap();
        assert_eq!(world.count("SELECT count(*) FROM users").await, 1);
    }
}
