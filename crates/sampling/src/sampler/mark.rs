//! Whether verdicts are still there when the spans that wait for them are swept.

use super::Sampler;

/// A moment: of spans that arrived from then on, no trace had its verdict before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

impl Sampler {
    /// This moment.
    pub fn mark(&self) -> Mark {
        Mark(self.oldest + self.remembered.len() as u64)
    }

    /// Whether so many traces were pending at that moment or came since that half as many as may wait had their verdicts early.
    pub fn outpaces(&self, mark: Mark) -> bool {
        let most = self.most_pending();
        self.next_number().saturating_sub(mark.0) > (most + most / 2) as u64
    }

    /// Whether so many traces were pending at that moment or came since that verdicts on them might be forgotten soon: a quarter
    /// of what is remembered is left for what one request may bring.
    pub fn outgrows(&self, mark: Mark) -> bool {
        self.next_number().saturating_sub(mark.0) > (self.memory - self.memory / 4) as u64
    }
}
