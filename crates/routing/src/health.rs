//! Whether an endpoint may be tried now.
//!
//! Promises:
//! 1. A failure ejects at once; while the backoff lasts nothing is sent there.
//! 2. When the backoff ends one probe may go; only its success brings the endpoint back.
//! 3. A probe whose outcome is never reported does not block the endpoint: the next is due one backoff later.

use std::time::Duration;

use crate::Backoff;

/// What an endpoint is good for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It answers; send.
    Up,
    /// It failed, and its backoff is over: one attempt may find out.
    ProbeDue {
        /// When the first failure of this run was seen.
        since: Duration,
    },
    /// It failed; leave it alone.
    Ejected {
        /// When the first failure of this run was seen.
        since: Duration,
        /// When the next probe is due.
        until: Duration,
    },
}

/// The health of one endpoint, fed with the outcome of every attempt.
#[derive(Debug, Clone, Default)]
pub struct EndpointHealth {
    trouble: Option<Trouble>,
}

#[derive(Debug, Clone)]
struct Trouble {
    since: Duration,
    failures: u32,
    until: Duration,
    probing: bool,
}

impl EndpointHealth {
    /// What the endpoint is good for at `now`.
    pub fn standing(&self, now: Duration) -> Standing {
        match &self.trouble {
            None => Standing::Up,
            Some(trouble) if now >= trouble.until => Standing::ProbeDue { since: trouble.since },
            Some(trouble) => Standing::Ejected { since: trouble.since, until: trouble.until },
        }
    }

    /// Claims the right to one attempt; false when the endpoint is ejected or another probe is under way.
    pub fn begin(&mut self, now: Duration, backoff: &Backoff) -> bool {
        let Some(trouble) = &mut self.trouble else { return true };
        if now < trouble.until {
            return false;
        }
        trouble.until = now.saturating_add(backoff.ceiling(trouble.failures));
        trouble.probing = true;
        true
    }

    /// An attempt succeeded: the endpoint is back, and its next failure starts from the shortest backoff.
    pub fn succeeded(&mut self) {
        self.trouble = None;
    }

    /// An attempt failed: the endpoint is ejected for a jittered backoff that grows with each failed probe.
    pub fn failed(&mut self, now: Duration, backoff: &Backoff, random: &mut fastrand::Rng) {
        let (since, failures) = match &self.trouble {
            None => (now, 1),
            // Attempts that were under way together fail together: they are one failure, not many.
            Some(trouble) if now < trouble.until && !trouble.probing => return,
            Some(trouble) => (trouble.since, trouble.failures.saturating_add(1)),
        };
        let until = now.saturating_add(backoff.delay(failures, random));
        self.trouble = Some(Trouble { since, failures, until, probing: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn failed_at(now: Duration) -> (EndpointHealth, fastrand::Rng) {
        let (mut health, mut random) = (EndpointHealth::default(), fastrand::Rng::with_seed(3));
        health.failed(now, &BACKOFF, &mut random);
        (health, random)
    }

    fn probe_due(health: &EndpointHealth) -> Duration {
        let Standing::Ejected { until, .. } = health.standing(Duration::ZERO) else { panic!("not ejected") };
        until
    }

    #[test]
    fn an_endpoint_starts_in_good_health() {
        let mut health = EndpointHealth::default();
        assert_eq!(health.standing(seconds(0)), Standing::Up);
        assert!(health.begin(seconds(0), &BACKOFF));
        assert_eq!(health.standing(seconds(0)), Standing::Up);
    }

    #[test]
    fn one_failure_ejects_until_the_backoff_ends() {
        let (mut health, _) = failed_at(seconds(10));
        let until = probe_due(&health);
        assert!(until > seconds(10) && until <= seconds(11));
        assert!(!health.begin(seconds(10), &BACKOFF));
        assert_eq!(health.standing(until), Standing::ProbeDue { since: seconds(10) });
    }

    #[test]
    fn one_probe_goes_when_the_backoff_ends() {
        let (mut health, _) = failed_at(seconds(10));
        assert!(health.begin(seconds(11), &BACKOFF));
        assert!(!health.begin(seconds(11), &BACKOFF));
        assert!(matches!(health.standing(seconds(11)), Standing::Ejected { .. }));
    }

    #[test]
    fn a_probe_without_an_outcome_does_not_block_forever() {
        let (mut health, _) = failed_at(seconds(10));
        assert!(health.begin(seconds(11), &BACKOFF));
        assert!(health.begin(seconds(12), &BACKOFF));
    }

    #[test]
    fn a_successful_probe_recovers_and_resets() {
        let (mut health, mut random) = failed_at(seconds(10));
        for round in 2..12 {
            assert!(health.begin(seconds(round * 100), &BACKOFF));
            health.failed(seconds(round * 100), &BACKOFF, &mut random);
        }
        health.succeeded();
        assert_eq!(health.standing(seconds(2_000)), Standing::Up);
        health.failed(seconds(2_000), &BACKOFF, &mut random);
        assert!(probe_due(&health) <= seconds(2_001), "the backoff starts from its shortest again");
    }

    #[test]
    fn a_failed_probe_lengthens_the_backoff_and_keeps_the_start() {
        let (mut health, mut random) = failed_at(seconds(10));
        let mut longest = Duration::ZERO;
        for round in 1..40 {
            let now = seconds(10 + round * 100);
            assert!(health.begin(now, &BACKOFF));
            health.failed(now, &BACKOFF, &mut random);
            longest = longest.max(probe_due(&health).saturating_sub(now));
        }
        assert!(longest > seconds(30) && longest <= seconds(60));
        assert_eq!(health.standing(seconds(9_999)), Standing::ProbeDue { since: seconds(10) });
    }

    #[test]
    fn attempts_that_fail_together_count_once() {
        let (mut health, mut random) = failed_at(seconds(10));
        let until = probe_due(&health);
        for _ in 0..50 {
            health.failed(seconds(10), &BACKOFF, &mut random);
        }
        assert_eq!(probe_due(&health), until);
    }
}
