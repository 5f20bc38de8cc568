//! What callers do with jobs: cancel them, run their files again, forbid deleting them.

mod cancel;
mod hold;
mod outputs;
mod retry;

use serde_json::{Value, json};
use tests::World;

pub const CANCEL: &str = "mutation($id: ID!, $reason: String = \"user_request\", $notes: String) {
    cancelJob(id: $id, reason: $reason, notes: $notes) { job { id status } userErrors { code message field } } }";
pub const RETRY: &str =
    "mutation($id: ID!) { retryJob(id: $id) { job { id status fileName } userErrors { code message field } } }";
const HOLD: &str = "mutation($id: ID!, $reason: String!) { holdJob(id: $id, reason: $reason) { job { id } userErrors { code message field } } }";
const RELEASE: &str = "mutation($id: ID!) { releaseJobHold(id: $id) { job { id } userErrors { code message field } } }";

/// Cancels a job as the built-in user and gives the payload.
pub async fn cancel(world: &World, id: &str) -> Value {
    world.data(CANCEL, json!({ "id": id })).await["cancelJob"].take()
}

/// The code and message of a payload's only refusal.
fn refusal(payload: &Value) -> (&str, &str) {
    let errors = payload["userErrors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{payload}");
    (errors[0]["code"].as_str().unwrap(), errors[0]["message"].as_str().unwrap())
}

/// Some fields of a job.
async fn job(world: &World, id: &str, fields: &str) -> Value {
    let query = format!("query($id: ID!) {{ job(id: $id) {{ {fields} }} }}");
    world.data(&query, json!({ "id": id })).await["job"].take()
}

/// What the audit log says of an action, in order: `outcome code detail`.
async fn audited(world: &World, action: &str) -> Vec<String> {
    let sql = format!(
        "SELECT outcome || ' ' || coalesce(code, '') || ' ' || coalesce(detail, '') AS said FROM audit_log \
         WHERE action = '{action}' ORDER BY id"
    );
    world.rows(&sql).await.iter().map(|row| row["said"].as_str().unwrap().to_owned()).collect()
}
