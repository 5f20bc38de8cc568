//! Whose is what, and who may do what.

mod acted;
mod roles;
mod strangers;
pub mod town;
pub mod walk;
