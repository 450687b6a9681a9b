//! When records arrived, by time in which a process ran: what the process before took in has its own stamps, and between its last
//! one and our start nothing could arrive.

use std::time::Duration;

use tollgate_runtime::{Clock, Timestamp};

/// A clock for records that are read in their order.
pub(super) struct Recorded {
    began: Timestamp,
    /// The last stamp before that, in time since the epoch.
    before: Duration,
}

impl Recorded {
    pub(super) fn new(clock: &Clock) -> Self {
        let uptime = u64::try_from(clock.uptime().as_nanos()).unwrap_or(u64::MAX);
        Self { began: Timestamp::from_nanos(clock.now().nanos().saturating_sub(uptime)), before: Duration::ZERO }
    }

    /// When a record with this stamp arrived that was first read at `now`.
    pub(super) fn at(&mut self, stamp: Timestamp, now: Duration) -> Duration {
        if stamp < self.began {
            let stamp = Duration::from_nanos(stamp.nanos());
            self.before = self.before.max(stamp);
            return stamp;
        }
        // What waited to be read arrived earlier; what arrived while we stood still could not do so before.
        self.before.saturating_add(stamp.since(self.began).min(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: between what two processes took in lies the time in which they ran; nothing arrived later than it was read.
    #[test]
    fn an_outage_does_not_count() {
        let seconds = Duration::from_secs;
        let stamp = |second: u64| Timestamp::from_nanos(second * 1_000_000_000);
        let (clock, hand) = Clock::manual(stamp(5_000));
        hand.advance(seconds(1));
        let mut recorded = Recorded::new(&clock);
        let read = |second, now| (stamp(second), seconds(now));
        let records = [read(100, 1), read(130, 1), read(5_003, 3), read(5_004, 9), read(5_060, 10)];
        let at = records.map(|(stamp, now)| recorded.at(stamp, now).as_secs());
        assert_eq!(at, [100, 130, 133, 134, 140]);
    }
}
