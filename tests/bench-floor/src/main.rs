//! The floor of `tests/bench wire`: the least that answers the queries of the benchmark over HTTP. One prepared statement a
//! request, the whole answer made by PostgreSQL; no GraphQL, no login, no check.
//!
//! `bench-floor URL ORGANIZATION` prints the address at which it listens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;
use tokio_postgres::{Client, NoTls, Statement, types::ToSql};
use uuid::Uuid;

/// As many as the measured server opens.
const CONNECTIONS: usize = 16;

const QUERIES: [&str; 4] = [
    include_str!("jobs.sql"),
    include_str!("jobs_with_predictions.sql"),
    include_str!("job.sql"),
    include_str!("page.sql"),
];

/// A connection and its statements, in the order of [`QUERIES`].
struct Connection {
    client: Client,
    statements: Vec<Statement>,
}

struct Floor {
    connections: Vec<Connection>,
    next: AtomicUsize,
    organization: Uuid,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("usage: bench-floor URL ORGANIZATION")?;
    let organization = arguments.next().context("usage: bench-floor URL ORGANIZATION")?.parse()?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(connect(&url).await?);
    }
    let floor = Arc::new(Floor { connections, next: AtomicUsize::new(0), organization });
    let routes = Router::new()
        .route("/jobs", get(async |State(floor): State<Arc<Floor>>| floor.answer(0, None).await))
        .route("/jobs-with-predictions", get(async |State(floor): State<Arc<Floor>>| floor.answer(1, None).await))
        .route("/job/{id}", get(by_id::<2>))
        .route("/page/{id}", get(by_id::<3>))
        .with_state(floor);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(axum::serve(listener, routes).await?)
}

async fn connect(url: &str) -> Result<Connection> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let mut statements = Vec::new();
    for query in QUERIES {
        statements.push(client.prepare(query).await?);
    }
    Ok(Connection { client, statements })
}

async fn by_id<const QUERY: usize>(State(floor): State<Arc<Floor>>, Path(id): Path<Uuid>) -> impl IntoResponse {
    floor.answer(QUERY, Some(id)).await
}

impl Floor {
    async fn answer(&self, query: usize, id: Option<Uuid>) -> impl IntoResponse + use<> {
        let connection = &self.connections[self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS];
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&self.organization];
        parameters.extend(id.as_ref().map(|id| -> &(dyn ToSql + Sync) { id }));
        let row = connection.client.query_one(&connection.statements[query], &parameters).await;
        match row.and_then(|row| row.try_get::<_, String>(0)) {
            Ok(json) => (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], json),
            Err(error) => {
                (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], error.to_string())
            }
        }
    }
}
