//! What the rate limits of a set have left. It lies beside the set, and changes only when a trace is judged.
//!
//! Promises:
//! 1. A bucket starts full, fills by its rate up to its capacity, and gives all that is asked for or nothing.
//! 2. A composite keeps, in each second, no more spans of a sub-policy than that has, and no more of all than the whole.
//! 3. Numbers are exact, and a clock that steps back gives nothing.

use std::ops::Range;
use std::time::Duration;

/// So many parts has a token: with a rate a second, one arrives each nanosecond for each token of the rate.
const PARTS: u128 = 1_000_000_000;

/// A rate with its bucket, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) per_second: u64,
    pub(crate) burst: u64,
}

/// The state of all rate limits of one set.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    buckets: Vec<Bucket>,
    composites: Vec<Second>,
}

#[derive(Debug, Clone)]
struct Bucket {
    rate: Rate,
    /// In parts of a token.
    left: u128,
    filled: Duration,
}

/// What a composite has kept in one second.
#[derive(Debug, Clone, Default)]
struct Second {
    number: u64,
    total: u64,
    of_sub: Vec<u64>,
}

/// So many buckets and composites come before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    buckets: usize,
    composites: usize,
}

/// What a sub-policy and its composite may keep in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) own: u64,
    pub(crate) total: u64,
}

impl Limits {
    /// Adds a full bucket; returns its number.
    pub(crate) fn add_bucket(&mut self, rate: Rate) -> usize {
        let left = u128::from(rate.burst) * PARTS;
        self.buckets.push(Bucket { rate, left, filled: Duration::ZERO });
        self.buckets.len() - 1
    }

    /// Adds a composite with so many sub-policies; returns its number.
    pub(crate) fn add_composite(&mut self, subs: usize) -> usize {
        self.composites.push(Second { of_sub: vec![0; subs], ..Second::default() });
        self.composites.len() - 1
    }

    /// How many there are.
    pub(super) fn places(&self) -> Places {
        Places { buckets: self.buckets.len(), composites: self.composites.len() }
    }

    /// Those at `own` have no more left than those at `others` of another set.
    pub(super) fn go_on(&mut self, own: Range<Places>, left: &Self, others: Range<Places>) {
        let buckets = left.buckets.get(others.start.buckets..others.end.buckets).unwrap_or_default();
        let own_buckets = self.buckets.get_mut(own.start.buckets..own.end.buckets).unwrap_or_default();
        for (bucket, other) in own_buckets.iter_mut().zip(buckets) {
            (bucket.left, bucket.filled) = (bucket.left.min(other.left), other.filled);
        }
        let composites = left.composites.get(others.start.composites..others.end.composites).unwrap_or_default();
        let own_composites = self.composites.get_mut(own.start.composites..own.end.composites).unwrap_or_default();
        for (second, other) in own_composites.iter_mut().zip(composites) {
            (second.number, second.total) = (other.number, other.total);
            second.of_sub.iter_mut().zip(&other.of_sub).for_each(|(own, other)| *own = *other);
        }
    }

    /// Takes this many tokens if the bucket has them.
    pub(crate) fn take(&mut self, bucket: usize, amount: u64, now: Duration) -> bool {
        self.buckets.get_mut(bucket).is_some_and(|bucket| bucket.take(amount, now))
    }

    /// Charges a sub-policy of a composite with this many spans if both have room in this second.
    pub(crate) fn charge(
        &mut self,
        composite: usize,
        sub: usize,
        spans: u64,
        allowed: Allowance,
        now: Duration,
    ) -> bool {
        self.composites.get_mut(composite).is_some_and(|second| second.charge(sub, spans, allowed, now.as_secs()))
    }
}

impl Bucket {
    fn take(&mut self, amount: u64, now: Duration) -> bool {
        let passed = now.saturating_sub(self.filled).as_nanos();
        let filled = self.left.saturating_add(passed.saturating_mul(self.rate.per_second.into()));
        self.left = filled.min(u128::from(self.rate.burst) * PARTS);
        self.filled = self.filled.max(now);
        match self.left.checked_sub(u128::from(amount) * PARTS) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

impl Second {
    fn charge(&mut self, sub: usize, spans: u64, allowed: Allowance, second: u64) -> bool {
        if second > self.number {
            self.number = second;
            self.total = 0;
            self.of_sub.fill(0);
        }
        let Some(of_sub) = self.of_sub.get_mut(sub) else { return false };
        let (own, total) = (of_sub.saturating_add(spans), self.total.saturating_add(spans));
        let has_room = own <= allowed.own && total <= allowed.total;
        if has_room {
            (*of_sub, self.total) = (own, total);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn limits(per_second: u64, burst: u64) -> Limits {
        let mut limits = Limits::default();
        limits.add_bucket(Rate { per_second, burst });
        limits
    }

    #[test]
    fn a_bucket_starts_full_and_fills_by_its_rate() {
        let mut limits = limits(10, 20);
        let mut take = |amount, millis| limits.take(0, amount, Duration::from_millis(millis));
        assert!(take(20, 0));
        assert!(!take(1, 99), "a tenth of a second for each");
        assert!(take(1, 100));
        assert!(!take(6, 600));
        assert!(take(5, 600), "what was refused was not taken");
        assert!(!take(21, 600_000), "more than the bucket holds never passes");
        assert!(take(20, 600_000));
        assert!(!take(1, 5), "a clock that steps back gives nothing");
        assert!(take(0, 5));
    }

    #[test]
    fn a_second_is_shared_and_its_sum_is_bounded() {
        let mut limits = Limits::default();
        limits.add_composite(2);
        let mut charge = |sub, spans, second: u64| {
            limits.charge(0, sub, spans, Allowance { own: 60, total: 100 }, Duration::from_millis(second * 1_000 + 999))
        };
        assert!(charge(0, 60, 1) && !charge(0, 1, 1), "its own share");
        assert!(!charge(1, 41, 1) && charge(1, 40, 1), "the sum");
        assert!(!charge(1, 1, 1) && charge(1, 60, 2), "a new second");
        assert!(!charge(2, 0, 2), "no such sub-policy");
    }

    proptest! {
        /// Guarantees: in any window, no more than the capacity and what the rate adds in it.
        #[test]
        fn no_window_gives_more_than_the_rate_and_one_bucket(
            per_second in 0_u64..1_000, burst in 0_u64..2_000, asked in vec((0_u64..500, 0_u64..400), 1..60),
        ) {
            let mut limits = limits(per_second, burst);
            let (mut now, mut taken) = (0, Vec::new());
            for (amount, passed) in asked {
                now += passed;
                let given = limits.take(0, amount, Duration::from_millis(now));
                taken.push((now, if given { amount } else { 0 }));
            }
            for (first, (start, _)) in taken.iter().enumerate() {
                let mut sum = 0;
                for (end, amount) in &taken[first..] {
                    sum += amount;
                    prop_assert!(sum * 1_000 <= burst * 1_000 + per_second * (end - start));
                }
            }
        }
    }
}
