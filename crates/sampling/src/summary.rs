//! What sampling must know of one trace, whoever saw its spans and in whatever order.
//!
//! Promises:
//! 1. Merging is associative and commutative, with [`Summary::default`] as the neutral element.
//! 2. Except for the number of spans it is idempotent: a parcel that is repeated changes no verdict.

mod column;

pub(crate) use column::{Column, Layout};

/// All that is known of a trace when it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    pub(crate) summary: &'a Summary,
    /// As the set's layout has them; none if it is a set that needs none.
    pub(crate) words: &'a [u64],
}

/// What was seen of a trace: of one span, of some, of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Earliest start, in nanoseconds since the epoch.
    pub(crate) min_start: u64,
    /// Latest end.
    pub(crate) max_end: u64,
    pub(crate) marks: Marks,
    pub(crate) spans: u32,
}

/// One bit for each thing that policies look for in spans: set when some span or resource matched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks(u64);

impl Marks {
    /// Something could not be read, so no policy can be trusted to have seen it.
    pub(crate) const UNREADABLE: Self = Self(1 << 63);
    /// How many leaves have a bit of their own in one word.
    const LEAVES: usize = 63;

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of them that a word of the second column has too.
    pub(crate) const fn among(self, word: u64) -> Self {
        Self(self.0 & word)
    }

    /// As a word of the second column.
    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The mark of one thing that policies look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Zero for the summary's own marks; of the words of the second column the first is one.
    pub(crate) group: usize,
    pub(crate) bit: Marks,
}

impl Mark {
    /// The marks are given out in order.
    pub(crate) const fn of(leaf: usize) -> Self {
        Self { group: leaf / Marks::LEAVES, bit: Marks(1 << (leaf % Marks::LEAVES)) }
    }

    pub(crate) const fn is_in(self, word: u64) -> bool {
        word & self.bit.0 != 0
    }
}

impl<'a> From<&'a Summary> for Evidence<'a> {
    fn from(summary: &'a Summary) -> Self {
        Self { summary, words: &[] }
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self { min_start: u64::MAX, max_end: 0, marks: Marks::default(), spans: 0 }
    }
}

impl Summary {
    /// What a resource alone tells; its spans add the rest.
    pub(crate) fn of_marks(marks: Marks) -> Self {
        Self { marks, ..Self::default() }
    }

    /// Takes in what somebody else saw of the same trace.
    pub fn merge(&mut self, other: &Self) {
        self.min_start = self.min_start.min(other.min_start);
        self.max_end = self.max_end.max(other.max_end);
        self.marks = self.marks.with(other.marks);
        self.spans = self.spans.saturating_add(other.spans);
    }

    /// Whether part of the trace could not be evaluated.
    pub fn is_unreadable(&self) -> bool {
        self.marks.contains(Marks::UNREADABLE)
    }

    /// How many spans were seen, repeated ones too.
    pub fn spans(&self) -> u32 {
        self.spans
    }

    /// From the earliest start to the latest end, in whole milliseconds; zero when the end comes first.
    pub(crate) fn extent_millis(&self) -> u64 {
        self.max_end.saturating_sub(self.min_start) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summary() -> impl Strategy<Value = Summary> {
        (any::<u64>(), any::<u64>(), any::<u64>(), any::<u32>())
            .prop_map(|(min_start, max_end, marks, spans)| Summary { min_start, max_end, marks: Marks(marks), spans })
    }

    fn merged(a: Summary, b: Summary) -> Summary {
        let mut merged = a;
        merged.merge(&b);
        merged
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative(a in summary(), b in summary(), c in summary()) {
            prop_assert_eq!(merged(a, b), merged(b, a));
            prop_assert_eq!(merged(merged(a, b), c), merged(a, merged(b, c)));
        }

        #[test]
        fn nothing_seen_is_neutral(a in summary()) {
            prop_assert_eq!(merged(a, Summary::default()), a);
        }

        #[test]
        fn what_is_repeated_adds_only_to_the_count(a in summary(), b in summary()) {
            let once = merged(a, b);
            prop_assert_eq!(Summary { spans: once.spans, ..merged(once, b) }, once);
        }
    }

    #[test]
    fn the_extent_truncates_to_milliseconds_and_is_never_negative() {
        let of = |min_start, max_end| Summary { min_start, max_end, ..Summary::default() }.extent_millis();
        assert_eq!(of(1_000_000, 3_999_999), 2);
        assert_eq!(of(5, 4), 0);
        assert_eq!(Summary::default().extent_millis(), 0);
    }
}
