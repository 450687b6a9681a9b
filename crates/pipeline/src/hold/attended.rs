//! Uptime without the stretches in which this process stood still: stopped by a signal, frozen, or starved.
//!
//! What came meanwhile waits in sockets and with its senders. If those stretches counted, every pending trace would be
//! judged by what came before, at the moment the process goes on.

use std::time::Duration;

use tollgate_runtime::Clock;

/// The longest stretch between two looks that counts in full: several turns of whoever looks at every tick.
pub(super) const STRETCH: Duration = Duration::from_secs(1);

/// A clock for whoever looks at it all the time.
pub(super) struct Attended {
    clock: Clock,
    /// Uptime at the last look.
    seen: Duration,
    /// Time that does not count.
    missed: Duration,
}

impl Attended {
    pub(super) fn new(clock: Clock) -> Self {
        Self { seen: clock.uptime(), missed: Duration::ZERO, clock }
    }

    /// The time that counts, up to now.
    pub(super) fn now(&mut self) -> Duration {
        let now = self.clock.uptime();
        self.missed += now.saturating_sub(self.seen).saturating_sub(STRETCH);
        self.seen = now;
        now.saturating_sub(self.missed)
    }
}

#[cfg(test)]
mod tests {
    use tollgate_runtime::Timestamp;

    use super::*;

    #[test]
    fn time_counts_while_somebody_looks() {
        let (clock, hand) = Clock::manual(Timestamp::default());
        hand.advance(Duration::from_secs(7));
        let mut attended = Attended::new(clock);
        for second in 8..100 {
            hand.advance(STRETCH);
            assert_eq!(attended.now(), Duration::from_secs(second));
        }
    }

    #[test]
    fn standing_still_counts_as_one_stretch_however_long_it_was() {
        let (clock, hand) = Clock::manual(Timestamp::default());
        let mut attended = Attended::new(clock);
        for stretches in 1..5 {
            hand.advance(Duration::from_secs(3600));
            assert_eq!(attended.now(), STRETCH * stretches);
            assert_eq!(attended.now(), STRETCH * stretches);
        }
    }
}
