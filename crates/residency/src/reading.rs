//! How sections are read here: all entries whatever one of them lacks, and nothing unsupported passed over.

use std::collections::BTreeMap;

use tollgate_config::{Fields, Value};

/// The entries of a section by name. One with a fault is there too, so that nobody calls its name unknown.
#[derive(Debug)]
pub(crate) struct Named<T> {
    entries: BTreeMap<String, Option<T>>,
    /// Whether these are all: of a section that could not be read any name may be one.
    complete: bool,
}

/// What a name stands for.
#[derive(Debug)]
pub(crate) enum Found<'a, T> {
    Whole(&'a T),
    /// Its fault was reported: whoever refers to it says nothing.
    Faulty,
    Nowhere,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), complete: true }
    }
}

impl<T> Named<T> {
    /// A section that could not be read.
    pub(crate) fn unread() -> Self {
        Self { entries: BTreeMap::new(), complete: false }
    }

    /// Reads the entries of a mapping.
    pub(crate) fn read(section: Value<'_>, mut entry: impl FnMut(Value<'_>) -> Option<T>) -> Self {
        let Some(entries) = section.entries() else { return Self::unread() };
        let entries = entries.into_iter().map(|(key, value)| (key.value, entry(value)));
        Self { entries: entries.collect(), complete: true }
    }

    /// Adds an entry; `None` is one with a fault.
    pub(crate) fn insert(&mut self, name: &str, entry: Option<T>) {
        self.entries.insert(name.to_owned(), entry);
    }

    pub(crate) fn find(&self, name: &str) -> Found<'_, T> {
        match self.entries.get(name) {
            Some(Some(entry)) => Found::Whole(entry),
            None if self.complete => Found::Nowhere,
            Some(None) | None => Found::Faulty,
        }
    }

    /// Whether the name may stand for something.
    pub(crate) fn knows(&self, name: &str) -> bool {
        !matches!(self.find(name), Found::Nowhere)
    }

    /// The entries without faults.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.entries.iter().filter_map(|(name, entry)| Some((name.as_str(), entry.as_ref()?)))
    }
}

/// Accepts one word where later versions will offer a choice.
pub(crate) fn only(value: Value<'_>, word: &str, why: &str) -> Option<()> {
    match value.as_text() {
        Some(text) if text == word => return Some(()),
        Some(_) => value.fault(format_args!("must be `{word}`: {why}")),
        None => value.expected(&format!("`{word}`")),
    }
    None
}

/// Refuses keys that the design knows and this version does not: ignoring one would let more through than it says.
/// `None` if there was one.
pub(crate) fn unsupported(fields: &mut Fields<'_>, keys: &[&'static str]) -> Option<()> {
    let mut none = Some(());
    for key in keys {
        if let Some(value) = fields.value(key) {
            value.fault(format_args!("`{key}` is not supported yet"));
            none = None;
        }
    }
    none
}

/// Reads a key that may be missing but not wrong: the outer `None` is a fault.
pub(crate) fn if_there<'v, T>(
    value: Option<Value<'v>>,
    read: impl FnOnce(Value<'v>) -> Option<T>,
) -> Option<Option<T>> {
    value.map_or(Some(None), |value| read(value).map(Some))
}
