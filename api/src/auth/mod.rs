//! Who calls, and what they may see and do.

mod clock;
pub mod jwks;
mod key;
pub mod login;
pub mod rate;
pub mod token;
mod viewer;

pub use clock::Clock;
pub use viewer::{Access, Role, Viewer, local_user_id, make_local_user};
