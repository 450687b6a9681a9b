//! Span names: kept if composed of attributes that crossed, else composed anew, else a placeholder.

use tollgate_residency::{Piece, Table};

use crate::same::after;

/// Stands where a name did not cross.
pub(crate) const PLACEHOLDER: &str = "withheld";

/// Which name crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// The sender's own.
    Own,
    /// The one that was chosen instead.
    Other,
}

/// Chooses the names of one span after the other.
#[derive(Default)]
pub(crate) struct Names {
    /// Which pattern the sender composed the last one by: the next one too, as a rule.
    last: usize,
    /// The name that was chosen last, if it was not the sender's own.
    pub(crate) other: Vec<u8>,
}

impl Names {
    /// Chooses the name that crosses. `slots` holds the texts that crossed raw.
    #[inline]
    pub(crate) fn choose(&mut self, table: &Table, sent: &[u8], slots: &[(u8, &[u8])]) -> Name {
        let last = table.span_names().get(self.last);
        if last.is_some_and(|pattern| composes(pattern, slots, sent).is_some()) {
            return Name::Own;
        }
        self.choose_anew(table, sent, slots)
    }

    /// The first pattern that can be filled is the most telling one.
    fn choose_anew(&mut self, table: &Table, sent: &[u8], slots: &[(u8, &[u8])]) -> Name {
        let mut best = None;
        for (number, pattern) in table.span_names().iter().enumerate() {
            match fill(pattern, slots, sent) {
                Filled::Equal => {
                    self.last = number;
                    return Name::Own;
                }
                Filled::Different if best.is_none() && pattern.iter().any(|piece| matches!(piece, Piece::Slot(_))) => {
                    best = Some(pattern);
                }
                Filled::Different | Filled::Not => {}
            }
        }
        self.other.clear();
        match best {
            Some(pattern) => texts(pattern, slots).flatten().for_each(|text| self.other.extend_from_slice(text)),
            None => self.other.extend_from_slice(PLACEHOLDER.as_bytes()),
        }
        Name::Other
    }
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

#[inline]
fn fill(pattern: &[Piece<u8>], slots: &[(u8, &[u8])], sent: &[u8]) -> Filled {
    let mut rest = Some(sent);
    for text in texts(pattern, slots) {
        let Some(text) = text else { return Filled::Not };
        rest = rest.and_then(|rest| after(text, rest));
    }
    if rest == Some(&[]) { Filled::Equal } else { Filled::Different }
}

/// Says whether a pattern makes the name that was sent of them.
#[inline]
fn composes(pattern: &[Piece<u8>], slots: &[(u8, &[u8])], sent: &[u8]) -> Option<()> {
    let rest = texts(pattern, slots).try_fold(sent, |rest, text| after(text?, rest))?;
    rest.is_empty().then_some(())
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
