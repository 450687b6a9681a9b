//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential backoff with full jitter: callers that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
}

impl Backoff {
    /// Doubles from `initial` with each attempt, up to `max`.
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max }
    }

    /// The longest wait after `failures` failures in a row (1 for the first).
    pub fn ceiling(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.initial.saturating_mul(1 << doublings).min(self.max)
    }

    /// A wait drawn evenly from zero to [`Backoff::ceiling`].
    pub fn delay(&self, failures: u32, random: &mut fastrand::Rng) -> Duration {
        let nanos = u64::try_from(self.ceiling(failures).as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(random.u64(..=nanos))
    }
}

impl Default for Backoff {
    /// 200 ms doubling to 30 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

    #[test]
    fn the_ceiling_doubles_and_then_stays() {
        let millis: Vec<_> = (0..9).map(|failures| BACKOFF.ceiling(failures).as_millis()).collect();
        assert_eq!(millis, [100, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(BACKOFF.ceiling(u32::MAX), Duration::from_secs(5));
    }

    #[test]
    fn jitter_uses_the_whole_range() {
        let mut random = fastrand::Rng::with_seed(1);
        let delays: Vec<_> = (0..1_000).map(|_| BACKOFF.delay(4, &mut random)).collect();
        assert!(delays.iter().any(|delay| *delay < Duration::from_millis(40)));
        assert!(delays.iter().any(|delay| *delay > Duration::from_millis(760)));
    }

    proptest! {
        #[test]
        fn no_delay_passes_its_ceiling_and_the_same_seed_repeats_it(failures: u32, seed: u64) {
            let delay = BACKOFF.delay(failures, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(delay <= BACKOFF.ceiling(failures));
            prop_assert_eq!(delay, BACKOFF.delay(failures, &mut fastrand::Rng::with_seed(seed)));
        }
    }
}
