//! Predictions: rows of input files in, scored, stored; and read again.

pub mod list;
pub mod row;
pub mod row_id;
pub mod scorecard;
pub mod store;
