//! Writes lists of attributes anew, as far as the table lets them cross.
//!
//! Promises:
//! 1. What is written was looked up under the very key it is written with.
//! 2. A key that stands twice in one list is left out each time: receivers disagree about which one counts.

use tollgate_otlp::wire::delimited;
use tollgate_otlp::{Fault, raw_attributes};
use tollgate_residency::{Action, Carrier, Cell, Form, KeyNumber};

use crate::operational;
use crate::repeats::Repeats;
use crate::value::Judge;
use crate::verbatim::{self, Read, Run};

/// One list of attributes after the other. An attribute is written as soon as it is seen, and a key that stands twice
/// is known too late: then [`are_suspect`](Self::are_suspect), and the lists are to be written once more, warily.
#[derive(Default)]
pub(crate) struct Attributes<'a> {
    number: u32,
    bytes: Vec<u8>,
    run: Run<'a>,
    withheld: u32,
    repeats: Repeats,
    suspect: bool,
    care: Care,
    /// Keys that stand more than once in the list at hand, in order.
    repeated: Vec<&'a [u8]>,
    /// The texts of the list at hand that crossed raw and that span names are composed of, by slot.
    slots: Vec<(u8, &'a [u8])>,
    text: Vec<u8>,
    /// What was found for the span before, by position: instrumentation writes the same keys in the same order.
    hints: Vec<Hint<'a>>,
}

/// A key with what the table says of it.
#[derive(Clone, Copy)]
struct Hint<'a> {
    key: &'a [u8],
    found: Found,
}

/// What the table says of a key, and the key's number if it is listed itself.
type Found = (Cell, Option<KeyNumber>);

/// Lists longer than that are looked up from there on.
const HINTS: usize = 64;

/// Whether a list is searched for keys that stand twice before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Care {
    #[default]
    Swift,
    Wary,
}

impl<'a> Attributes<'a> {
    /// Begins the list that stands under this field number of a message.
    #[inline]
    pub(crate) fn begin(&mut self, number: u32, message: &'a [u8]) {
        self.number = number;
        self.bytes.clear();
        self.run = Run::of(message);
        self.withheld = 0;
        self.repeats.clear();
        self.slots.clear();
        if self.care == Care::Wary {
            self.find_repeated(number, message);
        }
    }

    /// Adds an attribute: a field of the message with its body, a `KeyValue`.
    #[inline]
    pub(crate) fn add(
        &mut self,
        (field, body): (&'a [u8], &'a [u8]),
        carrier: Carrier,
        judge: &mut Judge<'_>,
    ) -> Result<(), Fault> {
        let read = verbatim::read(self.number, field, body)?;
        let found = look_up(read.raw.key, carrier, judge);
        self.write(read, found, judge)
    }

    /// Adds the attributes of a span that stand next in it, and returns what follows them.
    #[inline]
    pub(crate) fn add_next(&mut self, mut rest: &'a [u8], judge: &mut Judge<'_>) -> Result<&'a [u8], Fault> {
        let mut position = 0;
        while let Some((read, after)) = self.next(rest)? {
            let found = self.recall(position, read.raw.key, judge);
            self.write(read, found, judge)?;
            (rest, position) = (after, position + 1);
        }
        Ok(rest)
    }

    #[inline]
    fn next(&self, rest: &'a [u8]) -> Result<Option<(Read<'a>, &'a [u8])>, Fault> {
        if let Some(next) = verbatim::take(self.number, rest) {
            return Ok(Some(next));
        }
        // Numbers of lists are below 16, so the tag is one byte; in another form it is left to the general way.
        match rest.split_first() {
            Some((tag, framed)) if u32::from(*tag) == self.number << 3 | 2 => {
                let (body, after) = delimited(framed)?;
                let field = rest.get(..rest.len() - after.len()).unwrap_or_default();
                Ok(Some((verbatim::read(self.number, field, body)?, after)))
            }
            _ => Ok(None),
        }
    }

    /// Forgets what was found for keys: another resource may be judged otherwise.
    pub(crate) fn forget(&mut self) {
        self.hints.clear();
    }

    #[inline]
    fn recall(&mut self, position: usize, key: &'a [u8], judge: &Judge<'_>) -> Found {
        match self.hints.get_mut(position) {
            Some(hint) if is_same(hint.key, key) => hint.found,
            Some(hint) => {
                *hint = Hint { key, found: look_up(key, Carrier::SpanAttributes, judge) };
                hint.found
            }
            None => {
                let found = look_up(key, Carrier::SpanAttributes, judge);
                if position == self.hints.len() && position < HINTS {
                    self.hints.push(Hint { key, found });
                }
                found
            }
        }
    }

    #[inline]
    fn write(&mut self, read: Read<'a>, found: Found, judge: &mut Judge<'_>) -> Result<(), Fault> {
        let (cell, number) = found;
        let Read { field, raw, whole } = read;
        if let Action::Absent = cell.action {
            return self.leave_out(cell, judge);
        }
        self.repeats.note(number, judge.table.keys());
        if !self.repeated.is_empty() && self.repeated.binary_search(&raw.key).is_ok() {
            return self.leave_out(cell, judge);
        }
        match cell.action {
            Action::Raw if whole && verbatim::is_clean_value(raw.value) => self.run.add(field, &mut self.bytes),
            _ => {
                self.run.end(&mut self.bytes);
                if !judge.write(raw, cell, self.number, &mut self.text, &mut self.bytes)? {
                    return self.leave_out(cell, judge);
                }
            }
        }
        judge.counts.value(cell.class, cell.action.form());
        if let (Action::Raw, Some(slot)) = (cell.action, cell.slot) {
            self.slots.extend(verbatim::text(raw.value)?.map(|text| (slot, text)));
        }
        Ok(())
    }

    #[inline]
    fn leave_out(&mut self, cell: Cell, judge: &mut Judge<'_>) -> Result<(), Fault> {
        judge.counts.value(cell.class, Form::Absent);
        self.withheld += 1;
        Ok(())
    }

    /// Ends the list; says how many attributes were left out.
    #[inline]
    pub(crate) fn end(&mut self) -> u32 {
        self.run.end(&mut self.bytes);
        self.suspect |= self.care == Care::Swift && self.repeats.are_possible();
        self.withheld
    }

    /// The fields that may cross.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn slots(&self) -> &[(u8, &'a [u8])] {
        &self.slots
    }

    /// Whether a key may have stood twice in a list since this was asked for last.
    #[inline]
    pub(crate) fn are_suspect(&mut self) -> bool {
        std::mem::take(&mut self.suspect)
    }

    pub(crate) fn take_care(&mut self, care: Care) {
        self.care = care;
        self.repeated.clear();
    }

    /// Sorted, because a sender chooses how many there are.
    fn find_repeated(&mut self, number: u32, message: &'a [u8]) {
        let mut keys: Vec<_> = raw_attributes(message, number).map(|raw| raw.key).collect();
        keys.sort_unstable();
        self.repeated.clear();
        let repeated = keys.chunk_by(|one, two| one == two).filter(|equal| equal.len() > 1);
        self.repeated.extend(repeated.filter_map(|equal| equal.first()));
    }
}

/// Compares keys; up to 32 bytes as two ends that overlap as they may, which takes no call.
#[inline]
fn is_same(one: &[u8], two: &[u8]) -> bool {
    if one.len() != two.len() {
        return false;
    }
    match (one.first_chunk::<16>(), one.last_chunk::<16>()) {
        (Some(first), Some(last)) if one.len() <= 32 => {
            two.first_chunk() == Some(first) && two.last_chunk() == Some(last)
        }
        _ => match (one.first_chunk::<8>(), one.last_chunk::<8>()) {
            (Some(first), Some(last)) if one.len() <= 16 => {
                two.first_chunk() == Some(first) && two.last_chunk() == Some(last)
            }
            _ => one == two,
        },
    }
}

#[inline]
fn look_up(key: &[u8], carrier: Carrier, judge: &Judge<'_>) -> Found {
    match judge.table.listed(carrier, key, judge.resource) {
        Some((cell, number)) => (cell, Some(number)),
        // Looked for only if it could be a key: that takes one step for each dot of what the sender wrote.
        None if operational::is_key(key) => (judge.table.below_template(carrier, key, judge.resource), None),
        None => (Cell::UNKNOWN, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_only_if_every_byte_is() {
        for length in 0..40 {
            let key = vec![b'a'; length];
            assert!(is_same(&key, &key.clone()));
            assert!(!is_same(&key, &vec![b'a'; length + 1]));
            for at in 0..length {
                let mut other = key.clone();
                other[at] = b'b';
                assert!(!is_same(&key, &other), "{at} of {length}");
            }
        }
    }
}
