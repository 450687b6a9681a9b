//! Fewer traces before the tail: which spans of a batch stay, by consistent probability and by rate.
//!
//! Promises:
//! 1. A span stays where its trace's randomness is not below one threshold for the whole batch, so spans of a trace stay or
//!    go together wherever the threshold is the same, and where it is lower stays all that stays where it is higher.
//! 2. A threshold never depends on the randomness of what it judges, so that counts by it are unbiased. A rate limit
//!    follows what arrives: it charges what a threshold is expected to let through.
//! 3. What was decided at a position is decided so again while it is remembered.
//!
//! Not here: how a span that stays says by which threshold (`tracestate`), what is counted (`tollgate_pipeline`).

mod limiter;
mod load;
mod remembered;

use std::time::Duration;

use limiter::Limiter;
use load::Load;
use remembered::Remembered;

use crate::tracestate::{Arrived, Threshold};

/// What may stay. What is not set takes nothing out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Terms {
    /// The share of all traces, above 0 and up to 1.
    pub share: Option<f64>,
    /// Spans a second.
    pub spans: Option<f64>,
    /// Bytes of spans a second.
    pub bytes: Option<f64>,
}

/// Decides by these terms, batch after batch of one log.
#[derive(Debug)]
pub struct Thinner {
    share: Threshold,
    limiter: Option<Limiter>,
    remembered: Remembered,
}

/// What holds for one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    share: Threshold,
    /// None where nothing stays.
    rate: Option<Threshold>,
}

/// What becomes of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays, by this threshold.
    Stays(Threshold),
    /// It is not of the share.
    Share,
    /// It is too much for the rate.
    Rate,
}

impl Thinner {
    /// Starts with nothing seen: a rate limit has all its reserve.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        // A share that is too small for any threshold keeps what the highest one does.
        let share =
            terms.share.map_or(Threshold::ALWAYS, |share| Threshold::written(share).unwrap_or(Threshold::HIGHEST));
        let limiter =
            (terms.spans.is_some() || terms.bytes.is_some()).then(|| Limiter::new([terms.spans, terms.bytes]));
        Self { share, limiter, remembered: Remembered::default() }
    }

    /// What holds for the batch at a position of the log, which arrived then and holds these spans of so many bytes.
    pub fn cut(&mut self, position: u64, arrival: Duration, spans: impl Iterator<Item = (Arrived, usize)>) -> Cut {
        let Some(limiter) = &mut self.limiter else {
            return Cut { share: self.share, rate: Some(Threshold::ALWAYS) };
        };
        let known = self.remembered.at(position);
        let rate = known.unwrap_or_else(|| {
            let mut load = Load::default();
            // What the share takes out anyhow is not charged.
            spans.for_each(|(arrived, bytes)| load.add(arrived.stated(), self.share, bytes));
            let rate = Threshold::written(limiter.share(arrival, &load));
            self.remembered.push(position, rate);
            rate
        });
        Cut { share: self.share, rate }
    }
}

impl Cut {
    /// Whether everything stays, as it is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.share == Threshold::ALWAYS && self.rate == Some(Threshold::ALWAYS)
    }

    /// What becomes of a span.
    #[must_use]
    pub fn fate(&self, arrived: &Arrived) -> Fate {
        match self.rate {
            _ if !arrived.stays(self.share) => Fate::Share,
            Some(rate) if arrived.stays(rate) => Fate::Stays(self.share.max(rate)),
            _ => Fate::Rate,
        }
    }

    /// The share of all traces that stays.
    #[must_use]
    pub fn probability(&self) -> f64 {
        self.rate.map_or(0.0, |rate| self.share.max(rate).probability())
    }
}

#[cfg(test)]
mod tests;
