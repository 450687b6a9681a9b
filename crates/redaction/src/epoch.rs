//! Epochs: stretches of time of equal length, counted from the Unix epoch. Each has a root key of its own.

use std::ops::Range;
use std::time::Duration;

const NANOS: u64 = 1_000_000_000;

/// One epoch. Epochs of one length sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    /// In seconds; never zero.
    length: u64,
    number: u64,
}

impl Epoch {
    /// Returns the epoch of a moment, in nanoseconds since the Unix epoch. Parts of a second in the length do not count.
    #[must_use]
    pub fn at(nanos: u64, length: Duration) -> Self {
        let length = length.as_secs().max(1);
        Self { length, number: nanos / NANOS / length }
    }

    /// Returns its number, counted from the Unix epoch.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }

    /// Returns how long it lasts.
    #[must_use]
    pub fn length(self) -> Duration {
        Duration::from_secs(self.length)
    }

    /// Returns its first and the next one's first second, since the Unix epoch.
    #[must_use]
    pub fn seconds(self) -> Range<u64> {
        self.number.saturating_mul(self.length)..self.number.saturating_add(1).saturating_mul(self.length)
    }

    /// Returns the epoch after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }

    /// The last moments that 64 bits can tell fall into no epoch here, and are asked about each time.
    pub(crate) fn nanos(self) -> Range<u64> {
        let Range { start, end } = self.seconds();
        start.saturating_mul(NANOS)..end.saturating_mul(NANOS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_cover_all_time_without_a_gap() {
        let length = Duration::from_secs(90);
        let first = Epoch::at(179 * NANOS + 999_999_999, length);
        assert_eq!((first.number(), first.seconds(), first.next().seconds()), (1, 90..180, 180..270));
        assert_eq!(Epoch::at(180 * NANOS, length), first.next());
        assert!(first < first.next() && first != Epoch::at(0, Duration::from_secs(91)));
        assert_eq!(Epoch::at(u64::MAX, Duration::ZERO).next().nanos().end, u64::MAX, "nothing overflows");
    }
}
