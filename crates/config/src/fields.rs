//! The keys of one mapping, as its reader asks for them.
//!
//! Promises:
//! 1. A key the reader never asked for is a fault with the nearest known key, or with all of them.
//! 2. Keys that are missing are reported at the mapping.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::document::Entry;
use crate::nearest::nearest;
use crate::read::Read;
use crate::value::Value;

/// The fields of a mapping; ends with `done`, or unknown keys go unnoticed.
#[must_use = "`done` reports the unknown keys"]
pub struct Fields<'a> {
    mapping: Value<'a>,
    entries: &'a BTreeMap<Arc<str>, Entry>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(mapping: Value<'a>, entries: &'a BTreeMap<Arc<str>, Entry>) -> Self {
        Self { mapping, entries, known: Vec::new() }
    }

    /// Reads a key that must be there.
    pub fn required<T: Read>(&mut self, key: &'static str) -> Option<T> {
        self.required_value(key)?.read()
    }

    /// Reads a key that may be missing: `None` without a fault if it is.
    pub fn optional<T: Read>(&mut self, key: &'static str) -> Option<T> {
        self.value(key)?.read()
    }

    /// The value of a key that must be there.
    pub fn required_value(&mut self, key: &'static str) -> Option<Value<'a>> {
        let value = self.value(key);
        if value.is_none() {
            self.mapping.fault(format_args!("missing key {key:?}"));
        }
        value
    }

    /// The value of a key that may be missing.
    pub fn value(&mut self, key: &'static str) -> Option<Value<'a>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries.get(key).map(|entry| self.mapping.with(entry.value))
    }

    /// The keys that stand in the mapping, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.entries.keys().map(|key| &**key)
    }

    /// The mapping itself.
    pub fn mapping(&self) -> Value<'a> {
        self.mapping
    }

    /// Reports the keys that nobody asked for; `None` if there was one, since it may be what a missing key was meant to be.
    pub fn done(self) -> Option<()> {
        self.report_unknown("")
    }

    /// The same, with a word on whose keys are known.
    pub fn done_with(self, whose: impl fmt::Display) -> Option<()> {
        self.report_unknown(&format!(" ({whose})"))
    }

    fn report_unknown(self, whose: &str) -> Option<()> {
        let mut all_known = Some(());
        for (key, entry) in self.entries.iter().filter(|(key, _)| !self.known.contains(&&***key)) {
            all_known = None;
            let at = self.mapping.at_key(key, entry.key);
            let message = match nearest(key, self.known.iter().copied()) {
                Some(meant) => format!("unknown key, did you mean {meant:?}?{whose}"),
                None => format!("unknown key, known here: {}{whose}", self.known.join(", ")),
            };
            self.mapping.faults().report(&at, message);
        }
        all_known
    }
}
