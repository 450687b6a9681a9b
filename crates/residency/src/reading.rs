//! How sections are read here: all entries whatever one of them lacks, and nothing unsupported passed over.

use std::collections::BTreeMap;

use tollgate_config::{Fields, Read, Value};

/// Reads the entries of a mapping; those with faults are left out, so that the rest is checked too.
pub(crate) fn entries<T: Read>(value: Option<Value<'_>>) -> BTreeMap<String, T> {
    let entries = value.and_then(|value| value.entries()).unwrap_or_default();
    entries.into_iter().filter_map(|(key, value)| Some((key.value, value.read()?))).collect()
}

/// Accepts one word where later versions will offer a choice.
pub(crate) fn only(value: Value<'_>, word: &str, why: &str) -> Option<()> {
    if value.as_text() == Some(word) {
        return Some(());
    }
    value.fault(format_args!("must be `{word}`: {why}"));
    None
}

/// Refuses keys that the design knows and this version does not: ignoring one would let more through than it says.
pub(crate) fn unsupported(fields: &mut Fields<'_>, keys: &[&'static str]) {
    for key in keys {
        if let Some(value) = fields.value(key) {
            value.fault(format_args!("`{key}` is not supported yet"));
        }
    }
}
