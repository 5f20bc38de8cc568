//! The files in the artifact store as a whole: that it is the right store, and what in it belongs to no job.

pub mod mark;
pub mod sweep;
