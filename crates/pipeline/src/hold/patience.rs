//! How long traces wait for their verdict, as things are: longer while a link lags, shorter while the log fills.
//!
//! Promises:
//! 1. Nobody who lags, lies or is gone delays a verdict beyond `decision_wait_max`.
//! 2. A log that fills because spans wait in it shortens the wait: first nobody is waited for any more, then the window
//!    shortens to an eighth of itself. Only what comes faster than that is left to the receiver's refusal.
//! 3. A verdict that did not wait for everybody is told apart from one that did.

use std::time::Duration;

use tollgate_sampling::{Bounds, Cause, Waits};

use crate::admit::attendance::{Lag, PULSE};

/// So far behind is everybody: between two words, and on the way.
const NORMAL: Duration = PULSE.saturating_mul(2);

/// How much of its disk the log that spans wait in has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filling {
    pub(super) held: u64,
    pub(super) share: u64,
}

/// What bounds a wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    wait: Duration,
    longest: Duration,
}

impl Patience {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self { wait: bounds.decision_wait, longest: bounds.decision_wait_max.max(bounds.decision_wait) }
    }

    /// How long a trace waits while somebody is so far behind; `filling` is of a log that waits for verdicts and for nothing
    /// else, if it does.
    pub(super) fn waits(self, lag: Lag, filling: Option<Filling>) -> Waits {
        let with = |lag: Duration| self.wait.saturating_add(lag.saturating_sub(NORMAL));
        let (patient, whole) = (with(lag.awaited).min(self.longest), with(lag.of_all));
        match filling.map(|filling| self.room(filling)) {
            Some(room) if room < patient => Waits { due: room, whole: whole.max(self.wait), cause: Cause::Disk },
            Some(_) | None => Waits { due: patient, whole, cause: Cause::Lag },
        }
    }

    /// The longest wait that the disk allows: up to half of it anything, up to three quarters `decision_wait`, and less and
    /// less up to its end.
    fn room(self, Filling { held, share }: Filling) -> Duration {
        let eighths = u32::try_from(u128::from(held) * 8 / u128::from(share.max(1))).unwrap_or(u32::MAX);
        match eighths {
            0..4 => Duration::MAX,
            4..6 => self.wait,
            6 => self.wait / 2,
            7 => self.wait / 8,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Duration = Duration::from_secs(5);

    fn patience() -> Patience {
        Patience { wait: FIVE, longest: FIVE * 4 }
    }

    fn lag(awaited: u64, of_all: u64) -> Lag {
        Lag { awaited: Duration::from_secs(awaited), of_all: Duration::from_secs(of_all) }
    }

    #[test]
    fn nobody_delays_a_verdict_beyond_the_longest_wait() {
        let due = |seconds| patience().waits(lag(seconds, seconds), None).due.as_secs();
        assert_eq!([0, 1, 2, 16, 17, 3600].map(due), [5, 5, 6, 20, 20, 20]);
        assert_eq!(patience().waits(Lag { awaited: Duration::MAX, of_all: Duration::MAX }, None).due, FIVE * 4);
    }

    #[test]
    fn a_verdict_without_who_lags_is_told_apart() {
        let is_whole = |lag| patience().waits(lag, None).due >= patience().waits(lag, None).whole;
        assert!(is_whole(lag(1, 1)) && is_whole(lag(16, 16)));
        assert!(!is_whole(lag(17, 17)) && !is_whole(lag(0, 30)));
    }

    #[test]
    fn a_log_that_fills_shortens_the_wait() {
        let due = |held| patience().waits(lag(60, 60), Some(Filling { held, share: 800 })).due;
        assert_eq!([0, 399].map(due), [FIVE * 4; 2]);
        assert_eq!([400, 599].map(due), [FIVE; 2]);
        assert_eq!([600, 700, 800, 9000].map(due), [FIVE / 2, FIVE / 8, Duration::ZERO, Duration::ZERO]);
        let full = patience().waits(lag(0, 0), Some(Filling { held: 800, share: 800 }));
        assert_eq!((full.cause, full.whole), (Cause::Disk, FIVE));
        assert_eq!(patience().waits(lag(0, 0), Some(Filling { held: 400, share: 800 })).due, FIVE);
    }
}
