//! The time that passes, for limits and for what is remembered; tests hold it.

use std::time::{Duration, Instant};

use governor::{clock::FakeRelativeClock, nanos::Nanos};

/// A clock that only goes forward.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's, counted from here.
    Machine(Instant),
    /// One that stands still until a test moves it.
    Held(FakeRelativeClock),
}

impl Default for Clock {
    fn default() -> Self {
        Self::Machine(Instant::now())
    }
}

impl Clock {
    /// A clock that stands still.
    pub fn held() -> Self {
        Self::Held(FakeRelativeClock::default())
    }

    /// Lets time pass on a clock that stands still.
    pub fn advance(&self, by: Duration) {
        if let Self::Held(clock) = self {
            clock.advance(by);
        }
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        governor::clock::Clock::now(self).into()
    }
}

impl governor::clock::Clock for Clock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        match self {
            Self::Machine(since) => since.elapsed().into(),
            Self::Held(clock) => clock.now(),
        }
    }
}
