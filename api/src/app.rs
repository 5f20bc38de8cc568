//! What every room needs: the database, the store, and how to wake the background work.

use std::{sync::Arc, time::Duration};

use artifacts::ArtifactStore;
use tokio::sync::Notify;

use crate::{checkpoint::Checkpoints, database::Database, events::Events, origins::Origins};

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
    /// Wakes the purge when a job was deleted.
    pub job_deleted: Arc<Notify>,
    /// What happens to jobs, for those who watch.
    pub events: Events,
    /// The sites whose pages may ask, beside the server's own.
    pub origins: Origins,
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
    /// The longest GraphQL document in bytes.
    pub document_bytes: usize,
    /// Jobs that this server works on at a time.
    pub workers: usize,
    /// The most rows that a worker commits at a time.
    pub batch_rows: usize,
    /// How long a worker's claim of a job holds without being renewed; then another worker may take it over.
    pub lease: Duration,
    /// How often to look for events that nobody told of: of other servers.
    pub event_poll: Duration,
    /// WebSocket connections and event streams that may be open at a time.
    pub streams: usize,
    /// Limits of WebSocket connections and event streams.
    pub socket: SocketLimits,
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

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 100_000_000,
            file_rows: 1_000_000,
            body_bytes: 1_000_000,
            document_bytes: 256_000,
            workers: 1,
            batch_rows: 10_000,
            lease: Duration::from_secs(15),
            event_poll: Duration::from_secs(1),
            streams: 10_000,
            socket: SocketLimits::default(),
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
            origins: Origins::default(),
            checkpoints,
        }
    }
}
