//! What was found for the attributes of the span before, by position: instrumentation writes the same keys in the same
//! order, and often the same values.
//!
//! Promises:
//! 1. A hint holds only where every byte that it rests on is the same again.
//! 2. The keys of the first [`distinct`](Hints::distinct) hints differ from each other, those apart that may not cross.
//! 3. However long lists are, only the first [`MOST`] of each are remembered.

use tollgate_otlp::RawAttribute;
use tollgate_residency::{Cell, KeyNumber};

use crate::same::is_same;
use crate::verbatim::Read;

/// Lists longer than that are looked up from there on; SDKs give a span no more.
const MOST: usize = 128;

/// A field that changes from span to span is not compared as a whole any more.
const CHANGES: u8 = 4;

/// What the table says of a key, and the key's number if it is listed itself.
pub(crate) type Found = (Cell, Option<KeyNumber>);

/// One attribute of the span before.
#[derive(Clone, Copy)]
pub(crate) struct Hint<'a> {
    /// As it stood last.
    pub(crate) raw: RawAttribute<'a>,
    pub(crate) found: Found,
    /// The whole field as it stood last, if it was copied; else nothing.
    copied: &'a [u8],
    /// How often it was copied and not the same as before.
    changes: u8,
}

impl<'a> Hint<'a> {
    /// What may be copied again: the field at the front of a message, if this one was the same and was copied; with what
    /// follows it.
    #[inline]
    pub(crate) fn again<'m>(&self, message: &'m [u8]) -> Option<(&'m [u8], &'m [u8])> {
        let (field, after) = message.split_at_checked(self.copied.len())?;
        (self.changes < CHANGES && !field.is_empty() && is_same(field, self.copied)).then_some((field, after))
    }

    /// Remembers that a field was copied.
    #[inline]
    pub(crate) fn copied(&mut self, read: Read<'a>) {
        (self.raw, self.copied) = (read.raw, read.field);
        self.changes = self.changes.saturating_add(1);
    }
}

/// One list's keys with what was found for them.
#[derive(Default)]
pub(crate) struct Hints<'a> {
    list: Vec<Hint<'a>>,
    distinct: usize,
}

impl<'a> Hints<'a> {
    /// The hint at a position, if its key is this one.
    #[inline]
    pub(crate) fn of(&self, position: usize, key: &[u8]) -> Option<Found> {
        self.list.get(position).filter(|hint| is_same(hint.raw.key, key)).map(|hint| hint.found)
    }

    /// Remembers what was found for a key that stands there now.
    pub(crate) fn replace(&mut self, position: usize, raw: RawAttribute<'a>, found: Found) {
        self.distinct = self.distinct.min(position);
        let hint = Hint { raw, found, copied: &[], changes: 0 };
        if let Some(old) = self.list.get_mut(position) {
            *old = hint;
        } else if position == self.list.len() && position < MOST {
            self.list.push(hint);
        }
    }

    /// Remembers that a field was copied.
    pub(crate) fn copied(&mut self, position: usize, read: Read<'a>) {
        self.list.get_mut(position).into_iter().for_each(|hint| hint.copied(read));
    }

    /// The hints from a position on whose keys are known to differ from each other and from those before.
    #[inline]
    pub(crate) fn distinct_from(&mut self, position: usize) -> &mut [Hint<'a>] {
        self.list.get_mut(position..self.distinct).unwrap_or_default()
    }

    /// How many of the first keys are known to differ.
    #[inline]
    pub(crate) fn distinct(&self) -> usize {
        self.distinct
    }

    /// A key with what was found for it.
    pub(crate) fn at(&self, position: usize) -> Option<(&'a [u8], Found)> {
        self.list.get(position).map(|hint| (hint.raw.key, hint.found))
    }

    /// The first keys, with what was found for them.
    pub(crate) fn first(&self, hints: usize) -> impl Iterator<Item = (&'a [u8], Found)> {
        self.list.iter().take(hints).map(|hint| (hint.raw.key, hint.found))
    }

    /// Remembers that so many of the first keys differ.
    #[inline]
    pub(crate) fn differ(&mut self, keys: usize) {
        self.distinct = self.distinct.max(keys.min(self.list.len()));
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.distinct = 0;
    }
}
