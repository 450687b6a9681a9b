//! Judges one value, and writes it anew in the form in which it crosses.
//!
//! Promises:
//! 1. Only numbers, booleans, texts and short flat lists of them cross raw; texts only if they look operational, unless
//!    somebody let a class cross raw that holds anything by its nature.
//! 2. What cannot be transformed is left out, not passed on.

use tollgate_otlp::wire::{Fields, Wire};
use tollgate_otlp::{Fault, RawAttribute, ValueView, Writer};
use tollgate_residency::{Action, Carrier, Cell, Class, Form, Resource, Table};

use crate::address;
use crate::counts::Counts;
use crate::keys::Keys;
use crate::once::text;
use crate::operational;
use crate::pseudonym::{NoPseudonym, Pseudonyms};
use crate::verbatim;

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
    /// Whether what stands before a span's attributes crosses as it is.
    pub(crate) heads_cross: bool,
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
    pub(crate) fn write(
        &mut self,
        raw: RawAttribute<'_>,
        cell: Cell,
        number: u32,
        text: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        text.clear();
        let passed = match cell.action {
            Action::Absent => return Ok(false),
            Action::Raw => return write_raw(raw, cell.class, number, out),
            Action::Hmac(index) => self.pseudonym(index.position(), raw.value, text)?,
            Action::Truncate { v4, v6 } => match verbatim::text(raw.value)? {
                Some(value) => address::write_shortened(value, v4, v6, text)?,
                None => false,
            },
        };
        if passed {
            Writer::new(out).key_text(number, raw.key, text);
        }
        Ok(passed)
    }

    fn pseudonym(&mut self, transform: usize, value: &[u8], text: &mut Vec<u8>) -> Result<bool, Fault> {
        let Some(pseudonyms) = self.pseudonyms.get_mut(transform) else { return Ok(false) };
        let named = match verbatim::text(value)? {
            Some(value) => pseudonyms.name(value, self.arrival, self.keys, text),
            None => match ValueView::parse(value)? {
                ValueView::Int(value) => pseudonyms.name(value.to_string().as_bytes(), self.arrival, self.keys, text),
                _ => return Ok(false),
            },
        };
        match named {
            Ok(()) => Ok(true),
            Err(NoPseudonym::Empty) => Ok(false),
            Err(NoPseudonym::NoText) => Err(Fault::Utf8),
            Err(NoPseudonym::KeyMissing) => {
                self.counts.keys_missing += 1;
                Ok(false)
            }
        }
    }
}

/// Writes a value as it is, built anew from what it means.
fn write_raw(raw: RawAttribute<'_>, class: Class, number: u32, out: &mut Vec<u8>) -> Result<bool, Fault> {
    let (key, value) = (text(raw.key)?, ValueView::parse(raw.value)?);
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
