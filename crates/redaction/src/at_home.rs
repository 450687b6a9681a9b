//! Blinds the ids of spans that stay in their region, and leaves everything else as it is: they are joined with others'
//! spans, whose ids were blinded on their way there.
//!
//! Promises:
//! 1. An id is the one that sealing would write, and so is the randomness of a trace.
//! 2. No id goes as it came: without a key nothing is written, and a span or a link that cannot be read is left out.

use tollgate_otlp::wire::{Fields, Wire};
use tollgate_otlp::{Batch, Writer, select};
use tollgate_residency::Keyed;

use crate::blind::{Blinder, Derived};
use crate::keys::Keys;
use crate::once::grown;
use crate::trace_state::{self, Ids};

/// Blinds requests of spans.
pub struct AtHome(Blinder);

impl AtHome {
    /// Takes what the policy says of the key.
    #[must_use]
    pub fn new(keyed: Keyed) -> Self {
        Self(Blinder::new(keyed))
    }

    /// Forgets all that was derived if a root has come or gone since.
    pub fn refresh(&mut self, keys: &dyn Keys) {
        self.0.refresh(keys);
    }

    /// Writes the spans of a request that arrived then, in nanoseconds since the Unix epoch; none if the key is not here.
    pub fn request(&mut self, batch: Batch<'_>, arrival: u64, keys: &dyn Keys) -> Option<Vec<u8>> {
        self.refresh(keys);
        let ids = self.0.at(arrival, keys)?;
        // What was refused at the door is not among the items, and may still lie between them.
        let (mut whole, mut out) = (Vec::new(), Vec::new());
        select(batch, |_| true, &mut whole);
        let mut scope = |body: &[u8], out: &mut Vec<u8>| each(body, 2, out, &mut |body, out| span(body, ids, out));
        let mut resource = |body: &[u8], out: &mut Vec<u8>| each(body, 2, out, &mut scope);
        each(&whole, 1, &mut out, &mut resource)?;
        Some(out)
    }
}

/// Writes one message of a kind anew, or says that it cannot.
type Write<'w> = &'w mut dyn FnMut(&[u8], &mut Vec<u8>) -> Option<()>;

/// Writes all messages of a number anew, and copies the rest.
fn each(body: &[u8], number: u32, out: &mut Vec<u8>, write: Write<'_>) -> Option<()> {
    let mut anew = Vec::new();
    for field in Fields::new(body) {
        let field = field.ok()?;
        match field.value {
            Wire::Bytes(body) if field.number == number => {
                anew.clear();
                if write(body, &mut anew).is_some() {
                    Writer::new(out).bytes(number, &anew);
                }
            }
            _ => out.extend_from_slice(field.raw),
        }
    }
    Some(())
}

/// What is told of a span or of a link by the numbers of its fields, which are the same in both but for the parent.
#[derive(Default)]
struct Head<'a> {
    trace: Option<[u8; 16]>,
    span: Option<[u8; 8]>,
    state: &'a str,
}

impl<'a> Head<'a> {
    fn read(body: &'a [u8]) -> Option<Self> {
        let mut head = Self::default();
        for field in Fields::new(body) {
            let field = field.ok()?;
            match (field.number, field.value) {
                (1, Wire::Bytes(id)) => head.trace = Some(id.try_into().ok()?),
                (2, Wire::Bytes(id)) => head.span = Some(id.try_into().ok()?),
                (3, Wire::Bytes(state)) => head.state = std::str::from_utf8(state).ok()?,
                _ => {}
            }
        }
        Some(head)
    }

    /// Writes both ids, and the state if sampling hangs on it or it was there; returns the trace's id as it came.
    fn write(&self, ids: &mut Derived, whose: Whose, out: &mut Writer<'_>) -> Option<[u8; 16]> {
        let (raw, span) = (self.trace?, self.span?);
        let blinded = ids.trace(raw);
        out.bytes(1, &blinded);
        out.bytes(2, &ids.span(raw, span));
        if whose == Whose::Span || trace_state::opentelemetry(self.state).is_some() {
            out.string(3, &trace_state::blinded_at_home(self.state, Ids { raw, blinded }));
        } else if !self.state.is_empty() {
            out.string(3, self.state);
        }
        Some(raw)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Span,
    Link,
}

fn span(body: &[u8], ids: &mut Derived, out: &mut Vec<u8>) -> Option<()> {
    let mut out = Writer::new(out);
    let trace = Head::read(body)?.write(ids, Whose::Span, &mut out)?;
    let (mut dropped, mut lost, mut anew) = (None, 0, Vec::new());
    for field in Fields::new(body) {
        let field = field.ok()?;
        match (field.number, field.value) {
            (1..=3, _) | (4, Wire::Bytes([])) => {}
            (4, Wire::Bytes(parent)) => out.bytes(4, &ids.span(trace, parent.try_into().ok()?)),
            (13, Wire::Bytes(body)) => {
                anew.clear();
                match link(body, ids, &mut anew) {
                    Some(()) => out.bytes(13, &anew),
                    None => lost += 1,
                }
            }
            (14, Wire::Varint(count)) => dropped = Some(count),
            _ => out.raw(field.raw),
        }
    }
    let dropped = grown(dropped, lost);
    if dropped > 0 {
        out.varint(14, dropped);
    }
    Some(())
}

fn link(body: &[u8], ids: &mut Derived, out: &mut Vec<u8>) -> Option<()> {
    let mut out = Writer::new(out);
    Head::read(body)?.write(ids, Whose::Link, &mut out)?;
    for field in Fields::new(body) {
        let field = field.ok()?;
        if field.number > 3 {
            out.raw(field.raw);
        }
    }
    Some(())
}
