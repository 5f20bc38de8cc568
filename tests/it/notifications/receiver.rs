//! A receiver of webhooks that checks each signature, and answers what the test wants.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use api::notifications::{Notifications, webhook::Webhook};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::any,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Semaphore};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What came with a request.
#[derive(Clone, Debug)]
pub struct Received {
    pub id: String,
    pub body: Value,
    pub headers: HeaderMap,
}

/// How a request is answered.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Status(u16),
    /// With a redirect to where it would be taken.
    Redirect,
    /// Not before the receiver is told so.
    Late,
}

#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    late: Arc<Semaphore>,
}

impl Receiver {
    /// One that answers so, each time the next one, and takes everything afterwards.
    pub async fn new(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            late: Arc::new(Semaphore::new(0)),
        };
        let routes = Router::new().route("/hook", any(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        receiver
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Those who are told: this one.
    pub fn notifications(&self) -> Notifications {
        Notifications::new(Some(Webhook::new(&self.url(), SECRET).unwrap()), None)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Answers one that waits.
    pub fn answer_late(&self) {
        self.late.add_permits(1);
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    standardwebhooks::Webhook::new(SECRET).unwrap().verify(&body, &headers).unwrap();
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let body = serde_json::from_slice(&body).unwrap();
    receiver.received.lock().unwrap().push(Received { id, body, headers });
    let answer = receiver.answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(204));
    let status = match answer {
        Answer::Status(status) => status,
        Answer::Redirect => 307,
        Answer::Late => {
            receiver.late.acquire().await.unwrap().forget();
            204
        }
    };
    (StatusCode::from_u16(status).unwrap(), [("location", receiver.url())])
}
