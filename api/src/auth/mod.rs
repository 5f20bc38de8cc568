//! Who calls, and what they may see and do.

pub mod token;
mod viewer;

pub use viewer::{Access, Role, Viewer, local_user_id, make_local_user};
