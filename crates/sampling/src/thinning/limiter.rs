//! A rate limit by threshold: a bucket of tokens says how much may stay, and what arrived lately at which share that is so.
//!
//! Promises:
//! 1. Over any time what is expected to stay is at most the rate times that time and the bucket's content.
//! 2. The fuller the bucket, the more is let through, up to twice the rate; so it settles where as much goes as comes in.
//! 3. The share changes at most every second, sooner only where the bucket runs empty: a trace rarely sees two.

use std::time::Duration;

use super::load::Load;

/// So many seconds' worth of a rate can pass at once, and what arrived is averaged over as much.
const RESERVE: f64 = 10.0;
/// How often the share follows what arrives.
const ROUND: f64 = 1.0;
/// It follows sooner when the content of the bucket changed by this part of itself.
const SOONER: f64 = 0.25;
/// Changes of the share below this part of it are not worth the traces that they cut.
const SAME: f64 = 0.05;

#[derive(Debug)]
struct Bucket {
    rate: f64,
    tokens: f64,
    /// The content when the share was last set.
    then: f64,
}

/// Limits of spans and of bytes, of which both hold.
#[derive(Debug)]
pub(super) struct Limiter {
    buckets: [Option<Bucket>; 2],
    /// What arrived lately: the sums of about the last [`RESERVE`] seconds.
    lately: Load,
    share: f64,
    now: Option<Duration>,
    round: Duration,
}

impl Bucket {
    fn new(rate: f64) -> Self {
        Self { rate, tokens: rate * RESERVE, then: 0.0 }
    }

    fn content(&self) -> f64 {
        self.tokens / (self.rate * RESERVE)
    }

    fn fill(&mut self, seconds: f64) {
        self.tokens = (self.tokens + self.rate * seconds).min(self.rate * RESERVE);
    }

    fn moved(&self) -> bool {
        (self.content() - self.then).abs() > SOONER * self.then.max(SAME)
    }

    /// What may stay of all that arrived lately.
    fn budget(&self) -> f64 {
        2.0 * self.content() * self.rate * RESERVE
    }
}

impl Limiter {
    pub(super) fn new(rates: [Option<f64>; 2]) -> Self {
        let buckets = rates.map(|rate| rate.map(Bucket::new));
        Self { buckets, lately: Load::default(), share: 1.0, now: None, round: Duration::ZERO }
    }

    /// The share of all traces that stays of a batch, which is charged for it.
    pub(super) fn share(&mut self, now: Duration, load: &Load) -> f64 {
        let passed = self.now.map_or(0.0, |before| now.saturating_sub(before).as_secs_f64());
        self.buckets.iter_mut().flatten().for_each(|bucket| bucket.fill(passed));
        self.lately.fade_and_add((-passed / RESERVE).exp(), load);
        let is_due = self.now.is_none() || now.saturating_sub(self.round).as_secs_f64() >= ROUND;
        // A clock that was set back does not stop the rounds.
        if is_due || now < self.round || self.buckets.iter().flatten().any(Bucket::moved) {
            self.follow(now);
        }
        self.now = Some(now);
        let affordable = least(&self.buckets, load, |bucket| bucket.tokens);
        let share = self.share.min(affordable);
        for (bucket, sums) in self.buckets.iter_mut().zip(&load.of) {
            if let Some(bucket) = bucket {
                bucket.tokens = (bucket.tokens - sums.at(share)).max(0.0);
            }
        }
        share
    }

    fn follow(&mut self, now: Duration) {
        self.round = now;
        let share = least(&self.buckets, &self.lately, Bucket::budget);
        if share >= 1.0 || (share - self.share).abs() > SAME * self.share {
            self.share = share;
        }
        self.buckets.iter_mut().flatten().for_each(|bucket| bucket.then = bucket.content());
    }
}

/// The share at which no bucket gives more than its budget.
fn least(buckets: &[Option<Bucket>; 2], load: &Load, budget: impl Fn(&Bucket) -> f64) -> f64 {
    let shares = buckets.iter().zip(&load.of).filter_map(|(bucket, sums)| Some(sums.share(budget(bucket.as_ref()?))));
    shares.fold(1.0, f64::min)
}
