//! A database on several hosts, and commits whose answer is lost.

mod address;
mod commits;
mod failover;
mod history;
mod standby;
mod storm;
