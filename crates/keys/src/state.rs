//! What is to be done with a root: its epoch against the clock.

use std::time::Duration;

use tollgate_redaction::Epoch;
use tollgate_runtime::Timestamp;

const NANOS: u64 = 1_000_000_000;

/// Where a root stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its epoch has not begun.
    Ahead,
    /// What arrives now is named with it.
    Live,
    /// Its epoch is over; what arrived in it may still wait, and what it named can still be found.
    Kept,
    /// It is to be destroyed.
    Due,
}

impl State {
    /// The state of a root that is kept so long after its epoch.
    #[must_use]
    pub fn of(epoch: Epoch, retain: Duration, now: Timestamp) -> Self {
        let (now, epoch) = (now.nanos() / NANOS, epoch.seconds());
        if now < epoch.start {
            Self::Ahead
        } else if now < epoch.end {
            Self::Live
        } else if now < epoch.end.saturating_add(retain.as_secs()) {
            Self::Kept
        } else {
            Self::Due
        }
    }

    /// Its name in lists.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Live => "live",
            Self::Kept => "kept",
            Self::Due => "due",
        }
    }

    /// Whether the epoch is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Kept | Self::Due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_ahead_then_live_then_kept_then_due() {
        let epoch = Epoch::at(100 * NANOS, Duration::from_secs(100));
        let states = [99, 100, 199, 200, 249, 250]
            .map(|now| State::of(epoch, Duration::from_secs(50), Timestamp::from_nanos(now * NANOS)).as_str());
        assert_eq!(states, ["ahead", "live", "live", "kept", "kept", "due"]);
    }
}
