//! Which threshold held from which position of a log on, so that whoever reads it again decides alike.

use std::collections::VecDeque;

use crate::tracestate::Threshold;

/// So many changes are remembered; whoever reads further back decides by the oldest.
const CHANGES: usize = 4096;

/// The changes, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    changes: VecDeque<(u64, Option<Threshold>)>,
    /// The last position that was decided.
    last: Option<u64>,
}

impl Remembered {
    /// What was decided at a position; none if nothing was yet.
    #[expect(clippy::option_option, reason = "that nothing stays is an answer too")]
    pub(super) fn at(&self, position: u64) -> Option<Option<Threshold>> {
        self.last.filter(|last| position <= *last)?;
        let later = self.changes.partition_point(|(from, _)| *from <= position);
        self.changes.get(later.saturating_sub(1)).map(|(_, threshold)| *threshold)
    }

    /// What holds from a position on that lies behind all others.
    pub(super) fn push(&mut self, position: u64, threshold: Option<Threshold>) {
        self.last = Some(position);
        if self.changes.back().is_some_and(|(_, last)| *last == threshold) {
            return;
        }
        if self.changes.len() == CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back((position, threshold));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_answered_as_it_was_decided() {
        let mut remembered = Remembered::default();
        assert_eq!(remembered.at(0), None);
        let thresholds = [0.5, 0.5, 0.25, 0.5].map(Threshold::written);
        for (number, threshold) in (0..).zip(thresholds) {
            remembered.push(number * 10, threshold);
        }
        for (number, threshold) in (0..).zip(thresholds) {
            assert_eq!(remembered.at(number * 10), Some(threshold), "{number}");
        }
        assert_eq!(remembered.at(31), None);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_answers_for_what_lies_before() {
        let mut remembered = Remembered::default();
        for position in 0..3 * CHANGES as u64 {
            remembered.push(position, Threshold::written(if position % 2 == 0 { 0.5 } else { 0.25 }));
        }
        assert_eq!(remembered.changes.len(), CHANGES);
        assert_eq!(remembered.at(0), remembered.at(2 * CHANGES as u64));
    }
}
