//! What a connection is at, and whether its client has had enough time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::http::Version;

use crate::app::ConnectionLimits;

/// Shared by the connection, its stream and its requests.
#[derive(Clone)]
pub struct Pulse(Arc<Mutex<State>>);

struct State {
    opened: Instant,
    /// A request was begun.
    used: bool,
    /// Its requests come one after the other, so that what comes between two belongs to the next one.
    in_turn: bool,
    /// Requests that are not answered to the end.
    in_flight: usize,
    /// When the first byte after a request came.
    heard: Option<Instant>,
    /// When the last request was answered, or something of its answer taken.
    last: Instant,
}

impl Pulse {
    /// Of a connection that is opened now.
    pub fn new() -> Self {
        let now = Instant::now();
        let state = State { opened: now, used: false, in_turn: true, in_flight: 0, heard: None, last: now };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client sent something.
    pub fn heard(&self) {
        let mut state = self.state();
        if state.in_flight == 0 {
            state.heard.get_or_insert_with(Instant::now);
        }
    }

    /// The client took something.
    pub fn taken(&self) {
        self.state().last = Instant::now();
    }

    /// A request has begun, and is at work until what is given is dropped.
    pub fn begin(&self, version: Version) -> AtWork {
        let mut state = self.state();
        state.used = true;
        state.in_turn = version < Version::HTTP_2;
        state.in_flight += 1;
        state.heard = None;
        AtWork(self.clone())
    }

    /// Whether the client has used up its time without a request.
    pub fn is_over(&self, now: Instant, limits: &ConnectionLimits) -> bool {
        let state = self.state();
        if state.in_flight > 0 {
            return false;
        }
        let waited = |since: Instant| now.saturating_duration_since(since);
        match state.heard {
            _ if !state.used => waited(state.opened) >= limits.head,
            Some(heard) if state.in_turn => waited(heard) >= limits.head,
            _ => waited(state.last) >= limits.idle,
        }
    }
}

/// A request at work.
pub struct AtWork(Pulse);

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        state.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_has_time_for_a_head_then_for_a_pause_and_none_runs_during_a_request() {
        let limits =
            ConnectionLimits { head: Duration::from_secs(10), idle: Duration::from_mins(1), ..Default::default() };
        let pulse = Pulse::new();
        let over = |pulse: &Pulse, seconds| pulse.is_over(Instant::now() + Duration::from_secs(seconds), &limits);
        assert!(!over(&pulse, 9));
        assert!(over(&pulse, 11), "nothing was asked yet");
        let request = pulse.begin(Version::HTTP_11);
        assert!(!over(&pulse, 1_000), "a request is at work");
        drop(request);
        assert!(!over(&pulse, 59));
        assert!(over(&pulse, 61), "a pause");
        pulse.heard();
        assert!(over(&pulse, 11), "the next head has begun");
        drop(pulse.begin(Version::HTTP_2));
        pulse.heard();
        assert!(!over(&pulse, 59), "whatever comes on an HTTP/2 connection need not be a request");
    }
}
