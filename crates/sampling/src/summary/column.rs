//! The second column: what a set of policies must know of a trace beyond [`Summary`](super::Summary), in a fixed number of
//! words a trace, computed when the set is read. Most sets need none, and then nothing here costs anything.
//!
//! Promises:
//! 1. Merging is associative and commutative, [`Layout::blank`] is neutral, and all but the bytes are idempotent.

use std::collections::VecDeque;

/// Which words there are: those of marks, those of earliest moments and the like, and the one that adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    /// So many words of marks, for policies beyond those whose marks fit the summary.
    pub(crate) marks: usize,
    /// When a root arrived, in nanoseconds of uptime.
    pub(crate) root: bool,
    /// The smallest randomness that a span states.
    pub(crate) randomness: bool,
    /// How many bytes the trace has.
    pub(crate) bytes: bool,
}

impl Layout {
    /// Nothing was seen: no mark, no moment, no bytes.
    pub(crate) const NEVER: u64 = u64::MAX;

    pub(crate) fn width(self) -> usize {
        self.minima_end() + usize::from(self.bytes)
    }

    pub(crate) fn blank(self) -> impl Iterator<Item = u64> {
        (0..self.width()).map(move |word| if self.is_minimum(word) { Self::NEVER } else { 0 })
    }

    pub(crate) fn merge<'w>(self, words: impl Iterator<Item = &'w mut u64>, more: &[u64]) {
        for (place, (word, more)) in words.zip(more).enumerate() {
            *word = match place {
                _ if place < self.marks => *word | more,
                _ if self.is_minimum(place) => (*word).min(*more),
                _ => word.saturating_add(*more),
            };
        }
    }

    /// The place of the root's arrival.
    pub(crate) fn root_at(self) -> Option<usize> {
        self.root.then_some(self.marks)
    }

    /// The place of the randomness.
    pub(crate) fn randomness_at(self) -> Option<usize> {
        self.randomness.then_some(self.marks + usize::from(self.root))
    }

    /// The place of the bytes.
    pub(crate) fn bytes_at(self) -> Option<usize> {
        self.bytes.then_some(self.minima_end())
    }

    fn is_minimum(self, place: usize) -> bool {
        (self.marks..self.minima_end()).contains(&place)
    }

    fn minima_end(self) -> usize {
        self.marks + usize::from(self.root) + usize::from(self.randomness)
    }
}

/// The words of all pending traces, in their order.
#[derive(Debug)]
pub(crate) struct Column {
    layout: Layout,
    words: VecDeque<u64>,
    /// Those of the trace that left last.
    left: Vec<u64>,
}

impl Column {
    #[cfg(test)]
    pub(crate) fn new(layout: Layout) -> Self {
        Self::with_room(layout, 0)
    }

    /// Room for so many traces: one that grows as it fills takes up to twice as much.
    pub(crate) fn with_room(layout: Layout, traces: usize) -> Self {
        let words = VecDeque::with_capacity(traces.saturating_mul(layout.width()));
        Self { layout, words, left: Vec::new() }
    }

    /// Adds the words of the trace that comes last; none stands for nothing seen.
    pub(crate) fn push(&mut self, words: &[u64]) {
        match words {
            [] => self.words.extend(self.layout.blank()),
            words => self.words.extend(words),
        }
    }

    /// Takes out the words of the trace that came first.
    pub(crate) fn pop(&mut self) -> &[u64] {
        let width = self.layout.width().min(self.words.len());
        self.left.clear();
        self.left.extend(self.words.drain(..width));
        &self.left
    }

    pub(crate) fn merge(&mut self, trace: usize, more: &[u64]) {
        let (start, width) = (trace.saturating_mul(self.layout.width()), self.layout.width());
        if start.saturating_add(width) <= self.words.len() {
            self.layout.merge(self.words.range_mut(start..start + width), more);
        }
    }

    /// Whether what arrives now still counts: it does not so long after a root arrived.
    pub(crate) fn is_in_time(&self, trace: usize, now: u64, wait_after_root: Option<u64>) -> bool {
        let Some(wait) = wait_after_root else { return true };
        self.root_arrived(trace).is_none_or(|root| now.saturating_sub(root) < wait)
    }

    /// When a root of the trace arrived, if that is asked for.
    fn root_arrived(&self, trace: usize) -> Option<u64> {
        let place = self.layout.root_at()?;
        let word = self.words.get(trace.checked_mul(self.layout.width())?.checked_add(place)?)?;
        Some(*word).filter(|word| *word != Layout::NEVER)
    }
}

#[cfg(test)]
impl Column {
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const ALL: Layout = Layout { marks: 2, root: true, randomness: true, bytes: true };

    fn words() -> impl Strategy<Value = Vec<u64>> {
        vec(any::<u64>(), ALL.width())
    }

    fn merged(a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut merged = a.to_vec();
        ALL.merge(merged.iter_mut(), b);
        merged
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative(a in words(), b in words(), c in words()) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        }

        #[test]
        fn what_is_repeated_adds_only_to_the_bytes_and_nothing_seen_is_neutral(a in words(), b in words()) {
            let once = merged(&a, &b);
            let bytes = ALL.bytes_at().unwrap();
            prop_assert_eq!(&merged(&once, &b)[..bytes], &once[..bytes]);
            prop_assert_eq!(merged(&a, &ALL.blank().collect::<Vec<_>>()), a);
        }
    }

    #[test]
    fn each_trace_has_its_own_words_in_the_order_of_arrival() {
        let mut column = Column::new(Layout { marks: 1, root: true, ..Layout::default() });
        column.push(&[1, 70]);
        column.push(&[]);
        column.merge(1, &[4, 90]);
        column.merge(1, &[2, 80]);
        assert_eq!((column.root_arrived(0), column.root_arrived(1)), (Some(70), Some(80)));
        assert_eq!(column.pop(), [1, 70]);
        assert_eq!(column.pop(), [6, 80]);
        assert_eq!(column.root_arrived(0), None);
        assert_eq!(Column::new(Layout::default()).pop(), [0_u64; 0]);
    }
}
