//! Writes one span anew from the fields that may cross.
//!
//! Promises:
//! 1. Total: every field of a span, its events and its links is matched; what is not known is not written.
//! 2. A field that stands twice, or cannot be read, withholds the whole span.
//! 3. What was left out is counted in the span's own dropped counts too.

use tollgate_otlp::wire::{Fields, Wire};
use tollgate_otlp::{Fault, TraceId, Writer};
use tollgate_residency::{Carrier, Form};

use crate::attributes::{Judge, Scratch};
use crate::counts::Withheld;
use crate::once::{grown, once, text};
use crate::{span_name, trace_state};

/// `Span` in `ScopeSpans`.
const SPANS: u32 = 2;
/// `SPAN_KIND_CONSUMER` and `STATUS_CODE_ERROR`: beyond them a number means nothing and could hold anything.
const LAST_KIND: u64 = 5;
const LAST_STATUS: u64 = 2;
/// The W3C flags and the two bits that say whether the context is remote; the rest is reserved.
const KNOWN_FLAGS: u32 = 0x3ff;

/// Memory that is used again from span to span.
#[derive(Default)]
pub(crate) struct Memory<'a> {
    pub(crate) scratch: Scratch<'a>,
    pub(crate) list: Vec<u8>,
    name: String,
    events: Vec<&'a [u8]>,
    links: Vec<&'a [u8]>,
}

/// Seals the spans under one resource and scope.
pub(crate) struct SpanSealer<'s, 'a, 't> {
    pub(crate) judge: &'s mut Judge<'t>,
    pub(crate) memory: &'s mut Memory<'a>,
}

/// What stands once in a span.
#[derive(Default)]
struct Once<'a> {
    trace_id: Option<&'a [u8]>,
    span_id: Option<&'a [u8]>,
    parent_span_id: Option<&'a [u8]>,
    trace_state: Option<&'a str>,
    name: Option<&'a str>,
    kind: Option<u64>,
    start: Option<u64>,
    end: Option<u64>,
    dropped_attributes: Option<u64>,
    dropped_events: Option<u64>,
    dropped_links: Option<u64>,
    status: Option<&'a [u8]>,
    flags: Option<u32>,
    /// Attributes that the first look already left out.
    withheld: u32,
}

impl<'a> SpanSealer<'_, 'a, '_> {
    /// Appends the span's field and returns its trace; on an error what was appended means nothing.
    pub(crate) fn seal(&mut self, body: &'a [u8], out: &mut Vec<u8>) -> Result<TraceId, Withheld> {
        let identity = [Carrier::SpanTraceId, Carrier::SpanId];
        if identity.iter().any(|carrier| self.judge.table.carrier(*carrier) != Form::Raw) {
            return Err(Withheld::Identity);
        }
        self.memory.scratch.clear();
        let malformed = |_: Fault| Withheld::Malformed;
        let span = self.read(body).map_err(malformed)?;
        let trace = span.trace_id.and_then(|id| <[u8; 16]>::try_from(id).ok()).ok_or(Withheld::Malformed)?;
        if span.span_id.is_none_or(|id| id.len() != 8) {
            return Err(Withheld::Malformed);
        }
        Writer::new(out).message(SPANS, |writer| self.write(&span, body, writer)).map_err(malformed)?;
        Ok(TraceId(trace))
    }

    fn read(&mut self, body: &'a [u8]) -> Result<Once<'a>, Fault> {
        let mut span = Once::default();
        self.memory.events.clear();
        self.memory.links.clear();
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (1, Wire::Bytes(id)) => once(&mut span.trace_id, id)?,
                (2, Wire::Bytes(id)) => once(&mut span.span_id, id)?,
                (3, Wire::Bytes(state)) => once(&mut span.trace_state, text(state)?)?,
                (4, Wire::Bytes(id)) => once(&mut span.parent_span_id, id)?,
                (5, Wire::Bytes(name)) => once(&mut span.name, text(name)?)?,
                (6, Wire::Varint(kind)) => once(&mut span.kind, kind)?,
                (7, Wire::Fixed64(nanos)) => once(&mut span.start, nanos)?,
                (8, Wire::Fixed64(nanos)) => once(&mut span.end, nanos)?,
                (9, Wire::Bytes(attribute)) => {
                    span.withheld += self.note((field.raw, attribute), Carrier::SpanAttributes)?
                }
                (10, Wire::Varint(count)) => once(&mut span.dropped_attributes, count)?,
                (12, Wire::Varint(count)) => once(&mut span.dropped_events, count)?,
                (14, Wire::Varint(count)) => once(&mut span.dropped_links, count)?,
                (15, Wire::Bytes(status)) => once(&mut span.status, status)?,
                (16, Wire::Fixed32(flags)) => once(&mut span.flags, flags)?,
                // Events and links are read when they are written.
                (11, Wire::Bytes(event)) => self.memory.events.push(event),
                (13, Wire::Bytes(link)) => self.memory.links.push(link),
                (1..=16, _) => return Err(Fault::WireType),
                _ => self.unknown(),
            }
        }
        Ok(span)
    }

    fn write(&mut self, span: &Once<'a>, body: &'a [u8], out: &mut Writer<'_>) -> Result<(), Fault> {
        let withheld = span.withheld + self.list(9, body)?;
        self.write_identity(span, out)?;
        self.write_name(span.name.unwrap_or_default(), out);
        self.number(Carrier::SpanKind, 6, span.kind.filter(|kind| *kind <= LAST_KIND), out);
        self.time(Carrier::SpanStart, 7, span.start, out);
        self.time(Carrier::SpanEnd, 8, span.end, out);
        out.raw(&self.memory.list);
        self.dropped(Carrier::SpanDropped, 10, span.dropped_attributes, withheld, out);
        let mut events = std::mem::take(&mut self.memory.events);
        events.drain(..).try_for_each(|event| self.event(event, out))?;
        self.memory.events = events;
        self.dropped(Carrier::SpanDropped, 12, span.dropped_events, 0, out);
        let mut lost = 0;
        let mut links = std::mem::take(&mut self.memory.links);
        for link in links.drain(..) {
            lost += u32::from(!self.link(link, out)?);
        }
        self.memory.links = links;
        self.dropped(Carrier::SpanDropped, 14, span.dropped_links, lost, out);
        if let Some(status) = span.status {
            self.status(status, out)?;
        }
        self.flags(Carrier::SpanFlags, 16, span.flags, out);
        Ok(())
    }

    fn write_identity(&mut self, span: &Once<'a>, out: &mut Writer<'_>) -> Result<(), Fault> {
        self.id(Carrier::SpanTraceId, 1, span.trace_id, out);
        self.id(Carrier::SpanId, 2, span.span_id, out);
        self.trace_state(Carrier::SpanTraceState, span.trace_state, out);
        match span.parent_span_id {
            None | Some([]) => {}
            Some(id) if id.len() == 8 => self.id(Carrier::SpanParentId, 4, Some(id), out),
            Some(_) => return Err(Fault::WireType),
        }
        Ok(())
    }

    fn write_name(&mut self, sent: &str, out: &mut Writer<'_>) {
        let own = span_name::compose(self.judge.table, sent, &self.memory.scratch.slots, &mut self.memory.name);
        self.judge.passes(Carrier::SpanName, own);
        // A composed name is made of attributes that crossed, so it may stand even where no sent name could.
        out.string(5, &self.memory.name);
    }

    fn event(&mut self, body: &'a [u8], out: &mut Writer<'_>) -> Result<(), Fault> {
        let (mut time, mut name, mut dropped, mut withheld) = (None, None, None, 0);
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (1, Wire::Fixed64(nanos)) => once(&mut time, nanos)?,
                (2, Wire::Bytes(bytes)) => once(&mut name, text(bytes)?)?,
                (3, Wire::Bytes(attribute)) => {
                    withheld += self.note((field.raw, attribute), Carrier::EventAttributes)?
                }
                (4, Wire::Varint(count)) => once(&mut dropped, count)?,
                (1..=4, _) => return Err(Fault::WireType),
                _ => self.unknown(),
            }
        }
        let withheld = withheld + self.list(3, body)?;
        out.message(11, |event| {
            self.time(Carrier::EventTime, 1, time, event);
            if let Some(name) = name {
                let listed = self.judge.table.lists_event(name);
                let passes = self.judge.passes(Carrier::EventName, listed);
                event.string(2, if passes { name } else { span_name::PLACEHOLDER });
            }
            event.raw(&self.memory.list);
            self.dropped(Carrier::EventDropped, 4, dropped, withheld, event);
        });
        Ok(())
    }

    /// Writes a link; says whether it could, because one without ids is none.
    fn link(&mut self, body: &'a [u8], out: &mut Writer<'_>) -> Result<bool, Fault> {
        let mark = self.judge.counts.mark();
        let (mut trace_id, mut span_id, mut state, mut dropped, mut flags) = (None, None, None, None, None);
        let mut withheld = 0;
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (1, Wire::Bytes(id)) => once(&mut trace_id, id)?,
                (2, Wire::Bytes(id)) => once(&mut span_id, id)?,
                (3, Wire::Bytes(bytes)) => once(&mut state, text(bytes)?)?,
                (4, Wire::Bytes(attribute)) => {
                    withheld += self.note((field.raw, attribute), Carrier::LinkAttributes)?
                }
                (5, Wire::Varint(count)) => once(&mut dropped, count)?,
                (6, Wire::Fixed32(bits)) => once(&mut flags, bits)?,
                (1..=6, _) => return Err(Fault::WireType),
                _ => self.unknown(),
            }
        }
        let withheld = withheld + self.list(4, body)?;
        let good = |id: Option<&[u8]>, length| id.is_some_and(|id| id.len() == length);
        let ids = [Carrier::LinkTraceId, Carrier::LinkSpanId].map(|carrier| self.judge.table.carrier(carrier));
        if ids != [Form::Raw; 2] || !good(trace_id, 16) || !good(span_id, 8) {
            self.judge.counts.put_back(mark);
            return Ok(false);
        }
        out.message(13, |link| {
            self.id(Carrier::LinkTraceId, 1, trace_id, link);
            self.id(Carrier::LinkSpanId, 2, span_id, link);
            self.trace_state(Carrier::LinkTraceState, state, link);
            link.raw(&self.memory.list);
            self.dropped(Carrier::LinkDropped, 5, dropped, withheld, link);
            self.flags(Carrier::LinkFlags, 6, flags, link);
        });
        Ok(true)
    }

    fn status(&mut self, body: &'a [u8], out: &mut Writer<'_>) -> Result<(), Fault> {
        let (mut message, mut code) = (None, None);
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (2, Wire::Bytes(bytes)) => once(&mut message, text(bytes)?)?,
                (3, Wire::Varint(number)) => once(&mut code, number)?,
                (2 | 3, _) => return Err(Fault::WireType),
                _ => self.unknown(),
            }
        }
        out.message(15, |status| {
            if let Some(message) = message
                && self.judge.passes(Carrier::StatusMessage, true)
            {
                status.string(2, message);
            }
            self.number(Carrier::StatusCode, 3, code.filter(|code| *code <= LAST_STATUS), status);
        });
        Ok(())
    }
}

/// The carriers that spans, events and links have in common.
impl<'a> SpanSealer<'_, 'a, '_> {
    /// Notes an attribute; returns how many were left out, one or none.
    fn note(&mut self, attribute: (&'a [u8], &'a [u8]), carrier: Carrier) -> Result<u32, Fault> {
        Ok(u32::from(!self.memory.scratch.note(attribute, carrier, self.judge)?))
    }

    /// Writes the noted attributes to the list in memory, whose place in the message comes later, and returns how many
    /// were left out.
    fn list(&mut self, number: u32, message: &'a [u8]) -> Result<u32, Fault> {
        self.memory.list.clear();
        self.memory.scratch.write(number, message, self.judge, &mut self.memory.list)
    }

    fn unknown(&mut self) {
        self.judge.passes(Carrier::Unknown, false);
    }

    fn id(&mut self, carrier: Carrier, number: u32, id: Option<&[u8]>, out: &mut Writer<'_>) {
        if let Some(id) = id.filter(|_| self.judge.passes(carrier, true)) {
            out.bytes(number, id);
        }
    }

    fn trace_state(&mut self, carrier: Carrier, state: Option<&str>, out: &mut Writer<'_>) {
        let Some(state) = state.filter(|state| !state.is_empty()) else { return };
        let kept = trace_state::opentelemetry(state);
        if self.judge.passes(carrier, kept.is_some()) {
            out.string(3, &kept.unwrap_or_default());
        }
    }

    fn number(&mut self, carrier: Carrier, number: u32, value: Option<u64>, out: &mut Writer<'_>) {
        if let Some(value) = value.filter(|_| self.judge.passes(carrier, true)) {
            out.varint(number, value);
        }
    }

    fn time(&mut self, carrier: Carrier, number: u32, nanos: Option<u64>, out: &mut Writer<'_>) {
        if let Some(nanos) = nanos.filter(|_| self.judge.passes(carrier, true)) {
            out.fixed64(number, nanos);
        }
    }

    fn flags(&mut self, carrier: Carrier, number: u32, flags: Option<u32>, out: &mut Writer<'_>) {
        if let Some(flags) = flags.filter(|_| self.judge.passes(carrier, true)) {
            out.fixed32(number, flags & KNOWN_FLAGS);
        }
    }

    /// Writes what the sender dropped, if that may be told, and what was left out here, which always may.
    fn dropped(&mut self, carrier: Carrier, number: u32, sent: Option<u64>, more: u32, out: &mut Writer<'_>) {
        let sent = sent.filter(|_| self.judge.passes(carrier, true));
        let count = grown(sent, more);
        if count > 0 {
            out.varint(number, count);
        }
    }
}
