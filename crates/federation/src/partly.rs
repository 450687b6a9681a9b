//! What could be read of a list or a mapping, faults or not.

use tollgate_config::{Read, Value};

/// What could be read, and whether that is all that was said. What a fault left out may be just what somebody misses.
#[derive(Debug)]
pub(crate) struct Partly<T> {
    pub(crate) read: T,
    pub(crate) complete: bool,
}

impl<T: Default> Partly<T> {
    /// Nothing could be read.
    pub(crate) fn unread() -> Self {
        Self { read: T::default(), complete: false }
    }

    /// Nothing was said.
    pub(crate) fn empty() -> Self {
        Self { read: T::default(), complete: true }
    }
}

impl<T> Partly<T> {
    pub(crate) fn whole(self) -> Option<T> {
        self.complete.then_some(self.read)
    }
}

impl<T: Read> Partly<Vec<T>> {
    /// The items of a list that could be read.
    pub(crate) fn items(value: Value<'_>) -> Self {
        let Some(items) = value.items() else { return Self::unread() };
        let expected = items.len();
        let read: Vec<T> = items.into_iter().filter_map(Value::read).collect();
        Self { complete: read.len() == expected, read }
    }
}
