//! Where each resource, scope and item of a walked request lies.
//!
//! Promises:
//! 1. A pure function of the request's bytes: whoever has the index need not walk again.
//! 2. Every group has at least one item; items stand in the order of the request.
//! 3. Decoding one from disk checks every range against the payload's length; using one with the wrong payload may
//!    give wrong bytes, never a panic.

mod code;

/// A range of a payload. Payloads are shorter than 4 GiB, which the walk and decoding both ensure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Slice {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Slice {
    /// Makes the range from `start` to `end` of a payload whose length was checked. All empty ranges are the same one.
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        if start == end { Self::default() } else { Self { start: narrow(start), end: narrow(end) } }
    }

    #[inline]
    pub(crate) fn of<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        payload.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }
}

/// Makes an offset into a payload whose length was checked; beyond that it points nowhere.
#[inline]
pub(crate) fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// One resource with its scopes, or one scope with its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Group {
    /// Where this group's header ranges end in [`Level::headers`].
    pub(crate) headers_end: u32,
    /// Where this group's children end in the list of scopes or items.
    pub(crate) children_end: u32,
    /// The body of the `Resource` or `InstrumentationScope` message; empty if there is none.
    pub(crate) message: Slice,
    pub(crate) schema_url: Slice,
}

/// All groups of one kind, with what stands in them beside their children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Level {
    pub(crate) groups: Vec<Group>,
    pub(crate) headers: Vec<Slice>,
}

impl Level {
    /// What belongs to the group with this number; nothing if there is no such group.
    #[inline]
    pub(crate) fn bounds(&self, number: usize) -> Bounds<'_> {
        let Some(group) = self.groups.get(number).copied() else { return Bounds::default() };
        let before = number.checked_sub(1).and_then(|before| self.groups.get(before)).copied().unwrap_or_default();
        Bounds {
            message: group.message,
            schema_url: group.schema_url,
            headers: self.headers.get(before.headers_end as usize..group.headers_end as usize).unwrap_or_default(),
            first: before.children_end as usize,
            end: group.children_end as usize,
        }
    }
}

/// What belongs to one group.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds<'a> {
    pub(crate) message: Slice,
    pub(crate) schema_url: Slice,
    pub(crate) headers: &'a [Slice],
    first: usize,
    end: usize,
}

impl Bounds<'_> {
    /// The group's children, as a range of the list of scopes or items.
    #[inline]
    pub(crate) fn children(&self) -> std::ops::Range<usize> {
        self.first..self.end
    }
}

/// One span, metric or log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where its tag starts.
    pub(crate) start: u32,
    /// Where its body starts, which ends where the item ends.
    pub(crate) body: u32,
    pub(crate) end: u32,
    /// Where its trace id starts; 0, where only a tag can be, if it has none.
    pub(crate) trace: u32,
}

/// Says where each resource, scope and item of one request lies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    pub(crate) resources: Level,
    pub(crate) scopes: Level,
    pub(crate) items: Vec<Entry>,
}

impl Index {
    /// How many items the request holds.
    #[inline]
    #[must_use]
    pub fn items(&self) -> usize {
        self.items.len()
    }

    /// How many resources have items.
    #[inline]
    #[must_use]
    pub fn resources(&self) -> usize {
        self.resources.groups.len()
    }
}
