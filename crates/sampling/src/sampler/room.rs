//! For how many traces there is room: that may wait, that are remembered, and that the index can find.

use super::index::Index;
use super::{Sampler, hash};

impl Sampler {
    /// Room for what the policies in force want to hold, beside what is held.
    pub(super) fn make_place(&mut self) {
        self.crowd = self.pending.len();
        self.memory = self.memory.max(self.policies.bounds().remembered);
        self.index_again();
    }

    /// Lets this many more traces wait than do now, also above `num_traces`, so that none of them is judged early.
    pub(crate) fn let_wait(&mut self, more: usize) {
        let wanted = self.pending.len().saturating_add(more);
        if wanted > self.most_pending() {
            // Twice as many, so that most calls find room.
            self.crowd = wanted.saturating_mul(2);
            self.index_again();
        }
    }

    pub(super) fn most_pending(&self) -> usize {
        self.policies.bounds().num_traces.max(self.crowd)
    }

    /// An index that has room for all, if this one has not.
    fn index_again(&mut self) {
        let most = self.most_pending().saturating_add(self.memory).saturating_add(2);
        if most <= self.indexed {
            return;
        }
        let mut index = Index::new(most);
        let remembered = self.remembered.iter().map(|remembered| &remembered.trace);
        let all = remembered.chain(self.pending.iter().map(|pending| &pending.trace));
        for (number, trace) in (self.oldest..).zip(all) {
            index.insert(hash(trace, self.secret), self.oldest, number);
        }
        (self.index, self.indexed) = (index, most);
    }
}
