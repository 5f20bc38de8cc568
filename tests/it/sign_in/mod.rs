//! Sign-in: by published keys, on this machine alone, and how often callers may ask.

mod issuer;
mod local;
mod lock_out;
mod logs;
mod publisher;
mod rate;
mod rotation;
mod settings;
mod shared_address;
mod shares;
mod tokens;
