//! `joblink jobs`, as people and scripts run it: the real program against a real server.

mod archive;
mod deleting;
mod failing;
mod following;
mod killed;
pub mod lost;
pub mod program;
mod reading;
mod sending;
mod stale;
pub mod terminal;
mod token;
