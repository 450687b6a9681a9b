//! Takes a sealed request apart again: when its owner is away, or when a part of it is refused. The seal stays.

use tollgate_federation::Signal;
use tollgate_otlp::{Batch, Limits, Part, split_by_number, walk_logs, walk_metrics, walk_traces};

use super::Sealed;

impl Sealed {
    /// Parts the items into `parts` pieces as `choose` says for each in order; a piece without items is none. Nothing is
    /// sealed anew, and nothing can be added.
    ///
    /// # Errors
    /// Gives everything back if an item is named for no piece, or the bytes cannot be read as a whole.
    pub fn rearrange(
        self,
        parts: usize,
        choose: impl FnOnce(Batch<'_>) -> Vec<Option<usize>>,
    ) -> Result<Vec<Option<Self>>, Self> {
        let request = self.bytes();
        let walked = match self.seal.signal {
            Signal::Traces => walk_traces(&request, &Limits::JOINED),
            Signal::Metrics => walk_metrics(&request, &Limits::JOINED),
            Signal::Logs => walk_logs(&request, &Limits::JOINED),
        };
        let Ok(walked) = walked else { return Err(self) };
        let batch = Batch::new(&request, &walked.index);
        let choice = choose(batch);
        let mut pieces = vec![Part::default(); parts];
        split_by_number(batch, &mut pieces, |item| choice.get(item).copied().flatten());
        if pieces.iter().map(|piece| piece.items as u64).sum::<u64>() != self.items {
            return Err(self);
        }
        let sealed = |piece: Part| {
            let (items, chunks) = (piece.items as u64, vec![piece.bytes.into()]);
            (items > 0).then(|| Self { chunks, items, seal: self.seal.clone() })
        };
        Ok(pieces.into_iter().map(sealed).collect())
    }
}
