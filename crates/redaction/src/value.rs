//! Judges one value, and writes it anew in the form in which it crosses.
//!
//! Promises:
//! 1. Only numbers, booleans, texts and short flat lists of them cross raw; texts only if they look operational, unless
//!    somebody let a class cross raw that holds anything by its nature.
//! 2. What cannot be transformed is left out, not passed on.
//! 3. What a detector finds in a value that would cross raw raises its class: then the policy's answer for that class holds too.

use tollgate_otlp::wire::{Fields, Wire};
use tollgate_otlp::{Fault, RawAttribute, TraceId, ValueView, Writer};
use tollgate_residency::{Action, Carrier, Cell, Class, Form, Guard, Resource, Table};

use crate::address;
use crate::blind::{Blinder, Derived};
use crate::counts::Counts;
use crate::detect::{self, Found, whole};
use crate::keys::Keys;
use crate::known_ids::KnownIds;
use crate::once::text;
use crate::operational::{self, Look};
use crate::pseudonym::{NoPseudonym, Pseudonyms};
use crate::stack_trace;
use crate::verbatim;

/// What is needed to judge and transform values.
pub(crate) struct Judge<'t> {
    pub(crate) table: &'t Table,
    pub(crate) keys: &'t dyn Keys,
    pub(crate) pseudonyms: &'t mut [Pseudonyms],
    /// What blinds ids, where they are blinded.
    pub(crate) blinder: Option<&'t mut Blinder>,
    /// The ids of the request, where they are blinded.
    pub(crate) known_ids: Option<&'t KnownIds>,
    pub(crate) counts: &'t mut Counts,
    /// When the batch arrived, in nanoseconds since the Unix epoch.
    pub(crate) arrival: u64,
    /// Whose resource the values at hand describe.
    pub(crate) resource: Resource,
    /// What a scope says of the policy, a field of it.
    pub(crate) mark: &'t [u8],
    /// Whether what stands before a span's attributes crosses as it is.
    pub(crate) heads_cross: bool,
    /// Whether the catalogue guards no class, and no id is looked for.
    pub(crate) all_unguarded: bool,
}

impl Judge<'_> {
    /// Asks whether a carrier's value crosses as it is, and counts the answer. `fit` is what the value itself says.
    pub(crate) fn passes(&mut self, carrier: Carrier, fit: bool) -> bool {
        let passes = fit && self.table.carrier(carrier) == Form::Raw;
        let form = if passes { Form::Raw } else { Form::Absent };
        self.counts.value(carrier.class().unwrap_or(Class::Unclassified), form);
        passes
    }

    /// The key that blinds what arrived now, where ids are blinded and it is here.
    pub(crate) fn ids(&mut self) -> Option<&mut Derived> {
        self.blinder.as_mut()?.at(self.arrival, self.keys)
    }

    /// Whether an id that crosses blinded stands in clear in a text, or in a value as it is encoded.
    #[inline]
    pub(crate) fn tells_id(&self, text: &[u8]) -> bool {
        self.known_ids.is_some_and(|known| known.are_in(text))
    }

    /// By which id an item of a trace is routed: the one that it crosses with, or the one that it came with.
    #[inline]
    pub(crate) fn route(&mut self, trace: TraceId) -> TraceId {
        if self.blinder.is_none() { trace } else { self.blinded_route(trace) }
    }

    /// Apart, as all that blinds: the usual way stays as short as it is without.
    #[cold]
    fn blinded_route(&mut self, trace: TraceId) -> TraceId {
        self.ids().map_or(trace, |ids| TraceId(ids.trace(trace.0)))
    }

    /// Writes an id of a trace, as it is or blinded, and counts it.
    #[inline]
    pub(crate) fn write_id(&mut self, carrier: Carrier, id: (u32, &[u8]), trace: &[u8], out: &mut Writer<'_>) {
        if self.table.carrier(carrier) == Form::Keyed {
            self.write_blinded_id(id, trace, out);
        } else if self.passes(carrier, true) {
            out.bytes(id.0, id.1);
        }
    }

    /// Without a trace the id of a span tells too much.
    #[cold]
    fn write_blinded_id(&mut self, (number, id): (u32, &[u8]), trace: &[u8], out: &mut Writer<'_>) {
        let Some(ids) = self.ids() else {
            self.counts.keys_missing += 1;
            return self.counts.value(Class::Corr, Form::Absent);
        };
        match (trace.try_into(), id.try_into()) {
            (Ok(trace), Ok(span)) => out.bytes(number, &ids.span(trace, span)),
            (Ok(trace), Err(_)) if *id == trace => out.bytes(number, &ids.trace(trace)),
            _ => return self.counts.value(Class::Corr, Form::Absent),
        }
        self.counts.value(Class::Corr, Form::Keyed);
    }

    /// Asks whether a value crosses that may hold anything, a log's body or a description, and counts the answer. What a
    /// detector finds in it is answered as in an attribute of the `list` beside it.
    pub(crate) fn passes_free(
        &mut self,
        carrier: Carrier,
        list: Option<Carrier>,
        value: ValueView<'_>,
    ) -> Result<bool, Fault> {
        if self.table.carrier(carrier) != Form::Raw {
            return Ok(self.passes(carrier, false));
        }
        let stays = |found| list.is_none_or(|list| self.table.class(list, found) != Action::Raw);
        let tells_id = match value {
            ValueView::String(text) => self.tells_id(text.as_bytes()),
            ValueView::Array(list) => self.tells_id(list),
            _ => false,
        };
        let raised = tells_id || found_in(value)?.classes().any(|found| raises(Class::Free, found) && stays(found));
        let fit = !raised && crosses((&[], value), Class::Free, self.table.guard(Class::Free))?;
        Ok(self.passes(carrier, fit))
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
        let parts = match cell.action {
            // No attribute is an id.
            Action::Absent | Action::Blind(_) => None,
            Action::Raw if stack_trace::is_key(raw.key) => match ValueView::parse(raw.value)? {
                ValueView::String(trace) => {
                    text.clear();
                    text.extend_from_slice(stack_trace::frames(trace).as_bytes());
                    (!text.is_empty()).then_some([&text[..], &[]])
                }
                _ => None,
            },
            Action::Raw => return self.write_raw(raw, cell.class, number, out),
            Action::Hmac(index) => return self.write_pseudonym(index.position(), raw, number, out),
            Action::Truncate { v4, v6 } => match verbatim::text(raw.value)? {
                Some(value) => address::shortened(value, v4, v6, text)?,
                None => None,
            },
        };
        if let Some(parts) = parts {
            Writer::new(out).key_text(number, raw.key, parts);
        }
        Ok(parts.is_some())
    }

    fn write_pseudonym(
        &mut self,
        transform: usize,
        raw: RawAttribute<'_>,
        number: u32,
        out: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        let Some(pseudonyms) = self.pseudonyms.get_mut(transform) else { return Ok(false) };
        let named = match verbatim::text(raw.value)? {
            Some(value) => pseudonyms.name(value, self.arrival, self.keys),
            None => match ValueView::parse(raw.value)? {
                ValueView::Int(value) => pseudonyms.name(value.to_string().as_bytes(), self.arrival, self.keys),
                _ => return Ok(false),
            },
        };
        match named {
            Ok((prefix, name)) => {
                Writer::new(out).key_text(number, raw.key, [prefix, &name]);
                Ok(true)
            }
            Err(NoPseudonym::Empty) => Ok(false),
            Err(NoPseudonym::NoText) => Err(Fault::Utf8),
            Err(NoPseudonym::KeyMissing) => {
                self.counts.keys_missing += 1;
                Ok(false)
            }
        }
    }
}

/// Whether a value crosses as it is, and what its class becomes by what is in it.
impl Judge<'_> {
    /// Says whether the bytes of an attribute that may cross raw may be copied.
    #[inline]
    pub(crate) fn copies(&self, raw: RawAttribute<'_>, cell: Cell, carrier: Carrier) -> Result<bool, Fault> {
        match verbatim::look(raw.value) {
            Look::Plain => Ok(self.is_copied(raw, cell.class)),
            Look::Detectable => Ok(self.is_copied(raw, cell.class) && self.raised(raw, cell, carrier)? == cell),
            Look::Spaced => {
                let text = verbatim::text(raw.value)?;
                let fits = text.is_some_and(|text| operational::may_be_spaced(cell.class, raw.key, text));
                Ok(fits && self.is_copied(raw, cell.class) && self.raised(raw, cell, carrier)? == cell)
            }
            Look::Otherwise => Ok(false),
        }
    }

    #[inline]
    fn is_copied(&self, raw: RawAttribute<'_>, class: Class) -> bool {
        // Of a stack trace, which is free text, never the whole.
        class != Class::Free && (self.all_unguarded || self.is_unguarded(raw, class))
    }

    fn is_unguarded(&self, raw: RawAttribute<'_>, class: Class) -> bool {
        self.table.guard(class).is_default() && !self.tells_id(raw.value)
    }

    /// The answer for an attribute that may cross raw, after a look at its value.
    #[cold]
    pub(crate) fn raised(&self, raw: RawAttribute<'_>, cell: Cell, carrier: Carrier) -> Result<Cell, Fault> {
        let mut raised = cell;
        if self.tells_id(raw.value) {
            return Ok(Cell { class: Class::Corr, action: Action::Absent, slot: None });
        }
        if stack_trace::is_key(raw.key) {
            return Ok(cell); // each frame is looked at by itself, and nothing else crosses
        }
        for found in found_in(ValueView::parse(raw.value)?)?.classes() {
            if raises(cell.class, found) && !(found == Class::Online && self.is_of_a_machine(cell, raw.key, carrier)) {
                let action = raised.action.meet(self.table.class(carrier, found));
                raised = Cell { class: found, action, slot: None };
            }
        }
        Ok(raised)
    }

    /// Whether an address under this key is a server's own: on somebody's device the catalogue gives it another class.
    fn is_of_a_machine(&self, cell: Cell, key: &[u8], carrier: Carrier) -> bool {
        let on_device = self.table.attribute(carrier, key, Resource::Device).class;
        self.resource == Resource::Server
            && cell.class == Class::Op
            && matches!(on_device, Class::Online | Class::Direct)
    }

    /// Writes a value as it is, built anew from what it means.
    fn write_raw(&self, raw: RawAttribute<'_>, class: Class, number: u32, out: &mut Vec<u8>) -> Result<bool, Fault> {
        let (key, value) = (text(raw.key)?, ValueView::parse(raw.value)?);
        if !crosses((raw.key, value), class, self.table.guard(class))? {
            return Ok(false);
        }
        Writer::new(out).message(number, |pair| {
            pair.string(1, key);
            pair.message(2, |any| write_any(any, value))
        })?;
        Ok(true)
    }
}

/// Whether what was found tells more than the class says anyway. Whoever lets special values cross lets people cross.
const fn raises(class: Class, found: Class) -> bool {
    match (class, found) {
        (Class::Secret, _) => false,
        (_, Class::Secret) => true,
        (Class::Direct | Class::Special, _) => false,
        (_, Class::Direct) => true,
        (Class::Online, _) => false,
        _ => true,
    }
}

fn found_in(value: ValueView<'_>) -> Result<Found, Fault> {
    let ValueView::Array(list) = value else { return Ok(found_in_one(value)) };
    // A number taken apart is still one; as numbers its groups have lost the zeros before them.
    let (mut found, mut joined, mut padded) = (Found::NOTHING, String::new(), String::new());
    for element in elements(list) {
        let element = element?;
        found = found.and(found_in_one(element));
        let number = match element {
            ValueView::String(text) => {
                [&mut joined, &mut padded].into_iter().for_each(|all| all.extend([text, " "]));
                continue;
            }
            ValueView::Int(number) => number.unsigned_abs(),
            ValueView::Double(number) => whole(number),
            _ => continue,
        };
        joined.push_str(&format!("{number} "));
        padded.push_str(&format!("{number:04} "));
    }
    Ok([joined, padded].iter().fold(found, |found, all| found.and(detect::in_text(all.trim_end().as_bytes()))))
}

fn found_in_one(value: ValueView<'_>) -> Found {
    match value {
        ValueView::String(text) => detect::in_text(text.as_bytes()),
        ValueView::Int(number) => detect::in_number(number.unsigned_abs()),
        ValueView::Double(number) => detect::in_number(whole(number)),
        // Neither crosses, or there is nothing in it.
        ValueView::Empty | ValueView::Bool(_) | ValueView::Array(_) | ValueView::KvList(_) | ValueView::Bytes(_) => {
            Found::NOTHING
        }
    }
}

fn crosses((key, value): (&[u8], ValueView<'_>), class: Class, guard: Guard) -> Result<bool, Fault> {
    // Whoever lets these cross raw lets texts cross. All others are words of a system, whatever a sender writes there.
    let free = matches!(class, Class::Direct | Class::Special | Class::Free);
    let looks_so = |text: &str| operational::looks_so_under(class, key, text.as_bytes());
    let fits = |text: &str| free || looks_so(text) && guard.admits(text.as_bytes());
    let ValueView::Array(list) = value else { return Ok(flat_crosses(value, fits)) };
    let (mut count, mut bytes) = (0, 0);
    for element in elements(list) {
        let element = element?;
        if !flat_crosses(element, fits) {
            return Ok(false);
        }
        count += 1;
        bytes += if let ValueView::String(text) = element { text.len() } else { 0 };
    }
    Ok(free || operational::list_is_short(count, bytes))
}

fn flat_crosses(value: ValueView<'_>, fits: impl Fn(&str) -> bool) -> bool {
    match value {
        ValueView::String(text) => fits(text),
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

pub(crate) fn write_any(any: &mut Writer<'_>, value: ValueView<'_>) -> Result<(), Fault> {
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
