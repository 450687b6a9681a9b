//! Which attribute key is of which class.
//!
//! Promises:
//! 1. A key is found by exact match, else by the longest template; what is in neither is unclassified.
//! 2. All names of one attribute, old and new, are answered alike.
//! 3. No document can make a credential's header anything but secret.
//! 4. A template never holds operational keys: below it the sender chooses the key, and a key is data too.

mod guard;
mod read;
pub(crate) mod renames;

use std::collections::{BTreeMap, BTreeSet};

use crate::class::Class;
use crate::pattern::Pattern;
use crate::reading::{Found, Named};
use crate::table::Resource;

pub use guard::Guard;
pub(crate) use guard::{CHARACTERS, KEYS as GUARD_KEYS, has_guard};
pub(crate) use read::KEYS;

/// Headers and metadata that carry credentials under any prefix.
const CREDENTIALS: &[&str] = &[
    "api-key",
    "apikey",
    "authentication",
    "authorization",
    "cookie",
    "private-token",
    "proxy-authorization",
    "set-cookie",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-forwarded-access-token",
    "x-goog-api-key",
    "x-session-token",
    "x-vault-token",
    "x-xsrf-token",
];

/// What the catalogue says of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The attribute's first name: what rules say of one name holds for all.
    pub(crate) attribute: String,
    pub(crate) class: Class,
    /// The class where the resource is a person's device; both must let the value cross.
    pub(crate) on_device: Option<Class>,
}

/// The catalogue of a federation.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// Every name as documents spell it; a template ends in `.*`.
    entries: Named<Entry>,
    /// What a text must look like to cross as it is, by class.
    pub(crate) guards: BTreeMap<Class, Guard>,
    /// Keys or templates whose presence says that a resource is a person's device.
    pub(crate) devices: BTreeSet<String>,
    /// Span names that are operational as they stand.
    pub(crate) span_names: BTreeSet<Pattern>,
    /// Event names that are operational as they stand.
    pub(crate) event_names: BTreeSet<String>,
}

impl Catalogue {
    /// A catalogue that could not be read: any name may be in it.
    pub(crate) fn unread() -> Self {
        Self { entries: Named::unread(), ..Self::default() }
    }

    fn is_not_all(&mut self) {
        self.entries.is_not_all();
    }

    /// Finds an attribute by a name that a document spells, template or key.
    pub(crate) fn find(&self, name: &str) -> Found<'_, Entry> {
        self.entries.find(name)
    }

    /// What it says of a key: its own entry, else that of the longest template around it; of no credential, unless it is
    /// listed.
    pub(crate) fn classify(&self, key: &str) -> Option<&Entry> {
        if let Found::Whole(entry) = self.find(key)
            && !is_template(key)
        {
            return Some(entry);
        }
        let dots = key.char_indices().rev().filter(|(_, c)| *c == '.');
        let template = |at: usize| key.get(..=at).map(|stem| format!("{stem}*"));
        let found = dots.filter_map(|(at, _)| match self.find(&template(at)?) {
            Found::Whole(entry) => Some(entry),
            Found::Faulty | Found::Nowhere => None,
        });
        found.into_iter().next().filter(|entry| !entry.class.may_be_allowed() || !is_credential(key))
    }

    pub(crate) fn marks_device(&self, key: &str) -> bool {
        marks_device(&self.devices, key)
    }

    /// Every attribute once, by its first name.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|(name, entry)| *name == entry.attribute).map(|(_, entry)| entry)
    }

    /// The attribute of that first name.
    pub(crate) fn first_named(&self, attribute: &str) -> Option<&Entry> {
        match self.find(attribute) {
            Found::Whole(entry) => Some(entry),
            Found::Faulty | Found::Nowhere => None,
        }
    }

    /// Every name as documents spell it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.names().map(String::as_str)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter()
    }
}

/// Says whether a key is one of the markers, or lies below one, or is what sealers write in their place.
pub(crate) fn marks_device(markers: &BTreeSet<String>, key: &str) -> bool {
    let marks = |marker: &String| match template_prefix(marker) {
        Some(prefix) => key.starts_with(prefix),
        None => key == marker,
    };
    markers.iter().any(marks) || key == Resource::DEVICE_MARK.0
}

/// Returns what stands before the star of a template, with its last dot.
pub(crate) fn template_prefix(name: &str) -> Option<&str> {
    name.strip_suffix('*').filter(|prefix| prefix.ends_with('.'))
}

pub(crate) fn is_template(name: &str) -> bool {
    template_prefix(name).is_some()
}

/// Old conventions spell headers with underscores, and some instrumentations keep upper case.
pub(crate) fn is_credential(name: &str) -> bool {
    let header = [".header.", ".metadata."].iter().find_map(|mark| name.split_once(mark));
    let folded = header.map(|(_, header)| header.to_ascii_lowercase().replace('_', "-"));
    folded.is_some_and(|header| header.split('.').any(|part| CREDENTIALS.contains(&part)))
}

#[cfg(test)]
mod tests;
