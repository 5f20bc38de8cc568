//! Notifications: whoever is to be told of a deletion or of a retention run is told, and nobody waits for it.

mod mail;
mod receiver;
mod settings;
mod webhook;

use api::{app::App, notifications::outbox};
use tests::World;

/// What was not delivered yet becomes due.
async fn all_is_due(world: &World) {
    world.run("UPDATE notifications SET due_at = created_at WHERE delivered_at IS NULL").await;
}

/// Tries once each that is due.
async fn deliver(app: &App) -> bool {
    outbox::drain(app).await.unwrap()
}

async fn undelivered(world: &World) -> i64 {
    world.count("SELECT count(*) FROM notifications WHERE delivered_at IS NULL").await
}
