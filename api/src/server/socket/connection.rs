//! One connection, from its opening to its end.

use std::{
    collections::HashMap,
    future::pending,
    net::IpAddr,
    ops::ControlFlow::{self, Break, Continue},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::ws::{Message, WebSocket},
    http::{HeaderValue, StatusCode},
};
use sea_orm::prelude::Uuid;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    message::{Close, Incoming, Outgoing},
    operation::{self, Saying},
};
use crate::{
    auth::{Access, Viewer},
    server::{Edge, access, check::Operation, rate, rejection::Rejection, shares::Share, traced},
};

/// Messages of operations that wait for a slow client; then the operations wait.
const WAITING: usize = 16;
/// How long a client may take to take a message.
const SLOWEST: Duration = Duration::from_secs(30);
/// How long a client may take to take a message when the server stops: others wait for that end.
const HASTE: Duration = Duration::from_secs(5);
/// How long to wait for the client's own end of a connection that is closed.
const PARTING: Duration = Duration::from_secs(1);

/// Serves a client until one of both has enough. `authorization` is the header of the first request, which came from
/// `origin`, and may have been charged to it.
pub async fn serve(
    edge: Edge,
    authorization: Option<HeaderValue>,
    origin: IpAddr,
    is_address_charged: bool,
    mut socket: WebSocket,
) {
    let (say, mut said) = mpsc::channel(WAITING);
    let mut connection = Connection {
        at_work: Arc::new(Semaphore::new(edge.app.limits.socket.operations)),
        edge,
        authorization,
        origin,
        is_address_charged,
        viewer: None,
        place: None,
        running: HashMap::new(),
        ids: HashMap::new(),
        begun: 0,
        say: Some(say),
        heard: true,
    };
    let close = connection.talk(&mut socket, &mut said).await;
    // What runs ends before the client is told.
    drop(connection);
    if let Some(why) = close {
        self::close(socket, why).await;
    }
}

/// Tells the client why, and closes.
pub async fn close(mut socket: WebSocket, why: Close) {
    if let Ok(Ok(())) = timeout(PARTING, socket.send(why.write())).await {
        // A connection with unread messages would be cut off, and the client might not see why it was closed.
        let read_on = async { while let Some(Ok(_)) = socket.recv().await {} };
        _ = timeout(PARTING, read_on).await;
    }
}

struct Connection {
    edge: Edge,
    /// `Authorization`: of the first request, then of the client's introduction.
    authorization: Option<HeaderValue>,
    /// Where it comes from.
    origin: IpAddr,
    /// The first request was charged to that address, for the introduction too: a browser can send no token before it.
    is_address_charged: bool,
    /// Who it is, once introduced.
    viewer: Option<Viewer>,
    /// What the connection counts for among those of its user.
    place: Option<Share<Uuid>>,
    /// What runs, by the client's id and ours. A client may use an id again.
    running: HashMap<String, Running>,
    ids: HashMap<u64, String>,
    begun: u64,
    /// How many more operations may be at work.
    at_work: Arc<Semaphore>,
    /// For operations that are begun; none are any more when the server stops.
    say: Option<mpsc::Sender<Saying>>,
    /// The client has said something since it was asked last.
    heard: bool,
}

struct Running {
    number: u64,
    cancelled: CancellationToken,
}

/// Why it is not known now who calls.
enum Unknown {
    /// For good.
    Leaves(Close),
    /// For a while: too much was asked, or the database is busy. Clients connect again after other codes than 4500.
    Waits(Rejection),
}

impl Drop for Connection {
    fn drop(&mut self) {
        for (_, running) in self.running.drain() {
            running.cancelled.cancel();
        }
    }
}

/// How a connection goes on: not at all, with a closing message or, where the client is gone, without.
type Flow = ControlFlow<Option<Close>>;

impl Connection {
    async fn talk(&mut self, socket: &mut WebSocket, said: &mut mpsc::Receiver<Saying>) -> Option<Close> {
        let limits = self.edge.app.limits.socket;
        let stop = self.edge.stop.clone();
        let init_until = Instant::now() + limits.init;
        let ticks = |every| {
            let mut ticks = interval_at(Instant::now() + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut pings, mut rechecks) = (ticks(limits.ping), ticks(limits.recheck));
        loop {
            let introduced = self.viewer.is_some();
            let init_timeout = async || if introduced { pending().await } else { sleep_until(init_until).await };
            let flow = tokio::select! {
                // Subscriptions end by themselves; what else was begun is answered first.
                () = stop.cancelled(), if self.say.is_some() => {
                    self.say = None;
                    Continue(())
                }
                () = init_timeout() => Break(Some(Close::init_timeout())),
                message = socket.recv() => match message {
                    Some(Ok(message)) => self.hear(socket, message).await,
                    // Too large, or not even a WebSocket's; or the client is gone, and nothing more reaches it.
                    Some(Err(_)) => Break(Some(Close::INVALID)),
                    None => Break(None),
                },
                said = said.recv() => match said {
                    Some((number, message)) => self.pass_on(socket, number, message).await,
                    None => Break(Some(Close::going_away())),
                },
                _ = pings.tick() => self.ask(socket).await,
                _ = rechecks.tick(), if introduced => self.recheck().await,
            };
            if let Break(close) = flow {
                return close;
            }
        }
    }

    async fn hear(&mut self, socket: &mut WebSocket, message: Message) -> Flow {
        self.heard = true;
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Break(Some(Close::INVALID)),
            // The library answers; after a close there is nothing more to receive.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Continue(()),
        };
        match Incoming::read(&text) {
            Err(close) => Break(Some(close)),
            Ok(Incoming::Init(_)) if self.viewer.is_some() => Break(Some(Close::too_many_inits())),
            Ok(Incoming::Init(authorization)) => self.init(socket, authorization).await,
            Ok(Incoming::Ping(payload)) => self.send(socket, Outgoing::Pong(payload).write("")).await,
            Ok(Incoming::Pong) => Continue(()),
            Ok(Incoming::Subscribe(id, operation)) => self.begin(socket, id, operation).await,
            Ok(Incoming::Complete(id)) => {
                self.forget(&id);
                Continue(())
            }
        }
    }

    async fn init(&mut self, socket: &mut WebSocket, authorization: Option<String>) -> Flow {
        if let Some(authorization) = authorization {
            let Ok(value) = HeaderValue::try_from(authorization) else { return Break(Some(Close::forbidden())) };
            self.authorization = Some(value);
        }
        if self.authorization.is_none() && !matches!(*self.edge.access, Access::Local) {
            return Break(Some(Close::unauthorized()));
        }
        match self.look_up().await {
            Ok(viewer) => {
                let Ok(place) = self.edge.streams.open(viewer.user_id) else { return Break(Some(Close::try_later())) };
                (self.viewer, self.place) = (Some(viewer), Some(place));
            }
            Err(Unknown::Leaves(close)) => return Break(Some(close)),
            Err(Unknown::Waits(_)) => return Break(Some(Close::try_later())),
        }
        self.send(socket, Outgoing::Ack.write("")).await
    }

    /// Who calls, as of now. Counted like a request.
    async fn look_up(&mut self) -> Result<Viewer, Unknown> {
        let is_charged = std::mem::take(&mut self.is_address_charged);
        match rate::admission(&self.edge, self.authorization.as_ref(), self.origin, is_charged).await.caller {
            Ok(viewer) => viewer.ok_or_else(|| Unknown::Leaves(Close::forbidden())),
            Err(rejection)
                if [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&rejection.status) =>
            {
                Err(Unknown::Waits(rejection))
            }
            Err(_) => Err(Unknown::Leaves(Close::failed())),
        }
    }

    /// Whether the client may still be here. Who it is does not change meanwhile.
    async fn recheck(&self) -> Flow {
        match access::may_stay(&self.edge, self.authorization.as_ref()).await {
            Ok(false) => Break(Some(Close::forbidden())),
            Ok(true) => Continue(()),
            Err(error) => {
                tracing::warn!("cannot look at a caller's token again: {error}");
                Continue(())
            }
        }
    }

    async fn begin(&mut self, socket: &mut WebSocket, id: String, operation: Operation) -> Flow {
        let Some(known) = self.viewer.clone() else { return Break(Some(Close::unauthorized())) };
        // The client hears soon that the server stops, and asks another one.
        let Some(say) = self.say.clone() else { return Continue(()) };
        // A token may have run out since the client introduced itself.
        let viewer = match self.look_up().await {
            Ok(viewer) => viewer,
            Err(Unknown::Leaves(close)) => return Break(Some(close)),
            // An operation that runs under this id is not ended by it.
            Err(Unknown::Waits(_)) if self.running.contains_key(&id) => return Break(Some(Close::taken(&id))),
            Err(Unknown::Waits(rejection)) => {
                let refusal = operation::refuse(&self.edge, &known, &operation, &rejection);
                return self.send(socket, refusal.write(&id)).await;
            }
        };
        if self.running.contains_key(&id) {
            return Break(Some(Close::taken(&id)));
        }
        // Until it has ended, also where the client wants no more of it.
        let Ok(at_work) = self.at_work.clone().try_acquire_owned() else {
            let most = self.edge.app.limits.socket.operations;
            let message = format!(
                "At most {most} operations may run on a connection at a time; end one, or open another connection."
            );
            let (most, found) = (most as u64, most as u64 + 1);
            let rejection = Rejection::exceeded("QUERY_TOO_COMPLEX", "subscriptions", most, found, message);
            let refusal = operation::refuse(&self.edge, &viewer, &operation, &rejection);
            return self.send(socket, refusal.write(&id)).await;
        };
        self.begun += 1;
        let (number, cancelled) = (self.begun, CancellationToken::new());
        self.ids.insert(number, id.clone());
        self.running.insert(id, Running { number, cancelled: cancelled.clone() });
        let say = async move |message| say.send((number, message)).await;
        // In a task of its own, so that a client who hangs up leaves no transaction half done.
        let edge = self.edge.clone();
        let request_id = uuid::Uuid::now_v7().to_string();
        let span = tracing::info_span!("operation", id = &*request_id);
        let traced = traced::operation(&span, &request_id);
        let told = traced.clone();
        let running = async move {
            operation::run(edge, viewer, operation, &request_id, &told, cancelled, say).await;
            drop(at_work);
        };
        self.edge.requests.spawn(running.instrument(traced).instrument(span));
        Continue(())
    }

    /// Ends an operation of which the client wants no more.
    fn forget(&mut self, id: &str) {
        if let Some(running) = self.running.remove(id) {
            running.cancelled.cancel();
            self.ids.remove(&running.number);
        }
    }

    /// Sends what an operation says, unless the client wants no more of it.
    async fn pass_on(&mut self, socket: &mut WebSocket, number: u64, message: Outgoing) -> Flow {
        let Some(id) = self.ids.get(&number).cloned() else { return Continue(()) };
        if message.is_last() {
            self.forget(&id);
        }
        self.send(socket, message.write(&id)).await
    }

    /// Asks the client whether it is there, or finds that it did not answer the last time.
    async fn ask(&mut self, socket: &mut WebSocket) -> Flow {
        if !std::mem::take(&mut self.heard) {
            return Break(Some(Close::silent()));
        }
        self.send(socket, Message::Ping(Vec::new().into())).await
    }

    async fn send(&self, socket: &mut WebSocket, message: Message) -> Flow {
        let stopping = async {
            self.edge.stop.cancelled().await;
            sleep(HASTE).await;
        };
        tokio::select! {
            sent = socket.send(message) => if sent.is_ok() { Continue(()) } else { Break(None) },
            // In the middle of a message nothing else can be said.
            () = stopping => Break(None),
            () = sleep(SLOWEST) => Break(None),
        }
    }
}
