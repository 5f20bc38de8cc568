//! TLS, by a certificate that may be replaced at any time.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use api::{
    app::{ConnectionLimits, Limits},
    server::Tls,
};
use reqwest::{Certificate, ClientBuilder, Version};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::json;
use tempfile::TempDir;
use tests::{Engine, Setup, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A certificate for this machine, and its files.
pub struct Authority {
    folder: TempDir,
    pair: rcgen::CertifiedKey<rcgen::KeyPair>,
}

fn pair() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

impl Authority {
    pub fn new() -> Self {
        let authority = Self { folder: TempDir::new().unwrap(), pair: pair() };
        let [certificate, key] = authority.files();
        fs::write(certificate, authority.pair.cert.pem()).unwrap();
        fs::write(key, authority.pair.signing_key.serialize_pem()).unwrap();
        authority
    }

    pub fn files(&self) -> [PathBuf; 2] {
        ["server.crt", "server.key"].map(|name| self.folder.path().join(name))
    }

    pub fn tls(&self) -> Tls {
        let [certificate, key] = self.files();
        Tls::read(&certificate, &key).unwrap()
    }

    /// A client that trusts it.
    pub fn client(&self) -> ClientBuilder {
        _ = ring::default_provider().install_default();
        let root = Certificate::from_der(self.pair.cert.der()).unwrap();
        reqwest::Client::builder().tls_certs_only([root])
    }
}

/// A connection that trusts these certificates.
async fn connect(world: &World, roots: &[&CertificateDer<'static>]) -> TlsStream<TcpStream> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add((*root).clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    let stream = TcpStream::connect(world.server().address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

async fn world(authority: &Authority, connections: ConnectionLimits) -> World {
    let limits = Limits { connections, ..Limits::default() };
    World::with(Engine::Sqlite, Setup { limits, tls: Some(authority.tls()), idle: true, ..Default::default() }).await
}

#[tokio::test]
async fn requests_are_answered_over_tls_by_http_1_and_2() {
    let authority = Authority::new();
    let world = world(&authority, ConnectionLimits::default()).await;
    for (client, version) in
        [(authority.client().http1_only(), Version::HTTP_11), (authority.client(), Version::HTTP_2)]
    {
        let request = client.build().unwrap().post(format!("{}/graphql", world.base()));
        let answer = request.json(&json!({ "query": "{ viewer { role } }" })).send().await.unwrap();
        assert_eq!(answer.version(), version);
        assert_eq!(
            answer.json::<serde_json::Value>().await.unwrap(),
            json!({ "data": { "viewer": { "role": "OPERATOR" } } })
        );
    }
    // Who knows no TLS gets no answer.
    let plain = world.base().replace("https", "http");
    assert!(world.http.get(format!("{plain}/healthz")).send().await.is_err());
}

#[tokio::test]
async fn a_websocket_opens_over_tls() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
    let authority = Authority::new();
    let world = world(&authority, ConnectionLimits::default()).await;
    let stream = connect(&world, &[authority.pair.cert.der()]).await;
    let mut request = format!("wss://{}/graphql", world.server().address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    socket.send(Message::text(r#"{"type":"connection_init"}"#)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(r#"{"type":"connection_ack"}"#));
}

#[tokio::test]
async fn a_replaced_certificate_is_taken_and_one_without_its_key_is_not() {
    let authority = Authority::new();
    let often = ConnectionLimits { certificate: Duration::from_millis(20), ..Default::default() };
    let world = world(&authority, often).await;
    let (old, new) = (authority.pair.cert.der().clone(), pair());
    let shown =
        async || connect(&world, &[&old, new.cert.der()]).await.get_ref().1.peer_certificates().unwrap()[0].clone();
    let mut before = connect(&world, &[&old]).await;
    assert_eq!(shown().await, old);

    let [certificate, key] = authority.files();
    fs::write(&key, new.signing_key.serialize_pem()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(shown().await, old, "half of a pair changes nothing");
    fs::write(&certificate, new.cert.pem()).unwrap();
    world.until(async || (shown().await == *new.cert.der()).then_some(())).await;
    fs::write(&certificate, "nothing").unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(shown().await, *new.cert.der());

    before.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    _ = before.read_to_end(&mut answer).await;
    assert!(answer.ends_with(b"ok"), "connections stay");
}

#[tokio::test]
async fn who_does_not_finish_the_handshake_is_dropped() {
    let authority = Authority::new();
    let world =
        world(&authority, ConnectionLimits { handshake: Duration::from_millis(200), ..Default::default() }).await;
    let mut stream = TcpStream::connect(world.server().address).await.unwrap();
    assert_eq!(timeout(Duration::from_mins(1), stream.read(&mut [0])).await.unwrap().unwrap_or_default(), 0);
}

#[test]
fn files_that_are_no_certificate_or_no_pair_are_named() {
    let (one, other) = (Authority::new(), Authority::new());
    let ([certificate, key], [_, foreign]) = (one.files(), other.files());
    let missing = one.folder.path().join("missing.pem");
    let said = |certificate, key| Tls::read(certificate, key).unwrap_err().to_string();
    assert!(said(&missing, &key).starts_with(&format!("cannot read {}: ", missing.display())));
    assert_eq!(said(&key, &key), format!("{} holds no certificate in PEM form", key.display()));
    assert_eq!(said(&certificate, &certificate), format!("{} holds no private key in PEM form", certificate.display()));
    assert!(said(&certificate, &foreign).starts_with("the certificate and the key cannot be used together"));
}
