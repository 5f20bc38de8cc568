//! Schema migrations: one schema from every beginning, online, interruptible, and back; run by the real programs.

mod adoption;
mod catalogue;
mod copy;
mod interruption;
mod lock;
mod messages;
mod online;
mod plan;
pub mod program;
mod refusals;
mod serve;
pub mod site;
