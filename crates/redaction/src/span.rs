//! Writes one span anew from the fields that may cross.
//!
//! Promises:
//! 1. Total: every field of a span, its events and its links is matched; what is not known is not written.
//! 2. A field that stands twice, or cannot be read, withholds the whole span.
//! 3. What was left out is counted in the span's own dropped counts too.

use tollgate_otlp::wire::{Field, Fields, Wire};
use tollgate_otlp::{Fault, ValueView, Writer};
use tollgate_residency::{Carrier, Class, Form};

use crate::attributes::Attributes;
use crate::counts::Withheld;
use crate::once::{check_text, grown, once, text};
use crate::plain::{Parent, Plain};
use crate::span_name::{Name, Names, PLACEHOLDER};
use crate::trace_state;
use crate::value::Judge;

/// `Span` in `ScopeSpans`.
const SPANS: u32 = 2;
/// `SPAN_KIND_CONSUMER` and `STATUS_CODE_ERROR`: beyond them a number means nothing and could hold anything.
pub(crate) const LAST_KIND: u8 = 5;
const LAST_STATUS: u64 = 2;
/// The W3C flags and the two bits that say whether the context is remote; the rest is reserved.
const KNOWN_FLAGS: u32 = 0x3ff;

/// Memory that is used again from span to span.
#[derive(Default)]
pub(crate) struct Memory<'a> {
    pub(crate) attributes: Attributes<'a>,
    /// The keys of the resource before, as far as none of them marks a device.
    pub(crate) unmarked: Vec<&'a [u8]>,
    names: Names,
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
    /// What was read at one go and may be copied. Then it is not among the fields below.
    plain: Option<Plain<'a>>,
    trace_id: Option<&'a [u8]>,
    span_id: Option<&'a [u8]>,
    parent_span_id: Option<&'a [u8]>,
    trace_state: Option<&'a str>,
    name: Option<&'a [u8]>,
    kind: Option<u64>,
    start: Option<u64>,
    end: Option<u64>,
    dropped_attributes: Option<u64>,
    dropped_events: Option<u64>,
    dropped_links: Option<u64>,
    status: Option<&'a [u8]>,
    flags: Option<u32>,
    /// Attributes that were left out.
    withheld: u32,
}

impl<'a> Once<'a> {
    /// The trace's id, if both ids are as long as they must be.
    fn identity(&self) -> Option<&'a [u8; 16]> {
        match self.plain {
            Some(plain) => Some(plain.trace_id),
            None => self.trace_id?.try_into().ok().filter(|_| self.span_id.is_some_and(|id| id.len() == 8)),
        }
    }
}

impl<'a> SpanSealer<'_, 'a, '_> {
    /// Appends the span's field and returns its trace as it came; on an error what was appended means nothing.
    pub(crate) fn seal(&mut self, body: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8; 16], Withheld> {
        let identity = [Carrier::SpanTraceId, Carrier::SpanId];
        let form = self.form_of(identity).ok_or(Withheld::Identity)?;
        let malformed = |_: Fault| Withheld::Malformed;
        let plain = if self.judge.heads_cross { Plain::take(body) } else { None };
        let (plain, rest) = plain.map_or((None, body), |(plain, rest)| (Some(plain), rest));
        let mut span = Once { plain, ..Once::default() };
        self.memory.attributes.begin(9, body);
        self.read(rest, &mut span).map_err(malformed)?;
        let trace = span.identity().ok_or(Withheld::Malformed)?;
        if form == Form::Keyed && self.judge.ids().is_none() {
            return Err(Withheld::KeyMissing);
        }
        // As a rule a little less crosses than came.
        Writer::new(out).message_about(SPANS, body.len(), |writer| self.write(&span, writer)).map_err(malformed)?;
        Ok(trace)
    }

    /// The form in which two ids cross that tell nothing without each other.
    fn form_of(&self, carriers: [Carrier; 2]) -> Option<Form> {
        let [one, other] = carriers.map(|carrier| self.judge.table.carrier(carrier));
        (one == other && matches!(one, Form::Raw | Form::Keyed)).then_some(one)
    }

    fn read(&mut self, mut rest: &'a [u8], span: &mut Once<'a>) -> Result<(), Fault> {
        self.memory.events.clear();
        self.memory.links.clear();
        loop {
            rest = self.memory.attributes.add_next(rest, self.judge)?;
            let mut fields = Fields::new(rest);
            let Some(field) = fields.next() else { break };
            self.field(field?, span)?;
            rest = fields.rest();
        }
        span.withheld = self.memory.attributes.end();
        // A trace state or a parent behind all that belongs before it.
        let late = span.plain.take_if(|_| span.trace_state.is_some() || span.parent_span_id.is_some());
        late.map_or(Ok(()), |plain| Fields::new(plain.head).try_for_each(|field| self.field(field?, span)))
    }

    fn field(&mut self, field: Field<'a>, span: &mut Once<'a>) -> Result<(), Fault> {
        if span.plain.is_some_and(|plain| plain.holds(field.number)) {
            return Err(Fault::Duplicate);
        }
        match (field.number, field.value) {
            (1, Wire::Bytes(id)) => once(&mut span.trace_id, id),
            (2, Wire::Bytes(id)) => once(&mut span.span_id, id),
            (3, Wire::Bytes(state)) => once(&mut span.trace_state, text(state)?),
            (4, Wire::Bytes(id)) => once(&mut span.parent_span_id, id),
            (5, Wire::Bytes(name)) => once(&mut span.name, name),
            (6, Wire::Varint(kind)) => once(&mut span.kind, kind),
            (7, Wire::Fixed64(nanos)) => once(&mut span.start, nanos),
            (8, Wire::Fixed64(nanos)) => once(&mut span.end, nanos),
            (9, Wire::Bytes(attribute)) => self.attribute((field.raw, attribute), Carrier::SpanAttributes),
            (10, Wire::Varint(count)) => once(&mut span.dropped_attributes, count),
            (12, Wire::Varint(count)) => once(&mut span.dropped_events, count),
            (14, Wire::Varint(count)) => once(&mut span.dropped_links, count),
            (15, Wire::Bytes(status)) => once(&mut span.status, status),
            (16, Wire::Fixed32(flags)) => once(&mut span.flags, flags),
            // Events and links are read when they are written.
            (11, Wire::Bytes(event)) => {
                self.memory.events.push(event);
                Ok(())
            }
            (13, Wire::Bytes(link)) => {
                self.memory.links.push(link);
                Ok(())
            }
            (1..=16, _) => Err(Fault::WireType),
            _ => {
                self.unknown();
                Ok(())
            }
        }
    }

    fn write(&mut self, span: &Once<'a>, out: &mut Writer<'_>) -> Result<(), Fault> {
        match span.plain {
            Some(plain) => self.copy_head(plain, out)?,
            None => self.write_head(span, out)?,
        }
        out.raw(self.memory.attributes.bytes());
        self.dropped(Carrier::SpanDropped, 10, span.dropped_attributes, span.withheld, out);
        self.events(out)?;
        self.dropped(Carrier::SpanDropped, 12, span.dropped_events, 0, out);
        let lost = self.links(out)?;
        self.dropped(Carrier::SpanDropped, 14, span.dropped_links, lost, out);
        if let Some(status) = span.status {
            self.status(status, out)?;
        }
        self.flags(Carrier::SpanFlags, 16, span.flags, out);
        Ok(())
    }

    fn copy_head(&mut self, plain: Plain<'a>, out: &mut Writer<'_>) -> Result<(), Fault> {
        match self.choose_name(plain.name)? {
            Name::Own => out.raw(plain.head),
            Name::Other => {
                out.raw(plain.ids);
                out.bytes(5, &self.memory.names.other);
                out.raw(plain.course());
            }
        }
        Plain::IDS.into_iter().for_each(|carrier| self.judge.counts.crossed(carrier));
        if plain.parent == Parent::Named {
            self.judge.counts.crossed(Carrier::SpanParentId);
        }
        Plain::COURSE.into_iter().for_each(|carrier| self.judge.counts.crossed(carrier));
        Ok(())
    }

    fn write_head(&mut self, span: &Once<'a>, out: &mut Writer<'_>) -> Result<(), Fault> {
        self.write_identity(span, out)?;
        self.write_name(span.name.unwrap_or_default(), out)?;
        self.number(Carrier::SpanKind, 6, span.kind.filter(|kind| *kind <= LAST_KIND.into()), out);
        self.time(Carrier::SpanStart, 7, span.start, out);
        self.time(Carrier::SpanEnd, 8, span.end, out);
        Ok(())
    }

    fn write_identity(&mut self, span: &Once<'a>, out: &mut Writer<'_>) -> Result<(), Fault> {
        let trace = span.trace_id.unwrap_or_default();
        self.id(Carrier::SpanTraceId, (1, trace), trace, out);
        self.id(Carrier::SpanId, (2, span.span_id.unwrap_or_default()), trace, out);
        self.trace_state(Carrier::SpanTraceState, span.trace_state, trace, out);
        match span.parent_span_id {
            None | Some([]) => {}
            Some(id) if id.len() == 8 => self.id(Carrier::SpanParentId, (4, id), trace, out),
            Some(_) => return Err(Fault::WireType),
        }
        Ok(())
    }

    fn write_name(&mut self, sent: &[u8], out: &mut Writer<'_>) -> Result<(), Fault> {
        let name = self.choose_name(sent)?;
        // A composed name is made of attributes that crossed, so it may stand even where no sent name could.
        out.bytes(5, if name == Name::Own { sent } else { &self.memory.names.other });
        Ok(())
    }

    fn choose_name(&mut self, sent: &[u8]) -> Result<Name, Fault> {
        check_text(sent)?;
        let name = self.memory.names.choose(self.judge.table, sent, self.memory.attributes.slots());
        self.judge.passes(Carrier::SpanName, name == Name::Own);
        Ok(name)
    }

    #[inline]
    fn events(&mut self, out: &mut Writer<'_>) -> Result<(), Fault> {
        if self.memory.events.is_empty() {
            return Ok(());
        }
        let mut events = std::mem::take(&mut self.memory.events);
        events.drain(..).try_for_each(|event| self.event(event, out))?;
        self.memory.events = events;
        Ok(())
    }

    /// Writes the links that can be, and returns how many cannot.
    #[inline]
    fn links(&mut self, out: &mut Writer<'_>) -> Result<u32, Fault> {
        if self.memory.links.is_empty() {
            return Ok(0);
        }
        let (mut lost, mut links) = (0, std::mem::take(&mut self.memory.links));
        for link in links.drain(..) {
            lost += u32::from(!self.link(link, out)?);
        }
        self.memory.links = links;
        Ok(lost)
    }

    fn event(&mut self, body: &'a [u8], out: &mut Writer<'_>) -> Result<(), Fault> {
        let (mut time, mut name, mut dropped) = (None, None, None);
        self.memory.attributes.begin(3, body);
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (1, Wire::Fixed64(nanos)) => once(&mut time, nanos)?,
                (2, Wire::Bytes(bytes)) => once(&mut name, text(bytes)?)?,
                (3, Wire::Bytes(attribute)) => self.attribute((field.raw, attribute), Carrier::EventAttributes)?,
                (4, Wire::Varint(count)) => once(&mut dropped, count)?,
                (1..=4, _) => return Err(Fault::WireType),
                _ => self.unknown(),
            }
        }
        let withheld = self.memory.attributes.end();
        out.message(11, |event| {
            self.time(Carrier::EventTime, 1, time, event);
            if let Some(name) = name {
                let listed = self.judge.table.lists_event(name);
                let passes = self.judge.passes(Carrier::EventName, listed);
                event.string(2, if passes { name } else { PLACEHOLDER });
            }
            event.raw(self.memory.attributes.bytes());
            self.dropped(Carrier::EventDropped, 4, dropped, withheld, event);
        });
        Ok(())
    }

    /// Writes a link; says whether it could, because one without ids is none.
    fn link(&mut self, body: &'a [u8], out: &mut Writer<'_>) -> Result<bool, Fault> {
        let mark = self.judge.counts.mark();
        let (mut trace_id, mut span_id, mut state, mut dropped, mut flags) = (None, None, None, None, None);
        self.memory.attributes.begin(4, body);
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (1, Wire::Bytes(id)) => once(&mut trace_id, id)?,
                (2, Wire::Bytes(id)) => once(&mut span_id, id)?,
                (3, Wire::Bytes(bytes)) => once(&mut state, text(bytes)?)?,
                (4, Wire::Bytes(attribute)) => self.attribute((field.raw, attribute), Carrier::LinkAttributes)?,
                (5, Wire::Varint(count)) => once(&mut dropped, count)?,
                (6, Wire::Fixed32(bits)) => once(&mut flags, bits)?,
                (1..=6, _) => return Err(Fault::WireType),
                _ => self.unknown(),
            }
        }
        let withheld = self.memory.attributes.end();
        let [trace, span] = [trace_id, span_id].map(Option::unwrap_or_default);
        let form = self.form_of([Carrier::LinkTraceId, Carrier::LinkSpanId]);
        if form.is_none() || trace.len() != 16 || span.len() != 8 {
            self.judge.counts.put_back(mark);
            return Ok(false);
        }
        out.message(13, |link| {
            self.id(Carrier::LinkTraceId, (1, trace), trace, link);
            self.id(Carrier::LinkSpanId, (2, span), trace, link);
            self.trace_state(Carrier::LinkTraceState, state, trace, link);
            link.raw(self.memory.attributes.bytes());
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
            if let Some(message) = message {
                let (list, text) = (Some(Carrier::SpanAttributes), ValueView::String(message));
                if self.judge.passes_free(Carrier::StatusMessage, list, text)? {
                    status.string(2, message);
                }
            }
            self.number(Carrier::StatusCode, 3, code.filter(|code| *code <= LAST_STATUS), status);
            Ok(())
        })
    }
}

/// The carriers that spans, events and links have in common.
impl<'a> SpanSealer<'_, 'a, '_> {
    #[inline]
    fn attribute(&mut self, attribute: (&'a [u8], &'a [u8]), carrier: Carrier) -> Result<(), Fault> {
        self.memory.attributes.add(attribute, carrier, self.judge)
    }

    fn unknown(&mut self) {
        self.judge.passes(Carrier::Unknown, false);
    }

    fn id(&mut self, carrier: Carrier, id: (u32, &[u8]), trace: &[u8], out: &mut Writer<'_>) {
        self.judge.write_id(carrier, id, trace, out);
    }

    fn trace_state(&mut self, carrier: Carrier, state: Option<&str>, trace: &[u8], out: &mut Writer<'_>) {
        if self.judge.table.carrier(carrier) == Form::Keyed {
            return self.blinded_state(carrier, state.unwrap_or_default(), trace, out);
        }
        let Some(state) = state.filter(|state| !state.is_empty()) else { return };
        let kept = trace_state::opentelemetry(state);
        if self.judge.passes(carrier, kept.is_some()) {
            out.string(3, &kept.unwrap_or_default());
        }
    }

    /// A link without a trace state goes without; a span's sampling hangs on it.
    #[cold]
    fn blinded_state(&mut self, carrier: Carrier, state: &str, trace: &[u8], out: &mut Writer<'_>) {
        let writes = carrier == Carrier::SpanTraceState || trace_state::opentelemetry(state).is_some();
        let ids = trace.try_into().ok().filter(|_| writes).zip(self.judge.ids());
        let kept = ids.map(|(raw, ids)| trace_state::blinded(state, trace_state::Ids { raw, blinded: ids.trace(raw) }));
        match kept {
            Some(kept) => {
                self.judge.counts.value(Class::Corr, Form::Keyed);
                out.string(3, &kept);
            }
            None if state.is_empty() => {}
            None => drop(self.judge.passes(carrier, false)),
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
    #[inline]
    fn dropped(&mut self, carrier: Carrier, number: u32, sent: Option<u64>, more: u32, out: &mut Writer<'_>) {
        if sent.is_some() || more > 0 {
            self.write_dropped(carrier, number, (sent, more), out);
        }
    }

    fn write_dropped(&mut self, carrier: Carrier, number: u32, (sent, more): (Option<u64>, u32), out: &mut Writer<'_>) {
        let sent = sent.filter(|_| self.judge.passes(carrier, true));
        let count = grown(sent, more);
        if count > 0 {
            out.varint(number, count);
        }
    }
}
