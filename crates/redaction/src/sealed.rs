//! What has passed one link's policy, and can therefore be sent over that link.
//!
//! Promises:
//! 1. Only this crate makes a `Sealed`: code that would send unsealed data over a link does not compile.
//! 2. It knows its link, origin and table; what differs in one of them is never put together.
//! 3. Splitting loses nothing: each item goes into the one part that was named for its trace or resource.

mod layout;
mod rearrange;

use std::fmt;

use bytes::Bytes;
use tollgate_federation::{LinkId, Origin, Signal};
use tollgate_otlp::TraceId;

use crate::counts::Counts;
pub(crate) use layout::{CHILDREN, Group, Item, Layout, RESOURCES};

/// Under whose policy something was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) link: LinkId,
    pub(crate) signal: Signal,
    pub(crate) origin: Origin,
    pub(crate) digest: [u8; 32],
    pub(crate) in_force: [u8; 32],
}

/// By what an item finds its way to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The trace it belongs to, by the id that it crosses with; where none crosses, by the one that it came with.
    Trace(TraceId),
    /// It belongs to none: the resource of this number in the request that was sealed.
    Resource(usize),
}

/// An encoded request that one link's policy has passed.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    chunks: Vec<Bytes>,
    items: u64,
    seal: Seal,
}

/// Two batches were sealed for different links, origins or tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed for another link, origin or policy")]
pub struct OtherSeal;

impl Sealed {
    /// Puts another batch of the same link, origin and table behind this one; requests merge by concatenation.
    ///
    /// # Errors
    /// Gives the other batch back if it was sealed otherwise.
    pub fn append(&mut self, other: Self) -> Result<(), (OtherSeal, Self)> {
        if self.seal != other.seal {
            return Err((OtherSeal, other));
        }
        self.chunks.extend(other.chunks);
        self.items += other.items;
        Ok(())
    }

    /// Returns the encoded request, in pieces that belong one behind the other.
    #[must_use]
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// Returns the encoded request in one piece; copies only if there are several.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match self.chunks.as_slice() {
            [only] => only.clone(),
            chunks => chunks.concat().into(),
        }
    }

    /// Returns the length of the encoded request, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    /// Says whether there is no item in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Returns how many items are in it.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Returns the only link it may go over.
    #[must_use]
    pub fn link(&self) -> LinkId {
        self.seal.link
    }

    /// Returns where its data comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.seal.origin
    }

    /// Returns the digest of the table it was sealed with.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.seal.digest
    }

    /// Returns the digest of the link's table that was in force: the one it was sealed with lets through at most as much.
    #[must_use]
    pub fn in_force(&self) -> [u8; 32] {
        self.seal.in_force
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("items", &self.items)
            .field("bytes", &self.len())
            .field("seal", &self.seal)
            .finish()
    }
}

/// One batch, sealed and not yet parted by destination.
pub struct SealedBatch {
    pub(crate) layout: Layout,
    pub(crate) counts: Counts,
    pub(crate) seal: Seal,
}

impl SealedBatch {
    /// Returns what sealing did.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns everything in one piece.
    #[must_use]
    pub fn whole(self) -> Sealed {
        let layout = self.layout.finish();
        let (chunks, items) = layout.whole();
        Sealed { chunks, items, seal: self.seal }
    }

    /// Parts the items by their routes into `parts` pieces; a piece without items is none. An item for which there is no
    /// part, or none of that number, is in no piece: it belongs to somebody else.
    #[must_use]
    pub fn split(self, parts: usize, part_of: impl FnMut(Route) -> Option<usize>) -> Vec<Option<Sealed>> {
        let layout = self.layout.finish();
        let choice = layout.routes(part_of);
        // An eighth more for what is not shared out evenly: growing would copy all of it.
        let fair = layout.bytes.len() / parts.max(1);
        let about = fair + fair / 8;
        let only = choice.first().copied().flatten().filter(|first| choice.iter().all(|part| *part == Some(*first)));
        let part = |part: usize| {
            let (chunks, items) = match only {
                Some(only) if only == part => layout.whole(),
                Some(_) => return None,
                None => layout.select(|item| choice.get(item) == Some(&Some(part)), about),
            };
            (items > 0).then(|| Sealed { chunks, items, seal: self.seal.clone() })
        };
        (0..parts).map(part).collect()
    }
}

impl fmt::Debug for SealedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedBatch").field("items", &self.layout.items.len()).field("seal", &self.seal).finish()
    }
}
