//! What who operates the server relies on: its connections, its end, its probes, its metrics and its log.

pub mod certificate;
mod collector;
mod connections;
mod draining;
mod log;
mod metrics;
pub mod page;
pub mod probes;
mod slow;
mod traces;
