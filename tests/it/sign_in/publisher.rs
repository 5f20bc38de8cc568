//! A server that publishes keys, and does it badly on demand.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use api::auth::{
    Clock,
    jwks::{Jwks, NoKeys, Source, Timing},
    login::Login,
    token::Rules,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;
use tests::{Engine, Setup, World};
use tokio::{net::TcpListener, sync::Notify};

/// What it answers.
#[derive(Clone)]
pub enum Manner {
    Says(String),
    Fails(StatusCode),
    Redirects(String),
    /// Sends this many bytes of white space before a set of keys.
    Pads(usize, String),
    /// Never comes to an end.
    Stalls,
}

#[derive(Clone)]
pub struct Publisher {
    manner: Arc<Mutex<Manner>>,
    asked: Arc<AtomicUsize>,
    address: SocketAddr,
    gone: Arc<Notify>,
}

/// No look but those for unknown keys, and those at once.
pub const EAGER: Timing =
    Timing { within: Duration::from_secs(20), every: Duration::from_hours(1), again: Duration::ZERO };

impl Publisher {
    pub async fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = Self {
            manner: Arc::new(Mutex::new(manner)),
            asked: Arc::default(),
            address: listener.local_addr().unwrap(),
            gone: Arc::default(),
        };
        own.serve(listener);
        own
    }

    fn serve(&self, listener: TcpListener) {
        let routes = Router::new().route("/keys", get(answer)).with_state(self.clone());
        let gone = self.gone.clone();
        tokio::spawn(async move {
            axum::serve(listener, routes).with_graceful_shutdown(async move { gone.notified().await }).await.unwrap();
        });
    }

    /// Answers so from now on.
    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// What takes its keys.
    pub async fn jwks(&self, timing: Timing) -> Result<Arc<Jwks>, NoKeys> {
        Jwks::follow(self.url().parse::<Source>().unwrap(), timing).await
    }

    /// Stops listening, until it is back.
    pub async fn leave(&self) {
        self.gone.notify_one();
        while tokio::net::TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Listens again, where it did before.
    pub async fn come_back(&self) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }
}

async fn answer(State(own): State<Publisher>) -> Response {
    own.asked.fetch_add(1, Ordering::SeqCst);
    let manner = own.manner.lock().unwrap().clone();
    match manner {
        Manner::Says(text) => text.into_response(),
        Manner::Fails(status) => status.into_response(),
        Manner::Redirects(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Manner::Pads(bytes, text) => Body::from(" ".repeat(bytes) + &text).into_response(),
        Manner::Stalls => Body::from_stream(stream::pending::<Result<&str, std::io::Error>>()).into_response(),
    }
}

/// A world that takes tokens by these keys.
pub async fn world(engine: Engine, jwks: Arc<Jwks>, rules: Rules) -> World {
    let login = Login::with_published_keys(jwks, rules, Clock::default());
    World::with(engine, Setup { login: Some(login), idle: true, ..Default::default() }).await
}
