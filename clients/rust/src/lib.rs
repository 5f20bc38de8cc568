//! A typed client of a Joblink server: the types of its operations come from `schema.graphql` when it is built, so that
//! one that does not fit the schema does not build.

mod download;
mod error;
mod events;
pub mod operations;
mod server;
mod upload;

pub use download::Download;
pub use error::{Error, deepest, is_tls};
pub use events::Events;
pub use server::{Again, Answer, Server};
pub use upload::Upload;
