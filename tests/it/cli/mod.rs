//! `joblink jobs`, as people and scripts run it: the real program against a real server.

mod archive;
mod deleting;
mod failing;
mod following;
mod killed;
mod lost;
mod program;
mod reading;
mod sending;
mod stale;
mod terminal;
mod token;
