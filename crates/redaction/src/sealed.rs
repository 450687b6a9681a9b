//! What has passed one link's policy, and can therefore be sent over that link.
//!
//! Promises:
//! 1. Only this crate makes a `Sealed`: code that would send unsealed data over a link does not compile.
//! 2. It knows its link, origin and table; what differs in one of them is never put together.
//! 3. Splitting loses nothing: each item goes into the one part that was named for its trace.

mod rearrange;

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use tollgate_federation::{LinkId, Origin};
use tollgate_otlp::wire::framed_len;
use tollgate_otlp::{TraceId, Writer};

use crate::counts::Counts;

/// The number of a request's resources, and of the children of a resource and of a scope.
const RESOURCES: u32 = 1;
const CHILDREN: u32 = 2;

/// Under whose policy something was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) link: LinkId,
    pub(crate) origin: Origin,
    pub(crate) digest: [u8; 32],
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

/// Where the sealed parts of a request lie, ready to be put together in any selection.
#[derive(Default)]
pub(crate) struct Layout {
    pub(crate) bytes: Vec<u8>,
    pub(crate) resources: Vec<Group>,
    pub(crate) scopes: Vec<Group>,
    pub(crate) spans: Vec<Span>,
}

/// A resource or a scope: its own fields, and its scopes or spans.
pub(crate) struct Group {
    pub(crate) head: Range<usize>,
    pub(crate) children: Range<usize>,
}

/// A span's whole field: tag, length, body.
pub(crate) struct Span {
    pub(crate) trace: TraceId,
    pub(crate) field: Range<usize>,
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
        let everything = vec![Some(0); self.layout.spans.len()];
        self.part(0, &everything, self.layout.bytes.len()).unwrap_or(Sealed {
            chunks: Vec::new(),
            items: 0,
            seal: self.seal,
        })
    }

    /// Parts the items by trace into `parts` pieces; a piece without items is none. An item for which there is no
    /// part, or none of that number, is in no piece: it belongs to somebody else.
    #[must_use]
    pub fn split(self, parts: usize, mut part_of: impl FnMut(TraceId) -> Option<usize>) -> Vec<Option<Sealed>> {
        let choice: Vec<_> = self.layout.spans.iter().map(|span| part_of(span.trace)).collect();
        let fair = self.layout.bytes.len() / parts.max(1);
        (0..parts).map(|part| self.part(part, &choice, fair)).collect()
    }

    /// One part, of about so many bytes.
    fn part(&self, part: usize, choice: &[Option<usize>], about: usize) -> Option<Sealed> {
        let chosen = |span: usize| choice.get(span).is_some_and(|choice| *choice == Some(part));
        // An eighth more for what is not shared out evenly: growing would copy all of it.
        let mut bytes = Vec::with_capacity(about + about / 8);
        let items = self.layout.write(chosen, &mut bytes);
        (items > 0).then(|| Sealed { chunks: vec![bytes.into()], items, seal: self.seal.clone() })
    }
}

impl Layout {
    /// Has room for so many spans, and for what is sealed of so many bytes: less than those, as a rule.
    pub(crate) fn with_room_for(spans: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), spans: Vec::with_capacity(spans), ..Self::default() }
    }

    /// Writes a request of the chosen spans under their resources and scopes, and returns how many those are.
    fn write(&self, chosen: impl Fn(usize) -> bool, out: &mut Vec<u8>) -> u64 {
        let mut items = 0;
        let mut scopes = Vec::new();
        for resource in &self.resources {
            scopes.clear();
            let below = self.scopes.get(resource.children.clone()).unwrap_or_default();
            scopes.extend(below.iter().map(|scope| (scope, self.spans_len(scope, &chosen))));
            scopes.retain(|(_, spans)| *spans > 0);
            let length = |(scope, spans): &(&Group, usize)| framed_len(CHILDREN, scope.head.len() + spans);
            let children: usize = scopes.iter().map(length).sum();
            if children == 0 {
                continue;
            }
            Writer::new(out).message_of(RESOURCES, resource.head.len() + children);
            Writer::new(out).raw(self.bytes(&resource.head));
            for (scope, spans) in &scopes {
                Writer::new(out).message_of(CHILDREN, scope.head.len() + spans);
                Writer::new(out).raw(self.bytes(&scope.head));
                items += self.write_spans(scope, &chosen, out);
            }
        }
        items
    }

    /// The length of a scope's chosen spans.
    fn spans_len(&self, scope: &Group, chosen: &impl Fn(usize) -> bool) -> usize {
        self.spans_of(scope, chosen).map(|span| span.field.len()).sum()
    }

    /// Writes a scope's chosen spans, those that lie side by side at one go, and returns how many those are.
    fn write_spans(&self, scope: &Group, chosen: &impl Fn(usize) -> bool, out: &mut Vec<u8>) -> u64 {
        let (mut items, mut run) = (0, 0..0);
        for span in self.spans_of(scope, chosen) {
            if span.field.start != run.end {
                out.extend_from_slice(self.bytes(&run));
                run.start = span.field.start;
            }
            run.end = span.field.end;
            items += 1;
        }
        out.extend_from_slice(self.bytes(&run));
        items
    }

    fn spans_of<'a>(&'a self, scope: &Group, chosen: &'a impl Fn(usize) -> bool) -> impl Iterator<Item = &'a Span> {
        let spans = self.spans.get(scope.children.clone()).unwrap_or_default();
        scope.children.clone().zip(spans).filter(|(number, _)| chosen(*number)).map(|(_, span)| span)
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for SealedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedBatch").field("items", &self.layout.spans.len()).field("seal", &self.seal).finish()
    }
}
