//! Takes a sealed request apart again: when its owner is away, or when a part of it is refused. The seal stays.

use tollgate_otlp::{Batch, Limits, Part, TraceId, walk_traces};

use super::Sealed;

impl Sealed {
    /// Parts the items by number and trace into `parts` pieces; a piece without items is none. Nothing is sealed anew,
    /// and nothing can be added.
    ///
    /// # Errors
    /// Gives everything back if an item is named for no piece, or the bytes cannot be read as a whole.
    pub fn rearrange(
        self,
        parts: usize,
        part_of: impl FnMut(usize, TraceId) -> Option<usize>,
    ) -> Result<Vec<Option<Self>>, Self> {
        let request = self.bytes();
        let Ok(walked) = walk_traces(&request, &Limits::JOINED) else { return Err(self) };
        let mut pieces = vec![Part::default(); parts];
        tollgate_otlp::split(Batch::new(&request, &walked.index), &mut pieces, part_of);
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
