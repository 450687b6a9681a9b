//! Reads of a span what policies ask for, in one pass over its fields; all the rest is stepped over unread.
//!
//! The walk has checked every byte before: nothing is checked here that this does not need itself.

use tollgate_otlp::Fault;
use tollgate_otlp::wire::{Field, Fields, Wire, delimited};

use super::attribute::{Found, Owner, WatchedKeys};
use crate::summary::{Marks, Summary};

/// The first bytes of fields, as encoders write them.
const START: u8 = 7 << 3 | 1;
const END: u8 = 8 << 3 | 1;
const KIND: u8 = 6 << 3;
const ATTRIBUTE: u8 = 9 << 3 | 2;
/// The wire type of what has a length.
const DELIMITED: u8 = 2;

/// What was seen so far.
#[derive(Default)]
struct Seen {
    start: u64,
    end: u64,
    status: u64,
    found: Found,
}

/// What up to 63 policies look for.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// By status code: the policies that look for it.
    status: [Marks; 3],
    pub(crate) watched: WatchedKeys,
}

impl Look {
    /// Looks for these codes too.
    pub(crate) fn status(&mut self, codes: [bool; 3], mark: Marks) {
        for (looked_for, marks) in codes.into_iter().zip(&mut self.status) {
            if looked_for {
                *marks = marks.with(mark);
            }
        }
    }

    /// What the body of a `Span` message tells of its trace, without its resource.
    pub(crate) fn observe(&self, span: &[u8]) -> Summary {
        let mut seen = Seen::default();
        match self.read(span, &mut seen) {
            Ok(()) => {
                let status = usize::try_from(seen.status).ok().and_then(|code| self.status.get(code));
                let marks = status.copied().unwrap_or_default().with(seen.found.marks);
                Summary { min_start: seen.start, max_end: seen.end, marks, spans: 1 }
            }
            Err(_) => Summary { spans: 1, ..Summary::of_marks(Marks::UNREADABLE) },
        }
    }

    fn read(&self, span: &[u8], seen: &mut Seen) -> Result<(), Fault> {
        let mut rest = span;
        while let Some((first, after)) = rest.split_first() {
            rest = match (*first, after) {
                (ATTRIBUTE, _) => self.attributes(rest, &mut seen.found)?,
                (START, _) => fixed64(after, &mut seen.start)?,
                (END, _) => fixed64(after, &mut seen.end)?,
                (KIND, [0..=0x7f, after @ ..]) => after,
                // Ids and names, with a number and a length of one byte each.
                (0x0a..=0x72, [length @ 0..=0x7f, after @ ..]) if first & 7 == DELIMITED => {
                    after.get(usize::from(*length)..).ok_or(Fault::Truncated)?
                }
                _ => self.field(rest, seen)?,
            };
        }
        Ok(())
    }

    /// Looks at the attributes that stand next, and returns what follows them. Most of a span is attributes: the next field is
    /// one too, as a rule, and asked for nothing else.
    #[inline]
    fn attributes<'a>(&self, mut rest: &'a [u8], found: &mut Found) -> Result<&'a [u8], Fault> {
        while let [ATTRIBUTE, framed @ ..] = rest {
            let (attribute, after) = delimited(framed)?;
            self.watched.look(Owner::Span, attribute, found)?;
            rest = after;
        }
        Ok(rest)
    }

    /// Reads any field and returns what follows it.
    #[inline(never)]
    fn field<'a>(&self, rest: &'a [u8], seen: &mut Seen) -> Result<&'a [u8], Fault> {
        let (field, after) = Field::read(rest)?;
        match (field.number, field.value) {
            (7, Wire::Fixed64(nanos)) => seen.start = nanos,
            (8, Wire::Fixed64(nanos)) => seen.end = nanos,
            (9, Wire::Bytes(attribute)) => self.watched.look(Owner::Span, attribute, &mut seen.found)?,
            (15, Wire::Bytes(status)) => seen.status = status_code(status)?,
            (7..=9 | 15, _) => return Err(Fault::WireType),
            _ => {}
        }
        Ok(after)
    }
}

#[inline]
fn fixed64<'a>(bytes: &'a [u8], into: &mut u64) -> Result<&'a [u8], Fault> {
    let (value, after) = bytes.split_first_chunk().ok_or(Fault::Truncated)?;
    *into = u64::from_le_bytes(*value);
    Ok(after)
}

fn status_code(status: &[u8]) -> Result<u64, Fault> {
    let mut code = 0;
    for field in Fields::new(status) {
        match field? {
            // An enum is the low half of its varint, as every decoder has it.
            Field { number: 3, value: Wire::Varint(value), .. } => code = value & u64::from(u32::MAX),
            Field { number: 3, .. } => return Err(Fault::WireType),
            _ => {}
        }
    }
    Ok(code)
}
