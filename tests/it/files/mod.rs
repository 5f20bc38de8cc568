//! The artifact store as a whole: which one it is, and what in it belongs to no job.

mod download;
mod mark;
pub mod s3;
mod staged;
mod sweep;
