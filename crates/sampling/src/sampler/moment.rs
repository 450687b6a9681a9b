//! When a request is taken in.

use std::time::Duration;

/// A moment by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Uptime: what a trace waits counts by it.
    pub now: Duration,
    /// When the request arrived, by a clock that goes on where the process before ended: what comes too long after a root of its
    /// trace is told by it, also where both are taken in at once.
    pub arrived: Duration,
}

/// What is taken in as it arrives.
impl From<Duration> for Moment {
    fn from(now: Duration) -> Self {
        Self { now, arrived: now }
    }
}
