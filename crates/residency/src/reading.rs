//! How sections are read here: all entries whatever one of them lacks, and nothing unsupported passed over.

use std::collections::BTreeMap;

use tollgate_config::{At, Read, Value, nearest};

use crate::class::Class;

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

    /// Says that there may be more than could be read.
    pub(crate) fn is_not_all(&mut self) {
        self.complete = false;
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

    /// The names, whatever they stand for.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> + Clone {
        self.entries.keys()
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

/// Says that nothing has this name, and which was meant or which there are.
pub(crate) fn unknown<'k>(what: &str, name: &str, known: impl IntoIterator<Item = &'k String>) -> String {
    unknown_in(what, name, std::iter::empty(), known)
}

/// As `unknown`, where some of the names would fit and are shown before all others.
pub(crate) fn unknown_in<'k>(
    what: &str,
    name: &str,
    fitting: impl IntoIterator<Item = &'k String>,
    known: impl IntoIterator<Item = &'k String>,
) -> String {
    const SHOWN: usize = 8;
    let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
    let fitting: Vec<&str> = fitting.into_iter().map(String::as_str).collect();
    let listed = if fitting.is_empty() { &known } else { &fitting };
    let hint = match nearest(name, known.iter().copied()) {
        Some(word) => format!(", did you mean `{word}`?"),
        None if listed.is_empty() => format!(": declare it below `{what}s`"),
        None if listed.len() > SHOWN => String::new(),
        None => format!(", known here: {}", listed.join(", ")),
    };
    format!("no {what} is called `{name}`{hint}")
}

/// Reads a mapping from classes, each with where it stands.
pub(crate) fn by_class<T: Read>(value: Value<'_>) -> Option<BTreeMap<Class, (T, At)>> {
    let mut fields = value.fields()?;
    let entries = Class::ALL.into_iter().filter_map(|class| {
        let value = fields.value(class.as_str())?;
        Some(value.read::<T>().map(|read| (class, (read, value.at()))))
    });
    // Collected before it is judged, so that every entry's faults are reported.
    let entries: Vec<Option<_>> = entries.collect();
    fields.done()?;
    entries.into_iter().collect()
}

/// Reads one text, or a list of texts that is not empty.
pub(crate) fn one_or_more<T: Read>(value: Value<'_>) -> Option<Vec<T>> {
    if value.is_scalar() {
        return value.read().map(|text| vec![text]);
    }
    let list: Vec<T> = value.read()?;
    if list.is_empty() {
        value.fault("name at least one, or leave the key out");
        return None;
    }
    Some(list)
}

/// Reads a key that may be missing but not wrong: the outer `None` is a fault.
pub(crate) fn if_there<'v, T>(
    value: Option<Value<'v>>,
    read: impl FnOnce(Value<'v>) -> Option<T>,
) -> Option<Option<T>> {
    value.map_or(Some(None), |value| read(value).map(Some))
}
