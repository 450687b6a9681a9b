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
pub(crate) struct Hint<'a> {
    /// As it stood last.
    pub(crate) raw: RawAttribute<'a>,
    pub(crate) found: Found,
    /// The whole field as it stood last, if it was copied; else nothing.
    copied: &'a [u8],
    /// How often it was copied and not the same as before.
    changes: u8,
    /// What may be copied again: its field, or that with the ones behind it where all of them were the same. Nothing if it
    /// was not copied, or changes.
    again: &'a [u8],
    /// Of how many hints that is.
    joined: usize,
}

impl<'a> Hint<'a> {
    /// What may be copied again at the front of a message, with what follows it.
    #[inline]
    pub(crate) fn again<'m>(&self, message: &'m [u8]) -> Option<(&'m [u8], &'m [u8])> {
        let (front, rest) = message.split_at_checked(self.again.len())?;
        (!front.is_empty() && is_same(front, self.again)).then_some((front, rest))
    }

    /// How many fields may be copied again together.
    #[inline]
    pub(crate) fn joined(&self) -> usize {
        self.joined
    }

    fn part(&mut self) {
        (self.again, self.joined) = (if self.changes < CHANGES { self.copied } else { &[] }, 1);
    }
}

/// One list's keys with what was found for them.
#[derive(Default)]
pub(crate) struct Hints<'a> {
    list: Vec<Hint<'a>>,
    distinct: usize,
    /// Whether fields are joined anywhere.
    are_joined: bool,
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
        let hint = Hint { raw, found, copied: &[], changes: 0, again: &[], joined: 1 };
        if let Some(old) = self.list.get_mut(position) {
            *old = hint;
        } else if position == self.list.len() && position < MOST {
            self.list.push(hint);
        }
    }

    /// Remembers that a field was copied.
    #[inline]
    pub(crate) fn copied(&mut self, position: usize, read: &Read<'a>) {
        if let Some(hint) = self.list.get_mut(position) {
            (hint.raw, hint.copied) = (read.raw, read.field);
            hint.changes = hint.changes.saturating_add(1);
            hint.part();
        }
    }

    /// So many hints from a position on.
    #[inline]
    pub(crate) fn some(&self, position: usize, hints: usize) -> &[Hint<'a>] {
        self.list.get(position..position + hints).unwrap_or_default()
    }

    /// Joins so many hints from a position on, whose fields lie side by side and were the same again.
    pub(crate) fn join(&mut self, position: usize, hints: usize, fields: &'a [u8]) {
        if let Some(hint) = self.list.get_mut(position) {
            (hint.again, hint.joined) = (fields, hints);
            self.are_joined = true;
        }
    }

    /// Parts what is joined from a position on, where it was not the same.
    pub(crate) fn part(&mut self, position: usize) {
        self.list.get_mut(position).into_iter().for_each(Hint::part);
    }

    /// Parts all that is joined, before a hint changes that is not come to by way of those before it.
    #[inline]
    pub(crate) fn part_all(&mut self) {
        if std::mem::take(&mut self.are_joined) {
            self.list.iter_mut().for_each(Hint::part);
        }
    }

    /// The hint at a position, if its key differs from those before.
    #[inline]
    pub(crate) fn distinct_at(&self, position: usize) -> Option<&Hint<'a>> {
        self.list.get(position).filter(|_| position < self.distinct)
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
