//! Span names: kept if composed of attributes that crossed, else composed anew, else a placeholder.

use tollgate_residency::{Piece, Table};

/// Stands where a name did not cross.
pub(crate) const PLACEHOLDER: &str = "withheld";

/// Writes the name that crosses to `out` and says whether it is the sender's own.
///
/// `slots` holds the texts that crossed raw. The first pattern that can be filled is the most telling one.
pub(crate) fn compose(table: &Table, sent: &str, slots: &[(u8, &str)], out: &mut String) -> bool {
    out.clear();
    let mut best = None;
    for pattern in table.span_names().iter().filter(|pattern| texts(pattern, slots).all(|text| text.is_some())) {
        if equals(pattern, slots, sent) {
            out.push_str(sent);
            return true;
        }
        let composed = pattern.iter().any(|piece| matches!(piece, Piece::Slot(_)));
        best = best.or_else(|| composed.then_some(pattern));
    }
    match best {
        Some(pattern) => out.extend(texts(pattern, slots).flatten()),
        None => out.push_str(PLACEHOLDER),
    }
    false
}

fn equals(pattern: &[Piece<u8>], slots: &[(u8, &str)], sent: &str) -> bool {
    let rest = texts(pattern, slots).flatten().try_fold(sent, |rest, text| rest.strip_prefix(text));
    rest == Some("")
}

/// The text of each piece; none for an attribute that did not cross.
fn texts<'a>(pattern: &'a [Piece<u8>], slots: &'a [(u8, &'a str)]) -> impl Iterator<Item = Option<&'a str>> {
    pattern.iter().map(|piece| match piece {
        Piece::Text(text) => Some(text.as_str()),
        Piece::Slot(wanted) => {
            slots.iter().find(|(slot, text)| slot == wanted && !text.is_empty()).map(|(_, text)| *text)
        }
    })
}
