//! A walked request as resources, scopes and items, borrowed from its bytes. None of it shows values in `Debug`.

use std::{fmt, ops::Range};

use crate::{
    Index, TraceId,
    index::{Bounds, Entry, Slice},
};

/// One request and where everything in it lies.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// The request's bytes.
    pub payload: &'a [u8],
    /// What the walk of these bytes found.
    pub index: &'a Index,
}

impl<'a> Batch<'a> {
    /// Pairs a request with its index.
    #[inline]
    #[must_use]
    pub fn new(payload: &'a [u8], index: &'a Index) -> Self {
        Self { payload, index }
    }

    /// Iterates over the resources that have items, in the order of the request.
    pub fn resources(self) -> impl ExactSizeIterator<Item = ResourceGroup<'a>> {
        (0..self.index.resources()).map(move |number| ResourceGroup {
            number,
            batch: self,
            bounds: self.index.resources.bounds(number),
        })
    }

    /// Iterates over all items, in the order of the request.
    pub fn items(self) -> impl ExactSizeIterator<Item = Item<'a>> {
        self.numbered(0..self.index.items())
    }

    fn numbered(self, range: Range<usize>) -> impl ExactSizeIterator<Item = Item<'a>> {
        let first = range.start;
        let entries = self.index.items.get(range).unwrap_or_default();
        entries.iter().enumerate().map(move |(at, entry)| Item {
            number: first + at,
            payload: self.payload,
            entry: *entry,
        })
    }

    fn text(self, part: Slice) -> &'a str {
        std::str::from_utf8(part.of(self.payload)).unwrap_or_default()
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch of {} items, {} bytes", self.index.items(), self.payload.len())
    }
}

/// One resource and all that it sent.
#[derive(Clone, Copy)]
pub struct ResourceGroup<'a> {
    /// Counts the resources of the request from zero.
    pub number: usize,
    pub(crate) batch: Batch<'a>,
    pub(crate) bounds: Bounds<'a>,
}

impl<'a> ResourceGroup<'a> {
    /// Returns the body of the `Resource` message; empty if there is none.
    #[must_use]
    pub fn resource(&self) -> &'a [u8] {
        self.bounds.message.of(self.batch.payload)
    }

    /// Returns the schema URL; empty if there is none.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        self.batch.text(self.bounds.schema_url)
    }

    /// Iterates over the scopes that have items.
    pub fn scopes(&self) -> impl ExactSizeIterator<Item = ScopeGroup<'a>> + use<'a> {
        let batch = self.batch;
        self.bounds.children().map(move |number| ScopeGroup { batch, bounds: batch.index.scopes.bounds(number) })
    }
}

/// One scope and all its items.
#[derive(Clone, Copy)]
pub struct ScopeGroup<'a> {
    batch: Batch<'a>,
    pub(crate) bounds: Bounds<'a>,
}

impl<'a> ScopeGroup<'a> {
    /// Returns the body of the `InstrumentationScope` message; empty if there is none.
    #[must_use]
    pub fn scope(&self) -> &'a [u8] {
        self.bounds.message.of(self.batch.payload)
    }

    /// Returns the schema URL; empty if there is none.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        self.batch.text(self.bounds.schema_url)
    }

    /// Iterates over the items.
    pub fn items(&self) -> impl ExactSizeIterator<Item = Item<'a>> + use<'a> {
        self.batch.numbered(self.bounds.children())
    }
}

/// One span, metric or log record.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// Counts the items of the request from zero.
    pub number: usize,
    payload: &'a [u8],
    entry: Entry,
}

impl<'a> Item<'a> {
    /// Returns the message's body.
    #[inline]
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        Slice { start: self.entry.body, end: self.entry.end }.of(self.payload)
    }

    /// Returns the whole field: tag, length and body.
    #[inline]
    #[must_use]
    pub fn field(&self) -> &'a [u8] {
        self.slice().of(self.payload)
    }

    /// Returns where in the payload the whole field lies.
    #[inline]
    pub(crate) fn slice(&self) -> Slice {
        Slice { start: self.entry.start, end: self.entry.end }
    }

    /// Returns the trace that the item belongs to. Spans have one always, metrics never.
    #[inline]
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        let at = self.entry.trace as usize;
        let bytes = self.payload.get(at..)?.first_chunk()?;
        (at != 0).then_some(TraceId(*bytes))
    }
}
