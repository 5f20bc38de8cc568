//! The audit log: one entry for what was done, refused or failed; for ever; read by those who may.

mod append_only;
mod failures;
mod list;
mod mutations;

use entity::audit_entry;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, prelude::Uuid};
use serde_json::{Value, json};
use tests::{Person, World};

pub const CREATE: &str = "mutation($upload: ID!, $key: String) { createJob(input: {kind: ANNUAL, source: {uploadId: $upload}, idempotencyKey: $key}) {
    job { id } userErrors { code } } }";

/// The entries that a request left, in order.
pub async fn entries(world: &World, request: &str) -> Vec<audit_entry::Model> {
    let entries = audit_entry::Entity::find().filter(audit_entry::Column::RequestId.eq(request));
    entries.order_by_asc(audit_entry::Column::Id).all(world.app.db.reader()).await.unwrap()
}

/// Sends an operation under a request id, and gives the whole answer.
pub async fn send(world: &World, person: &Person, request: &str, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables });
    let sent = world.post().bearer_auth(&person.token).header("x-request-id", request).json(&body).send();
    sent.await.unwrap().json().await.unwrap()
}

/// Sends a file ahead.
pub async fn upload(world: &World, person: &Person, file: String) -> Uuid {
    let request = world.http.post(format!("{}/uploads?name=a.csv", world.base())).bearer_auth(&person.token);
    let answer = request.header("content-type", "text/csv").body(file).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["uploadId"].as_str().unwrap().parse().unwrap()
}
