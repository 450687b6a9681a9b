//! Writes one metric or log record anew from the fields that may cross.
//!
//! Promises:
//! 1. Total: each field is written by what its table says of it, in the shortest form; what no table knows is not written.
//! 2. A field that stands twice where it may stand once, or cannot be read, withholds the whole item.
//! 3. Data points are neither merged nor left out: a metric crosses with all of them, or not at all, and says how many of
//!    their attributes did not.

use tollgate_otlp::wire::{Field as Read, Fields, Wire, varint};
use tollgate_otlp::{Fault, RawAttribute, ValueView, Writer};
use tollgate_residency::{Action, Carrier, Class, Form, Mark};

use crate::counts::Withheld;
use crate::once::{grown, once, text};
use crate::operational;
use crate::schema::{self, Encoding, Field, Message, Spelling};
use crate::sealed::CHILDREN;
use crate::span::Memory;
use crate::span_name::PLACEHOLDER;
use crate::value::{Judge, write_any};

/// Seals the metrics or log records under one resource and scope.
pub(crate) struct ItemSealer<'s, 'a, 't> {
    judge: &'s mut Judge<'t>,
    memory: &'s mut Memory<'a>,
    /// Attributes that were left out of lists beside which no count stands.
    uncounted: u32,
    /// The trace id in the message at hand, where ids are blinded: the id of a span is blinded by it, and may come first.
    trace: &'a [u8],
}

/// The attribute of a metric that says how many attributes did not cross: a data point has no count of its own.
const DROPPED: &str = Mark::Dropped.key();

impl<'s, 'a, 't> ItemSealer<'s, 'a, 't> {
    pub(crate) fn new(judge: &'s mut Judge<'t>, memory: &'s mut Memory<'a>) -> Self {
        Self { judge, memory, uncounted: 0, trace: &[] }
    }

    /// Appends the item's field; on an error what was appended means nothing.
    pub(crate) fn seal(
        &mut self,
        message: &'static Message,
        body: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Withheld> {
        if !self.may_be(message) {
            return Err(Withheld::Identity);
        }
        Writer::new(out).message_about(CHILDREN, body.len(), |out| {
            self.write(message, body, out)?;
            if let (Some((number, Carrier::MetricMetadata)), 1..) = (message.list, self.uncounted) {
                out.key_int(number, DROPPED, self.uncounted.into());
            }
            Ok(())
        })
    }

    /// Whether all crosses without which there is no such message.
    fn may_be(&self, message: &Message) -> bool {
        message.needs.iter().all(|carrier| self.judge.table.carrier(*carrier) == Form::Raw)
    }

    fn write(&mut self, message: &'static Message, body: &'a [u8], out: &mut Writer<'_>) -> Result<(), Withheld> {
        if self.judge.blinder.is_some() {
            self.trace = trace_of(message, body);
        }
        if let Some((number, _)) = message.list {
            self.memory.attributes.begin(number, body);
        }
        let (mut seen, mut nested, mut dropped) = (0, false, None);
        for field in Fields::new(body) {
            let field = field?;
            let excludes = message.excludes(field.number);
            if seen & excludes != 0 {
                return Err(Withheld::Malformed);
            }
            match (message.field(field.number), field.value) {
                (Field::Dropped(_), Wire::Varint(count)) => once(&mut dropped, count)?,
                // Lists of attributes are written one after the other.
                (Field::One(_) | Field::Each(_), Wire::Bytes(_)) => nested = true,
                (known, _) => self.field(message, known, &field, out)?,
            }
            if excludes != 0 {
                seen |= 1 << field.number;
            }
        }
        self.end_list(message, dropped, out);
        match nested {
            true => self.nested(message, body, out),
            // A metric that came without data crosses only where one with data could.
            false if std::ptr::eq(message, &schema::METRIC) && !message.kinds().any(|kind| self.may_be(kind)) => {
                Err(Withheld::Identity)
            }
            false => Ok(()),
        }
    }

    /// Writes the attributes, what the sender dropped of them, if that may be told, and what was left out here, which
    /// always may.
    fn end_list(&mut self, message: &Message, sent: Option<u64>, out: &mut Writer<'_>) {
        if message.list.is_none() {
            return;
        }
        let withheld = self.memory.attributes.end();
        out.raw(self.memory.attributes.bytes());
        let Some((number, carrier)) = message.dropped else {
            self.uncounted = self.uncounted.saturating_add(withheld);
            return;
        };
        let count = grown(sent.filter(|_| self.judge.passes(carrier, true)), withheld);
        if count > 0 {
            out.varint(number, count);
        }
    }

    fn nested(&mut self, message: &'static Message, body: &'a [u8], out: &mut Writer<'_>) -> Result<(), Withheld> {
        for field in Fields::new(body) {
            let field = field?;
            let (inner, may_go) = match message.field(field.number) {
                Field::One(inner) => (inner, false),
                Field::Each(inner) => (inner, true),
                _ => continue,
            };
            let Wire::Bytes(body) = field.value else { return Err(Withheld::Malformed) };
            if self.may_be(inner) {
                out.message_about(field.number, body.len(), |out| self.write(inner, body, out))?;
            } else if !may_go {
                return Err(Withheld::Identity);
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        message: &Message,
        known: Field,
        field: &Read<'a>,
        out: &mut Writer<'_>,
    ) -> Result<(), Withheld> {
        let number = field.number;
        match (known, field.value) {
            (Field::Number(carrier, encoding), value) => self.number(carrier, encoding, (number, value), out)?,
            (Field::Attributes(carrier @ Carrier::MetricMetadata), Wire::Bytes(attribute))
                if RawAttribute::parse(attribute)?.key == DROPPED.as_bytes() =>
            {
                self.dropped_before(carrier, RawAttribute::parse(attribute)?.value)?;
            }
            (Field::Attributes(carrier), Wire::Bytes(attribute)) => {
                self.memory.attributes.add((field.raw, attribute), carrier, self.judge)?;
            }
            (Field::Text(carrier, spelling), Wire::Bytes(bytes)) => {
                let list = message.list.map(|(_, list)| list);
                return self.text((carrier, list), spelling, (number, text(bytes)?), out);
            }
            (Field::Value(carrier), Wire::Bytes(body)) => {
                let value = ValueView::parse(body)?;
                let list = message.list.map(|(_, list)| list);
                if self.judge.passes_free(carrier, list, value)? {
                    out.message(number, |any| write_any(any, value))?;
                }
            }
            (Field::Id(..), Wire::Bytes([])) => {}
            (Field::Id(carrier, length), Wire::Bytes(id)) if id.len() == length => {
                self.judge.write_id(carrier, (number, id), self.trace, out);
            }
            (Field::Unknown, _) => drop(self.judge.passes(Carrier::Unknown, false)),
            _ => return Err(Withheld::Malformed),
        }
        Ok(())
    }

    /// Adds what a border before this one left out, as a span's count does. A sender may claim it too: it is a number, and
    /// no more of it is told than that.
    fn dropped_before(&mut self, carrier: Carrier, value: &[u8]) -> Result<(), Fault> {
        let crosses = self.judge.table.class(carrier, Class::Op) == Action::Raw;
        let count = match ValueView::parse(value)? {
            ValueView::Int(count) if crosses => u64::try_from(count).ok(),
            _ => None,
        };
        let (class, form) = if count.is_some() { (Class::Op, Form::Raw) } else { (Class::Unclassified, Form::Absent) };
        self.judge.counts.value(class, form);
        let count = count.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX));
        self.uncounted = self.uncounted.saturating_add(count);
        Ok(())
    }

    fn number(
        &mut self,
        carrier: Carrier,
        encoding: Encoding,
        (number, value): (u32, Wire<'_>),
        out: &mut Writer<'_>,
    ) -> Result<(), Fault> {
        let fits = match (encoding, value) {
            (Encoding::Enum(last), Wire::Varint(value)) => value <= last,
            (Encoding::Sint32, Wire::Varint(value)) if u32::try_from(value).is_err() => return Err(Fault::Varint),
            (Encoding::Packed64, Wire::Bytes(packed)) if !packed.len().is_multiple_of(8) => {
                return Err(Fault::Truncated);
            }
            _ => true,
        };
        if !self.judge.passes(carrier, fits) {
            return Ok(());
        }
        match (encoding, value) {
            (Encoding::Fixed64 | Encoding::Packed64, Wire::Fixed64(value)) => out.fixed64(number, value),
            (Encoding::Fixed32Bits(known), Wire::Fixed32(bits)) => out.fixed32(number, bits & known),
            (Encoding::Bits(known), Wire::Varint(bits)) => out.varint(number, bits & known),
            (Encoding::Enum(_) | Encoding::Sint32 | Encoding::PackedVarints, Wire::Varint(value)) => {
                out.varint(number, value)
            }
            (Encoding::Packed64, Wire::Bytes(packed)) => out.bytes(number, packed),
            (Encoding::PackedVarints, Wire::Bytes(packed)) => {
                return out.message_about(number, packed.len(), |out| write_varints(packed, out));
            }
            _ => return Err(Fault::WireType),
        }
        Ok(())
    }

    fn text(
        &mut self,
        (carrier, list): (Carrier, Option<Carrier>),
        spelling: Spelling,
        (number, text): (u32, &str),
        out: &mut Writer<'_>,
    ) -> Result<(), Withheld> {
        if text.is_empty() {
            return Ok(()); // most encoders leave it out altogether
        }
        let is_clean = !self.judge.tells_id(text.as_bytes());
        let passes = match spelling {
            Spelling::Name => self.judge.passes(carrier, is_clean && operational::is_metric_name(text)),
            Spelling::Unit => self.judge.passes(carrier, is_clean && operational::is_unit(text)),
            Spelling::Listed => self.judge.passes(carrier, self.judge.table.lists_event(text)),
            Spelling::Free => self.judge.passes_free(carrier, list, ValueView::String(text))?,
        };
        match spelling {
            _ if passes => out.string(number, text),
            Spelling::Name => return Err(Withheld::Identity),
            Spelling::Listed => out.string(number, PLACEHOLDER),
            Spelling::Unit | Spelling::Free => {}
        }
        Ok(())
    }
}

/// The trace id in a message, if there is one that can be told.
fn trace_of<'a>(message: &Message, body: &'a [u8]) -> &'a [u8] {
    let ids = Fields::new(body).flatten().filter_map(|field| match (message.field(field.number), field.value) {
        (Field::Id(_, 16), Wire::Bytes(id)) => Some(id),
        _ => None,
    });
    ids.last().unwrap_or_default()
}

/// Writes packed numbers anew: padding could hold anything.
fn write_varints(mut packed: &[u8], out: &mut Writer<'_>) -> Result<(), Fault> {
    while !packed.is_empty() {
        let (value, rest) = varint(packed)?;
        out.bare_varint(value);
        packed = rest;
    }
    Ok(())
}
