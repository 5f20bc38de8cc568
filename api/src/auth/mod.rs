//! Who calls, and what they may see and do.

pub mod roles;
pub mod token;
mod viewer;

pub use roles::{Action, Role};
pub use viewer::{Access, Viewer, local_user_id, make_local_user};
