//! What arrives, by the probability with which it got here: from that follows what any share of all traces would come to.

use crate::tracestate::Threshold;

/// Halvings of a probability: those of 56 bits.
const OCTAVES: usize = 57;

/// Items that got here with probabilities of one octave.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    arrived: f64,
    /// How many there were before anybody took some out.
    stands_for: f64,
}

/// One of the things that are limited.
#[derive(Debug, Clone)]
pub(super) struct Sums([Sum; OCTAVES]);

/// Spans and their bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    pub(super) of: [Sums; 2],
}

impl Default for Sums {
    fn default() -> Self {
        Self([Sum::default(); OCTAVES])
    }
}

impl Load {
    /// Adds a span that came by one threshold and has another before it: so much of it counts as the two together let through.
    pub(super) fn add(&mut self, stated: Threshold, share: Threshold, bytes: usize) {
        let reaches = stated.max(share);
        let (octave, part) = (reaches.octave(), reaches.probability() / stated.probability());
        for (sums, amount) in self.of.iter_mut().zip([1.0, bytes as f64]) {
            if let Some(sum) = sums.0.get_mut(octave) {
                sum.arrived += amount * part;
                sum.stands_for += amount / stated.probability();
            }
        }
    }

    /// Adds another, after what is here has faded to a part.
    pub(super) fn fade_and_add(&mut self, part: f64, other: &Self) {
        for (sums, others) in self.of.iter_mut().zip(&other.of) {
            for (sum, other) in sums.0.iter_mut().zip(&others.0) {
                sum.arrived = sum.arrived * part + other.arrived;
                sum.stands_for = sum.stands_for * part + other.stands_for;
            }
        }
    }
}

impl Sums {
    /// What is expected to stay of it at a share of all traces.
    pub(super) fn at(&self, share: f64) -> f64 {
        self.0.iter().map(|sum| sum.arrived.min(share * sum.stands_for)).sum()
    }

    /// The largest share of all traces at which no more than this is expected to stay.
    pub(super) fn share(&self, budget: f64) -> f64 {
        let mut left = budget;
        // What is rarer than the share stays whole.
        for (octave, sum) in self.0.iter().enumerate().rev().filter(|(_, sum)| sum.arrived > 0.0) {
            // Added up anew each time: what a rare one stands for is so much that nothing is left beside it in a difference.
            let stands_for: f64 = self.0.iter().take(octave + 1).map(|sum| sum.stands_for).sum();
            let share = left / stands_for;
            if share * sum.stands_for <= sum.arrived {
                return share.clamp(0.0, 1.0);
            }
            left -= sum.arrived;
        }
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(share: f64) -> Threshold {
        Threshold::written(share).unwrap()
    }

    #[test]
    fn what_was_thinned_before_stays_whole_until_the_share_is_smaller() {
        let mut load = Load::default();
        (0..100).for_each(|_| load.add(Threshold::ALWAYS, Threshold::ALWAYS, 10));
        (0..100).for_each(|_| load.add(threshold(0.1), Threshold::ALWAYS, 10));
        let [spans, bytes] = &load.of;
        for (share, stays) in [(1.0, 200.0), (0.5, 150.0), (0.1, 110.0), (0.05, 55.0), (0.0, 0.0)] {
            assert!((spans.at(share) - stays).abs() < 0.1, "{share}: {}", spans.at(share));
            assert!((spans.share(stays) - share).abs() < 0.01, "{stays}: {}", spans.share(stays));
            assert!((bytes.at(share) - stays * 10.0).abs() < 1.0);
        }
        assert_eq!(spans.share(1e9), 1.0);
        assert_eq!(Sums::default().share(0.0), 1.0, "of nothing everything stays");
    }

    /// Guarantees: a few spans that say they stand for as many as can be said hide nothing of what else arrives.
    #[test]
    fn what_claims_to_be_very_rare_hides_nothing_beside_it() {
        let mut load = Load::default();
        (0..1000).for_each(|_| load.add(Threshold::ALWAYS, Threshold::ALWAYS, 10));
        (0..10).for_each(|_| load.add(Threshold::parse("ffffffffffffff").unwrap(), Threshold::ALWAYS, 10));
        let [spans, _] = &load.of;
        for (budget, share) in [(2000.0, 1.0), (510.0, 0.5), (110.0, 0.1), (11.0, 0.001)] {
            assert!((spans.share(budget) - share).abs() < 1e-9, "{budget}: {}", spans.share(budget));
        }
        assert!(spans.share(5.0) < 1e-16 && spans.share(0.0) == 0.0);
    }
}
