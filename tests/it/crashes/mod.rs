//! Programs that are killed, as by `kill -9`, at each step of what they do: whatever was lost, in the end no file is without
//! a job, no job without its files, and nothing is done by half.

mod cases;
mod matrix;
pub mod program;
