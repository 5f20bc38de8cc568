//! A client that speaks `graphql-transport-ws`.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tests::World;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

/// How long to wait for what should come at once.
const PATIENCE: Duration = Duration::from_mins(1);
/// A subscription with what there is of a job.
const WATCH: &str = "subscription($job: ID) {
    jobEvents(jobId: $job) { type jobId job { id status progress { processed } } at } }";

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An open connection.
pub struct Client(pub Socket);

/// Opens a connection with these headers beside the usual ones; the status where it is refused.
pub async fn open(world: &World, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    open_at(&world.base(), headers).await
}

/// As [`open`], of any server.
pub async fn open_at(base: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("{}/graphql", base.replace("http:", "ws:")).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    for (name, value) in headers {
        match *value {
            "" => _ = request.headers_mut().remove(*name),
            value => _ = request.headers_mut().insert(*name, value.parse().unwrap()),
        }
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

impl Client {
    /// A connection on which nothing was said yet.
    pub async fn silent(world: &World) -> Self {
        Self(open(world, &[]).await.unwrap())
    }

    /// A connection of the built-in user.
    pub async fn new(world: &World) -> Self {
        Self::with(world, json!({})).await
    }

    /// A signed-in connection.
    pub async fn signed_in(world: &World, token: &str) -> Self {
        Self::with(world, json!({ "Authorization": format!("Bearer {token}") })).await
    }

    async fn with(world: &World, payload: Value) -> Self {
        Self::init(open(world, &[]).await.unwrap(), payload).await
    }

    /// A connection that introduces itself with this.
    pub async fn init(socket: Socket, payload: Value) -> Self {
        let mut client = Self(socket);
        client.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.next().await, json!({ "type": "connection_ack" }));
        client
    }

    pub async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Sends an operation under this id.
    pub async fn ask(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.send(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }

    /// Begins to watch a job, or all.
    pub async fn watch(&mut self, id: &str, job: Option<&str>) {
        self.ask(id, WATCH, json!({ "job": job })).await;
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        match self.receive().await {
            Ok(message) => message,
            Err(code) => panic!("closed with {code}"),
        }
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        let mut message = self.next().await;
        assert_eq!(message["type"], "next", "{message}");
        assert!(message["payload"].get("errors").is_none(), "{message}");
        message["payload"]["data"]["jobEvents"].take()
    }

    /// The next event, in short: type, status and rows processed.
    pub async fn short(&mut self) -> (String, Option<String>, Option<i64>) {
        let event = self.event().await;
        let job = &event["job"];
        let status = job["status"].as_str().map(str::to_owned);
        (event["type"].as_str().unwrap().to_owned(), status, job["progress"]["processed"].as_i64())
    }

    /// The code with which the server closes the connection.
    pub async fn closed(&mut self) -> u16 {
        match self.receive().await {
            Ok(message) => panic!("not closed: {message}"),
            Err(code) => code,
        }
    }

    async fn receive(&mut self) -> Result<Value, u16> {
        let receive = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                    Some(Ok(_)) => {}
                    // The connection was cut.
                    Some(Err(_)) | None => return Err(1006),
                }
            }
        };
        tokio::time::timeout(PATIENCE, receive).await.expect("waited for a minute in vain")
    }
}

/// Waits until so many watch on this server.
pub async fn watched_by(world: &World, count: usize) {
    world.until(async || (world.app.events.watchers().await == count).then_some(())).await;
}
