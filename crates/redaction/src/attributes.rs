//! Writes lists of attributes anew, as far as the table lets them cross.
//!
//! Promises:
//! 1. What is written was looked up under the very key it is written with.
//! 2. A key that stands twice in one list is left out each time: receivers disagree about which one counts.

use tollgate_otlp::wire::delimited;
use tollgate_otlp::{Fault, RawAttribute, raw_attributes};
use tollgate_residency::{Action, Carrier, Cell, Form};

use crate::operational;
use crate::repeats::Repeats;
use crate::value::Judge;
use crate::verbatim::{self, Run};

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
}

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
        let plain = verbatim::split(field, body);
        let raw = plain.map_or_else(|| RawAttribute::parse(body), Ok)?;
        let cell = self.look_up(raw.key, carrier, judge);
        let passed = match cell.action {
            Action::Absent => false,
            Action::Raw if self.is_clean(field, raw, plain.is_some()) => {
                self.run.add(field, &mut self.bytes);
                true
            }
            _ => {
                self.run.end(&mut self.bytes);
                judge.write(raw, cell, self.number, &mut self.text, &mut self.bytes)?
            }
        };
        judge.counts.value(cell.class, if passed { cell.action.form() } else { Form::Absent });
        self.withheld += u32::from(!passed);
        if let Some(slot) = cell.slot.filter(|_| passed && cell.action == Action::Raw) {
            self.slots.extend(verbatim::text(raw.value)?.map(|text| (slot, text)));
        }
        Ok(())
    }

    /// Adds all attributes that stand next in the message, and returns what follows them.
    #[inline]
    pub(crate) fn add_next(
        &mut self,
        mut rest: &'a [u8],
        carrier: Carrier,
        judge: &mut Judge<'_>,
    ) -> Result<&'a [u8], Fault> {
        // Numbers of lists are below 16, so the tag is one byte; in another form it is left to the general way.
        while let Some((tag, framed)) = rest.split_first()
            && u32::from(*tag) == self.number << 3 | 2
        {
            let (body, after) = delimited(framed)?;
            let field = rest.get(..rest.len() - after.len()).unwrap_or_default();
            self.add((field, body), carrier, judge)?;
            rest = after;
        }
        Ok(rest)
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

    #[inline]
    fn look_up(&mut self, key: &[u8], carrier: Carrier, judge: &Judge<'_>) -> Cell {
        let listed = judge.table.listed(carrier, key, judge.resource);
        let mut cell = match listed {
            Some((cell, _)) => cell,
            // Looked for only if it could be a key: that takes one step for each dot of what the sender wrote.
            None if operational::is_key(key) => judge.table.below_template(carrier, key, judge.resource),
            None => Cell::UNKNOWN,
        };
        if cell.action != Action::Absent {
            self.repeats.note(listed.map(|(_, number)| number), judge.table.keys());
            if !self.repeated.is_empty() && self.repeated.binary_search(&key).is_ok() {
                cell.action = Action::Absent;
            }
        }
        cell
    }

    #[inline]
    fn is_clean(&self, field: &[u8], raw: RawAttribute<'_>, plain: bool) -> bool {
        (plain || verbatim::is_whole(self.number, field, raw)) && verbatim::is_clean_value(raw.value)
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
