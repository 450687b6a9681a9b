//! Writes attributes anew, as far as the table lets them cross.
//!
//! Promises:
//! 1. What is written was looked up under the very key it is written with.
//! 2. A key that stands twice in one list is left out each time: receivers disagree about which one counts.
//! 3. Only numbers, booleans, texts and short flat lists of them cross raw; texts only if they look operational, unless
//!    somebody let a class cross raw that holds anything by its nature.
//! 4. What cannot be transformed is left out, not passed on.

use tollgate_otlp::wire::{Fields, Wire};
use tollgate_otlp::{Fault, RawAttribute, ValueView, Writer};
use tollgate_residency::{Action, Carrier, Cell, Class, Form, Resource, Table};

use crate::address;
use crate::counts::Counts;
use crate::keys::Keys;
use crate::operational;
use crate::pseudonym::{NoPseudonym, Pseudonyms};
use crate::repeats::Repeats;
use crate::verbatim::{self, Run};

/// What is needed to judge and transform values.
pub(crate) struct Judge<'t> {
    pub(crate) table: &'t Table,
    pub(crate) keys: &'t dyn Keys,
    pub(crate) pseudonyms: &'t mut [Pseudonyms],
    pub(crate) counts: &'t mut Counts,
    /// When the batch arrived, in nanoseconds since the Unix epoch.
    pub(crate) arrival: u64,
    /// Whose resource the values at hand describe.
    pub(crate) resource: Resource,
}

/// An attribute that may cross.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    /// The whole field: tag, length, `KeyValue`.
    field: &'a [u8],
    key: &'a [u8],
    value: &'a [u8],
    cell: Cell,
}

/// Memory that is used again from list to list.
#[derive(Default)]
pub(crate) struct Scratch<'a> {
    candidates: Vec<Candidate<'a>>,
    order: Vec<u32>,
    repeats: Repeats,
    text: String,
    /// The texts of the last list that crossed raw and that span names are composed of, by slot.
    pub(crate) slots: Vec<(u8, &'a str)>,
}

impl<'a> Scratch<'a> {
    /// Notes one attribute of a list: a field with its body, a `KeyValue`. Says whether it may cross.
    pub(crate) fn note(
        &mut self,
        (field, body): (&'a [u8], &'a [u8]),
        carrier: Carrier,
        judge: &mut Judge<'_>,
    ) -> Result<bool, Fault> {
        let RawAttribute { key, value } = RawAttribute::parse(body)?;
        let listed = judge.table.listed(carrier, key, judge.resource);
        let cell = match listed {
            Some((cell, _)) => cell,
            // Looked for only if it could be a key: that takes one step for each dot of what the sender wrote.
            None if operational::is_key(key) => judge.table.below_template(carrier, key, judge.resource),
            None => Cell::UNKNOWN,
        };
        let crosses = cell.action != Action::Absent;
        if crosses {
            self.repeats.note(listed.map(|(_, number)| number), judge.table.keys());
            self.candidates.push(Candidate { field, key, value, cell });
        } else {
            judge.counts.value(cell.class, Form::Absent);
        }
        Ok(crosses)
    }

    /// Writes what was noted of a message and may cross, forgets it, and returns how many attributes were left out.
    pub(crate) fn write(
        &mut self,
        number: u32,
        message: &'a [u8],
        judge: &mut Judge<'_>,
        out: &mut Vec<u8>,
    ) -> Result<u32, Fault> {
        let mut withheld = 0;
        if self.repeats.are_possible() {
            self.drop_duplicates();
        }
        self.repeats.clear();
        self.slots.clear();
        let mut candidates = std::mem::take(&mut self.candidates);
        let mut run = Run::of(message);
        for candidate in candidates.drain(..) {
            let Candidate { field, key, value, cell } = candidate;
            let passed = if cell.action == Action::Raw && verbatim::is_clean(number, field, key, value) {
                run.add(field, out);
                true
            } else {
                run.end(out);
                judge.write(&candidate, number, &mut self.text, out)?
            };
            judge.counts.value(cell.class, if passed { cell.action.form() } else { Form::Absent });
            if !passed {
                withheld += 1;
            } else if let (Action::Raw, Some(slot)) = (cell.action, cell.slot)
                && let ValueView::String(text) = ValueView::parse(value)?
            {
                self.slots.push((slot, text));
            }
        }
        run.end(out);
        self.candidates = candidates;
        Ok(withheld)
    }

    /// Forgets what was noted of an item that does not cross.
    pub(crate) fn clear(&mut self) {
        self.candidates.clear();
        self.repeats.clear();
    }

    /// Marks every occurrence of a key that stands more than once. Sorted, because a sender chooses how many there are.
    fn drop_duplicates(&mut self) {
        let key = |at: u32| self.candidates.get(at as usize).map(|candidate| candidate.key);
        self.order.clear();
        self.order.extend((0..).take(self.candidates.len()));
        self.order.sort_unstable_by_key(|at| key(*at));
        let equal = self.order.chunk_by(|one, two| key(*one) == key(*two)).filter(|equal| equal.len() > 1);
        let twice: Vec<u32> = equal.flatten().copied().collect();
        for at in twice {
            if let Some(candidate) = self.candidates.get_mut(at as usize) {
                candidate.cell.action = Action::Absent;
            }
        }
    }
}

impl Judge<'_> {
    /// Asks whether a carrier's value crosses as it is, and counts the answer. `fit` is what the value itself says.
    pub(crate) fn passes(&mut self, carrier: Carrier, fit: bool) -> bool {
        let passes = fit && self.table.carrier(carrier) == Form::Raw;
        let form = if passes { Form::Raw } else { Form::Absent };
        self.counts.value(carrier.class().unwrap_or(Class::Unclassified), form);
        passes
    }

    /// Writes one attribute; says whether it crossed.
    fn write(&mut self, of: &Candidate<'_>, number: u32, text: &mut String, out: &mut Vec<u8>) -> Result<bool, Fault> {
        let value = ValueView::parse(of.value)?;
        let key = std::str::from_utf8(of.key).map_err(|_| Fault::Utf8)?;
        text.clear();
        let passed = match of.cell.action {
            Action::Absent => return Ok(false),
            Action::Raw => return write_raw(key, value, of.cell.class, number, out),
            Action::Hmac(index) => self.pseudonym(index.position(), value, text),
            Action::Truncate { v4, v6 } => shortened(value, v4, v6, text),
        };
        if passed {
            Writer::new(out).key_string(number, key, text);
        }
        Ok(passed)
    }

    fn pseudonym(&mut self, transform: usize, value: ValueView<'_>, text: &mut String) -> bool {
        let Some(pseudonyms) = self.pseudonyms.get_mut(transform) else { return false };
        let named = match value {
            ValueView::String(value) => pseudonyms.name(value, self.arrival, self.keys, text),
            ValueView::Int(value) => pseudonyms.name(&value.to_string(), self.arrival, self.keys, text),
            _ => return false,
        };
        if named == Err(NoPseudonym::KeyMissing) {
            self.counts.keys_missing += 1;
        }
        named.is_ok()
    }
}

fn shortened(value: ValueView<'_>, v4: u8, v6: u8, text: &mut String) -> bool {
    let ValueView::String(value) = value else { return false };
    address::write_shortened(value, v4, v6, text)
}

/// Writes a value as it is, built anew from what it means.
fn write_raw(key: &str, value: ValueView<'_>, class: Class, number: u32, out: &mut Vec<u8>) -> Result<bool, Fault> {
    if !crosses(value, class)? {
        return Ok(false);
    }
    Writer::new(out).message(number, |pair| {
        pair.string(1, key);
        pair.message(2, |any| write_any(any, value))
    })?;
    Ok(true)
}

fn crosses(value: ValueView<'_>, class: Class) -> Result<bool, Fault> {
    // Whoever lets these cross raw lets texts cross. All others are words of a system, whatever a sender writes there.
    let free = matches!(class, Class::Direct | Class::Special | Class::Free);
    let ValueView::Array(list) = value else { return Ok(flat_crosses(value, free)) };
    let (mut count, mut bytes) = (0, 0);
    for element in elements(list) {
        let element = element?;
        if !flat_crosses(element, free) {
            return Ok(false);
        }
        count += 1;
        bytes += if let ValueView::String(text) = element { text.len() } else { 0 };
    }
    Ok(free || operational::list_is_short(count, bytes))
}

fn flat_crosses(value: ValueView<'_>, free: bool) -> bool {
    match value {
        ValueView::String(text) => free || operational::looks_so(text),
        ValueView::Empty | ValueView::Bool(_) | ValueView::Int(_) | ValueView::Double(_) => true,
        ValueView::Array(_) | ValueView::KvList(_) | ValueView::Bytes(_) => false,
    }
}

/// The elements of an `ArrayValue`; its other fields are unknown and stay.
fn elements(list: &[u8]) -> impl Iterator<Item = Result<ValueView<'_>, Fault>> {
    Fields::new(list).filter_map(|field| match field {
        Ok(field) => match (field.number, field.value) {
            (1, Wire::Bytes(body)) => Some(ValueView::parse(body)),
            (1, _) => Some(Err(Fault::WireType)),
            _ => None,
        },
        Err(fault) => Some(Err(fault)),
    })
}

fn write_any(any: &mut Writer<'_>, value: ValueView<'_>) -> Result<(), Fault> {
    match value {
        ValueView::String(text) => any.string(1, text),
        ValueView::Bool(value) => any.varint(2, value.into()),
        ValueView::Int(value) => any.int(3, value),
        ValueView::Double(value) => any.double(4, value),
        ValueView::Array(list) => {
            return any.message(5, |array| {
                elements(list).try_for_each(|element| {
                    let element = element?;
                    array.message(1, |any| write_any(any, element))
                })
            });
        }
        // Neither is let through by `crosses`; what is not written cannot leak.
        ValueView::Empty | ValueView::KvList(_) | ValueView::Bytes(_) => {}
    }
    Ok(())
}
