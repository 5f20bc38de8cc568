//! How far something long is: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;

/// How often there is a line where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often a bar is drawn where nothing happens, so that it is seen to be alive.
const DRAW_EVERY: Duration = Duration::from_millis(250);

/// How far it is.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
    is_seen: bool,
    told: Mutex<Instant>,
}

impl Progress {
    /// So many things of which something is done, such as "jobs deleted".
    pub fn of(length: usize, what: &'static str) -> Self {
        Self::new(length as u64, what, "{wide_bar} {human_pos} of {human_len} {msg}, {eta} left")
    }

    /// So many bytes.
    pub fn of_bytes(length: u64, what: &'static str) -> Self {
        Self::new(length, what, "{wide_bar} {bytes} of {total_bytes} {msg}, {eta} left")
    }

    fn new(length: u64, what: &'static str, template: &str) -> Self {
        let is_seen = std::io::stderr().is_terminal();
        let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let bar = match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        bar.set_message(what);
        if is_seen {
            bar.enable_steady_tick(DRAW_EVERY);
        }
        Self { bar, what, is_seen, told: Mutex::new(Instant::now()) }
    }

    /// So much more is done.
    pub fn add(&self, more: u64) {
        self.bar.inc(more);
        self.tell();
    }

    /// So much is done, of so much.
    pub fn set(&self, done: u64, of: u64) {
        self.bar.set_length(of);
        self.bar.set_position(done);
        self.tell();
    }

    fn tell(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_seen && told.elapsed() >= LINE_EVERY {
            *told = Instant::now();
            let (done, of) = (self.bar.position(), self.bar.length().unwrap_or_default());
            output::tell(format!("{done} of {of} {}", self.what));
        }
    }

    /// Does something that prints, with the bar out of the way.
    pub fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
