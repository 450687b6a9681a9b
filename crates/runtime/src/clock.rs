//! The one clock: wall time at boot plus the monotonic clock, so that it never runs backwards.
//!
//! Promises:
//! 1. `now` never decreases while the process lives, whatever happens to the wall clock.
//! 2. `uptime` counts only while this process runs: an outage does not age what waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// This time moved forward, up to the largest representable one.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// The time that passed since `earlier`, zero if that lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The process's clock; clones read the same one.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { boot: Instant, wall_at_boot: u64 },
    Manual { start: u64, elapsed: Arc<AtomicU64> },
}

impl Clock {
    /// The machine's clock, read once for the wall time and then only as a monotonic one.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the machine's clocks are read")]
    pub fn system() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Source::System { boot: Instant::now(), wall_at_boot: nanos(wall) })
    }

    /// A clock that stands still at `start` until its handle advances it.
    pub fn manual(start: Timestamp) -> (Self, ManualClock) {
        let elapsed = Arc::new(AtomicU64::new(0));
        (Self(Source::Manual { start: start.0, elapsed: Arc::clone(&elapsed) }), ManualClock(elapsed))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        let start = match &self.0 {
            Source::System { wall_at_boot, .. } => *wall_at_boot,
            Source::Manual { start, .. } => *start,
        };
        Timestamp(start).saturating_add(self.uptime())
    }

    /// How long this process has run.
    pub fn uptime(&self) -> Duration {
        match &self.0 {
            Source::System { boot, .. } => boot.elapsed(),
            Source::Manual { elapsed, .. } => Duration::from_nanos(elapsed.load(Ordering::Acquire)),
        }
    }
}

/// Moves a manual clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(nanos(by), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_moves_only_when_told() {
        let (clock, hand) = Clock::manual(Timestamp::from_nanos(5));
        assert_eq!((clock.now(), clock.uptime()), (Timestamp::from_nanos(5), Duration::ZERO));
        hand.advance(Duration::from_nanos(7));
        assert_eq!((clock.now(), clock.uptime()), (Timestamp::from_nanos(12), Duration::from_nanos(7)));
    }

    #[test]
    fn system_clock_never_runs_backwards() {
        let clock = Clock::system();
        let first = clock.now();
        assert!(clock.now() >= first && first > Timestamp::from_nanos(1_600_000_000_000_000_000));
    }

    #[test]
    fn differences_saturate() {
        let (early, late) = (Timestamp::from_nanos(1), Timestamp::from_nanos(9));
        assert_eq!(late.since(early), Duration::from_nanos(8));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(Timestamp::from_nanos(u64::MAX).saturating_add(Duration::from_secs(1)).nanos(), u64::MAX);
    }
}
