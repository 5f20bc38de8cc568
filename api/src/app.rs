//! What every room needs: the database, the store, and how to wake the background work.

use std::{sync::Arc, time::Duration};

use artifacts::ArtifactStore;
use tokio::sync::Notify;

use crate::{
    auth::names::Names, checkpoint::Checkpoints, database::Database, events::Events, metrics::Metrics,
    notifications::Notifications, origins::Origins, retention::Retention,
};

/// The program's parts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The database.
    pub db: Database,
    /// The artifact store.
    pub store: ArtifactStore,
    /// Limits of what callers may send.
    pub limits: Limits,
    /// The zone in which an existing installation's database wrote `created_at` and `updated_at`.
    pub adopted_timezone: chrono_tz::Tz,
    /// Wakes a worker when a job waits for one.
    pub job_waits: Arc<Notify>,
    /// Wakes the purge when a job was deleted or cleaned.
    pub job_deleted: Arc<Notify>,
    /// What happens to jobs, for those who watch.
    pub events: Events,
    /// What users are called.
    pub names: Names,
    /// The sites whose pages may ask, beside the server's own.
    pub origins: Origins,
    /// What is counted and measured.
    pub metrics: Metrics,
    /// How long jobs are kept, and what is done to them then.
    pub retention: Retention,
    /// Who is told of deletions and retention runs.
    pub notifications: Notifications,
    /// Where tests step in.
    pub checkpoints: Checkpoints,
}

/// Limits of what callers may send, and how workers go about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest input file in bytes.
    pub file_bytes: u64,
    /// The most data rows of an input file.
    pub file_rows: u64,
    /// The largest JSON body of a GraphQL request in bytes.
    pub body_bytes: usize,
    /// Limits of GraphQL documents.
    pub document: DocumentLimits,
    /// Whether who is not signed in may ask for the schema (`__schema`, `__type`).
    pub anonymous_introspection: bool,
    /// Jobs that this server works on at a time.
    pub workers: usize,
    /// The most rows that a worker commits at a time.
    pub batch_rows: usize,
    /// How long a worker's claim of a job holds without being renewed; then another worker may take it over.
    pub lease: Duration,
    /// Jobs whose files are purged at a time: one that the store is slow with leaves the places of the others. A removal is
    /// mostly waiting for the store, so many more would gain little and be felt by requests that read files.
    pub purges: usize,
    /// How often to look for events that nobody told of: of other servers.
    pub event_poll: Duration,
    /// WebSocket connections and event streams that may be open at a time.
    pub streams: usize,
    /// WebSocket connections and event streams that one user may have open at a time, and as many subscriptions.
    pub streams_per_user: usize,
    /// Requests of one user, or of one address that nobody has signed in for, that may be at work at a time.
    pub at_work: usize,
    /// Limits of WebSocket connections and event streams.
    pub socket: SocketLimits,
    /// Limits of connections and of the time that clients have.
    pub connections: ConnectionLimits,
}

/// Limits of a GraphQL document; what is beyond one of them is refused before the document is validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Bytes of its text.
    pub bytes: usize,
    /// Tokens of its text, without comments.
    pub tokens: usize,
    /// Directives as they are written.
    pub directives: usize,
    /// Fields, and directives on them, with fragments expanded; of all operations together.
    pub fields: usize,
    /// Levels of fields; the introspection query of GraphiQL needs 15.
    pub depth: usize,
    /// Aliases with fragments expanded.
    pub aliases: usize,
    /// Different fields at the root of the operation.
    pub root_fields: usize,
    /// Values that its answer could have, a list counting as often as it may have items.
    pub cost: u64,
}

/// Limits of a WebSocket connection, and of an event stream what fits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketLimits {
    /// Operations at a time.
    pub operations: usize,
    /// How long the client may take to introduce itself.
    pub init: Duration,
    /// How often the client is asked whether it is there; one that says nothing until the next time is gone.
    pub ping: Duration,
    /// How often its token is looked at again: it may have expired, or its user may no longer sign in.
    pub recheck: Duration,
}

/// Limits of connections and of the time that clients have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at a time; more wait until one ends.
    pub connections: usize,
    /// Connections at a time from one address; more are closed at once. 0 = as many as there are places.
    pub per_address: usize,
    /// How long a client may take for the TLS handshake.
    pub handshake: Duration,
    /// How long a client may take for the head of a request.
    pub head: Duration,
    /// The largest head of a request in bytes; over HTTP/1.1 what is read at once may come on top, at most as much again.
    pub head_bytes: u32,
    /// How long a connection without a request is kept.
    pub idle: Duration,
    /// In each such time of waiting for a body, [`Self::body_rate`] must be kept.
    pub body: Duration,
    /// Bytes a second. 240 is the least that Kestrel, the server of ASP.NET, takes as well (`MinRequestBodyDataRate`).
    pub body_rate: u64,
    /// How long a client may take nothing of an answer.
    pub take: Duration,
    /// Requests at a time on an HTTP/2 connection.
    pub streams: u32,
    /// How often to look whether the files of the certificate have changed.
    pub certificate: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 100_000_000,
            file_rows: 1_000_000,
            body_bytes: 1_000_000,
            document: DocumentLimits::default(),
            anonymous_introspection: true,
            workers: 1,
            batch_rows: 10_000,
            lease: Duration::from_secs(15),
            purges: 4,
            event_poll: Duration::from_secs(1),
            streams: 10_000,
            streams_per_user: 100,
            at_work: 64,
            socket: SocketLimits::default(),
            connections: ConnectionLimits::default(),
        }
    }
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            bytes: 256_000,
            tokens: 10_000,
            directives: 50,
            fields: 10_000,
            depth: 15,
            aliases: 100,
            root_fields: 20,
            cost: 50_000,
        }
    }
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            operations: 100,
            init: Duration::from_secs(3),
            ping: Duration::from_secs(20),
            recheck: Duration::from_secs(15),
        }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_address: 0,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            head_bytes: 32 * 1024,
            idle: Duration::from_mins(1),
            body: Duration::from_secs(30),
            body_rate: 240,
            take: Duration::from_secs(30),
            streams: 128,
            certificate: Duration::from_secs(10),
        }
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(
        db: Database,
        store: ArtifactStore,
        limits: Limits,
        adopted_timezone: chrono_tz::Tz,
        checkpoints: Checkpoints,
    ) -> Self {
        Self {
            db,
            store,
            limits,
            adopted_timezone,
            job_waits: Arc::default(),
            job_deleted: Arc::default(),
            events: Events::default(),
            names: Names::default(),
            origins: Origins::default(),
            metrics: Metrics::default(),
            retention: Retention::default(),
            notifications: Notifications::default(),
            checkpoints,
        }
    }
}
