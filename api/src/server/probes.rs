//! `/healthz` and `/readyz`: whether the process is alive, and whether requests can be served.
//!
//! Each part is asked at most once at a time, its answer is told again for a while, and nobody waits for it for long: a probe
//! neither loads a part nor hangs with it.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use sea_orm::DbBackend;
use serde_json::{Map, Value, json};
use tokio::{sync::Mutex, time::timeout};

use super::Edge;
use crate::{app::App, files::mark};

/// How long a probe waits for a part.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a part may take before it is asked once more.
const LONGEST: Duration = Duration::from_secs(30);
/// How long a bad answer is told again.
const FRESH_FAILURE: Duration = Duration::from_secs(1);

/// What is known of the parts.
#[derive(Clone, Debug)]
pub struct Probes {
    database: Part,
    store: Part,
    migrations: Part,
}

/// One part, and how it answered last; held while it is asked.
#[derive(Clone, Debug)]
struct Part {
    fresh: Duration,
    last: Arc<Mutex<Option<(Instant, Answer)>>>,
}

/// Nothing, or what is wrong: one line.
type Answer = Result<(), &'static str>;

impl Default for Probes {
    fn default() -> Self {
        let part = |seconds| Part { fresh: Duration::from_secs(seconds), last: Arc::default() };
        // What is applied stays applied.
        Self { database: part(1), store: part(5), migrations: part(60) }
    }
}

impl Part {
    async fn ask<F>(&self, silent: &'static str, ask: impl FnOnce() -> F) -> Answer
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let asking = async {
            let mut last = self.last.clone().lock_owned().await;
            if let Some((at, answer)) = *last
                && at.elapsed() < if answer.is_ok() { self.fresh } else { FRESH_FAILURE }
            {
                return answer;
            }
            let asking = ask();
            // In a task of its own, which others wait for when this probe does so no longer.
            let task = tokio::spawn(async move {
                let answer = timeout(LONGEST, asking).await.unwrap_or(Err(silent));
                *last = Some((Instant::now(), answer));
                answer
            });
            task.await.unwrap_or(Err(silent))
        };
        timeout(PATIENCE, asking).await.unwrap_or(Err(silent))
    }
}

impl Probes {
    /// Asks all parts at once.
    async fn ask(&self, app: &App) -> [(&'static str, Answer); 3] {
        let no_database = match app.db.backend() {
            DbBackend::Postgres => "the database does not answer, or is a standby",
            _ => "the database does not answer",
        };
        let database = self.database.ask(no_database, || {
            let db = app.db.clone();
            async move {
                match db.newest().takes_changes().await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err("the database is read-only"),
                    Err(error) => Err(told(&error, no_database)),
                }
            }
        });
        let no_store = "the artifact store does not answer";
        let store = self.store.ask(no_store, || {
            let app = app.clone();
            async move {
                let mark = app.store.mark().await.map_err(|error| told(&error, no_store))?;
                match timeout(PATIENCE / 2, mark::known(&app)).await {
                    Ok(Ok(Some(known))) if mark != Some(known) => {
                        Err("the artifact store is not the one that the database uses")
                    }
                    // That the database does not answer is told of the database.
                    _ => Ok(()),
                }
            }
        });
        let unknown = "the database does not tell its migrations";
        let migrations = self.migrations.ask(unknown, || {
            let db = app.db.clone();
            async move {
                match migration::pending(&db.pool()).await {
                    Ok(pending) if !pending.is_empty() => Err("the database lacks migrations; run `migration up`"),
                    // A newer version has migrated it: what this one needs is there.
                    Ok(_) | Err(migration::Error::Refused(_)) => Ok(()),
                    Err(error) => Err(told(&error, unknown)),
                }
            }
        });
        let (database, store, migrations) = tokio::join!(database, store, migrations);
        [("database", database), ("store", store), ("migrations", migrations)]
    }
}

fn told(error: &impl std::fmt::Display, answer: &'static str) -> &'static str {
    tracing::warn!("not ready: {error}");
    answer
}

/// Whether requests can be served: 200, or 503 with a line for each part that is in the way.
pub async fn ready(State(edge): State<Edge>, headers: HeaderMap) -> Response {
    let mut parts = edge.probes.ask(&edge.app).await.to_vec();
    if edge.leaving.is_cancelled() {
        parts.push(("server", Err("the server is stopping")));
    }
    let lines: Vec<_> = parts.iter().filter_map(|(_, answer)| answer.err()).collect();
    let (status, word) =
        if lines.is_empty() { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    let wants_json =
        headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"));
    let mut response = if wants_json {
        let parts: Map<String, Value> =
            parts.iter().map(|(name, answer)| ((*name).to_owned(), json!(answer.err().unwrap_or("ok")))).collect();
        (status, Json(json!({ "status": word, "parts": parts }))).into_response()
    } else {
        (status, if lines.is_empty() { word.to_owned() } else { lines.join("\n") }).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, axum::http::HeaderValue::from_static("no-store"));
    response
}
