//! Span names: kept if composed of attributes that crossed, else composed anew, else a placeholder.

use tollgate_residency::{Piece, Table};

/// Stands where a name did not cross.
pub(crate) const PLACEHOLDER: &str = "withheld";

/// Which name crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// The sender's own.
    Own,
    /// The one in `out`.
    Other,
}

/// Chooses the name that crosses, and writes it to `out` if it is not the sender's own.
///
/// `slots` holds the texts that crossed raw. The first pattern that can be filled is the most telling one.
pub(crate) fn choose(table: &Table, sent: &[u8], slots: &[(u8, &[u8])], out: &mut Vec<u8>) -> Name {
    let mut best = None;
    for pattern in table.span_names() {
        match fill(pattern, slots, sent) {
            Filled::Equal => return Name::Own,
            Filled::Different if best.is_none() && pattern.iter().any(|piece| matches!(piece, Piece::Slot(_))) => {
                best = Some(pattern);
            }
            Filled::Different | Filled::Not => {}
        }
    }
    out.clear();
    match best {
        Some(pattern) => texts(pattern, slots).flatten().for_each(|text| out.extend_from_slice(text)),
        None => out.extend_from_slice(PLACEHOLDER.as_bytes()),
    }
    Name::Other
}

/// What a pattern makes of the attributes that crossed.
enum Filled {
    /// The name that was sent.
    Equal,
    /// Another name.
    Different,
    /// None: one of its attributes did not cross.
    Not,
}

fn fill(pattern: &[Piece<u8>], slots: &[(u8, &[u8])], sent: &[u8]) -> Filled {
    let mut rest = Some(sent);
    for text in texts(pattern, slots) {
        let Some(text) = text else { return Filled::Not };
        rest = rest.and_then(|rest| rest.strip_prefix(text));
    }
    if rest == Some(&[]) { Filled::Equal } else { Filled::Different }
}

/// The text of each piece; none for an attribute that did not cross.
fn texts<'a>(pattern: &'a [Piece<u8>], slots: &'a [(u8, &'a [u8])]) -> impl Iterator<Item = Option<&'a [u8]>> {
    pattern.iter().map(|piece| match piece {
        Piece::Text(text) => Some(text.as_bytes()),
        Piece::Slot(wanted) => {
            slots.iter().find(|(slot, text)| slot == wanted && !text.is_empty()).map(|(_, text)| *text)
        }
    })
}
