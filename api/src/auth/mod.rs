//! Who calls, and what they may see and do.

mod clock;
pub mod jwks;
mod key;
pub mod login;
pub mod names;
pub mod rate;
pub mod roles;
pub mod token;
mod viewer;

pub use clock::Clock;
pub use roles::{Action, Role};
pub use viewer::{Access, Viewer, local_user_id, make_local_user};
