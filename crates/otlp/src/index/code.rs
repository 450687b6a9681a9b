//! An index as bytes: what a spool record carries beside its payload.
//!
//! Varints throughout. Groups stand in order, each with its children behind it. Every start is the gap to the end of
//! the range of its kind before it, so ranges of one kind (resource headers, scope headers, items) cannot overlap: even
//! a damaged index copies no byte of the payload more than three times. An item as SDKs write it takes three bytes.

use std::ops::Range;

use super::{Bounds, Entry, Group, Index, Level, Slice, narrow};
use crate::{Fault, Writer, wire};

const VERSION: u64 = 1;

/// The trace id is the item's first field, behind its tag and length.
const TRACE_FIRST: u32 = 2;
const TRACE_BYTES: u64 = 16;

/// What the low two bits of an item's gap say of its shape.
const SHAPE_TRACE_FIRST: u64 = 0;
const SHAPE_NO_TRACE: u64 = 1;
const SHAPE_STATED: u64 = 2;

impl Index {
    /// Appends the encoded index.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut encoder = Encoder(Writer::new(out));
        let mut ends = Ends::default();
        encoder.0.bare_varint(VERSION);
        encoder.0.bare_varint(self.resources.groups.len() as u64);
        for number in 0..self.resources.groups.len() {
            for number in encoder.group(&self.resources.bounds(number), &mut ends.resource) {
                let items = encoder.group(&self.scopes.bounds(number), &mut ends.scope);
                for entry in self.items.get(items).unwrap_or_default() {
                    encoder.item(entry, &mut ends.item);
                }
            }
        }
    }

    /// Reads an encoded index of a payload of this length.
    ///
    /// # Errors
    /// [`Fault::Index`] if it is not one, or a range lies outside the payload.
    pub fn decode(bytes: &[u8], payload_len: usize) -> Result<Self, Fault> {
        let payload = u32::try_from(payload_len).map_err(|_| Fault::Index)?;
        let mut decoder = Decoder { rest: bytes, payload };
        let mut ends = Ends::default();
        if decoder.number()? != VERSION {
            return Err(Fault::Index);
        }
        let mut index = Self::default();
        for _ in 0..decoder.count()? {
            for _ in 0..decoder.group(&mut index.resources, &mut ends.resource)? {
                let items = decoder.group(&mut index.scopes, &mut ends.scope)?;
                index.items.reserve(items as usize);
                for _ in 0..items {
                    index.items.push(decoder.item(&mut ends.item)?);
                }
            }
        }
        if decoder.rest.is_empty() { Ok(index) } else { Err(Fault::Index) }
    }
}

/// Where the last range of each kind ended.
#[derive(Default)]
struct Ends {
    resource: u32,
    scope: u32,
    item: u32,
}

struct Encoder<'a>(Writer<'a>);

impl Encoder<'_> {
    /// Writes one group's ranges and the number of its children, and returns which those are.
    fn group(&mut self, bounds: &Bounds<'_>, end: &mut u32) -> Range<usize> {
        let Self(out) = self;
        out.bare_varint(bounds.headers.len() as u64);
        for header in bounds.headers {
            out.bare_varint(gap(*end, header.start));
            out.bare_varint(header.len() as u64);
            *end = header.end;
        }
        let first = bounds.headers.first().map_or(0, |header| header.start);
        for part in [bounds.message, bounds.schema_url] {
            out.bare_varint(part.len() as u64);
            if part.len() > 0 {
                out.bare_varint(gap(first, part.start));
            }
        }
        out.bare_varint(bounds.children().len() as u64);
        bounds.children()
    }

    fn item(&mut self, entry: &Entry, end: &mut u32) {
        let Self(out) = self;
        let length = gap(entry.body, entry.end);
        let head = gap(entry.start, entry.body);
        let shape = match entry.trace.checked_sub(entry.body) {
            _ if head != head_len(length) => SHAPE_STATED,
            Some(TRACE_FIRST) => SHAPE_TRACE_FIRST,
            None if entry.trace == 0 => SHAPE_NO_TRACE,
            _ => SHAPE_STATED,
        };
        out.bare_varint(gap(*end, entry.start) << 2 | shape);
        out.bare_varint(length);
        if shape == SHAPE_STATED {
            out.bare_varint(head);
            out.bare_varint(gap(entry.body, entry.trace));
        }
        *end = entry.end;
    }
}

struct Decoder<'a> {
    rest: &'a [u8],
    payload: u32,
}

impl Decoder<'_> {
    /// Reads one group and returns how many children follow it.
    fn group(&mut self, level: &mut Level, end: &mut u32) -> Result<u32, Fault> {
        let mut first = None;
        for _ in 0..self.count()? {
            let start = self.offset(*end)?;
            *end = self.offset(start)?;
            first.get_or_insert(start);
            level.headers.push(Slice { start, end: *end });
        }
        let message = self.part(first, *end)?;
        let schema_url = self.part(first, *end)?;
        let children = self.count()?;
        let before = level.groups.last().map_or(0, |group| group.children_end);
        level.groups.push(Group {
            headers_end: narrow(level.headers.len()),
            children_end: before.checked_add(children).ok_or(Fault::Index)?,
            message,
            schema_url,
        });
        Ok(children)
    }

    /// Reads a range inside a group's headers, which lie between `first` and `last`.
    fn part(&mut self, first: Option<u32>, last: u32) -> Result<Slice, Fault> {
        let length = self.number()?;
        if length == 0 {
            return Ok(Slice::default());
        }
        let start = self.offset(first.ok_or(Fault::Index)?)?;
        let end = self.beyond(start, length)?;
        if end <= last { Ok(Slice { start, end }) } else { Err(Fault::Index) }
    }

    #[inline]
    fn item(&mut self, last: &mut u32) -> Result<Entry, Fault> {
        match self.usual_item(*last) {
            Some(entry) => {
                *last = entry.end;
                Ok(entry)
            }
            None => self.any_item(last),
        }
    }

    /// An item as SDKs write it, right behind the one before it: its three bytes at once, where it ends, and no more.
    /// Anything else, also what is broken, is `None` and left to the general way to judge.
    #[inline]
    fn usual_item(&mut self, last: u32) -> Option<Entry> {
        let [0, low @ 0x80..=0xff, high @ 0x01..=0x7f, rest @ ..] = self.rest else { return None };
        let length = u32::from(low & 0x7f) | u32::from(*high) << 7;
        let body = last.checked_add(1 + 2)?;
        let end = body.checked_add(length).filter(|end| *end <= self.payload)?;
        self.rest = rest;
        // So long an item has room for its trace id.
        Some(Entry { start: last, body, end, trace: body + TRACE_FIRST })
    }

    fn any_item(&mut self, last: &mut u32) -> Result<Entry, Fault> {
        let tagged = self.number()?;
        let (shape, length) = (tagged & 3, self.number()?);
        let start = self.beyond(*last, tagged >> 2)?;
        let head = if shape == SHAPE_STATED { self.number()? } else { head_len(length) };
        let body = self.beyond(start, head)?;
        let end = self.beyond(body, length)?;
        let trace = match shape {
            SHAPE_TRACE_FIRST => self.beyond(body, TRACE_FIRST.into())?,
            SHAPE_NO_TRACE => 0,
            SHAPE_STATED => match self.number()? {
                0 => 0,
                at => self.beyond(body, at)?,
            },
            _ => return Err(Fault::Index),
        };
        if trace != 0 && self.beyond(trace, TRACE_BYTES)? > end {
            return Err(Fault::Index);
        }
        *last = end;
        Ok(Entry { start, body, end, trace })
    }

    fn number(&mut self) -> Result<u64, Fault> {
        let (number, rest) = wire::varint(self.rest).map_err(|_| Fault::Index)?;
        self.rest = rest;
        Ok(number)
    }

    /// Reads how many elements follow. Each takes at least one byte, so what is left bounds what is allocated.
    fn count(&mut self) -> Result<u32, Fault> {
        let count = self.number()?;
        if count > self.rest.len() as u64 {
            return Err(Fault::Index);
        }
        u32::try_from(count).map_err(|_| Fault::Index)
    }

    fn offset(&mut self, from: u32) -> Result<u32, Fault> {
        let gap = self.number()?;
        self.beyond(from, gap)
    }

    /// The offset that lies `gap` behind `from`, if the payload reaches that far.
    fn beyond(&self, from: u32, gap: u64) -> Result<u32, Fault> {
        u64::from(from)
            .checked_add(gap)
            .and_then(|offset| u32::try_from(offset).ok())
            .filter(|offset| *offset <= self.payload)
            .ok_or(Fault::Index)
    }
}

/// The tag and length of an item as every encoder writes them.
fn head_len(body: u64) -> u64 {
    1 + wire::varint_len(body) as u64
}

fn gap(from: u32, to: u32) -> u64 {
    u64::from(to.saturating_sub(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One resource without headers, one scope with one header of five bytes, and one item behind it.
    fn encoded(message: &[u8], item: &[u8]) -> Vec<u8> {
        let resource = [1, 1, 0, 0, 0, 1];
        let scope = [1, 0, 5];
        [&resource[..], &scope, message, &[0, 1], item].concat()
    }

    const PAYLOAD: usize = 5 + 2 + 20;
    const MESSAGE: [u8; 2] = [3, 2];
    /// Twenty bytes right behind the header, the trace id first.
    const ITEM: [u8; 2] = [5 << 2, 20];

    #[test]
    fn well_formed_index_is_read() {
        let index = Index::decode(&encoded(&MESSAGE, &ITEM), PAYLOAD).unwrap();
        assert_eq!(index.items, [Entry { start: 5, body: 7, end: 27, trace: 9 }]);
        assert_eq!(index.scopes.bounds(0).message, Slice { start: 2, end: 5 });
    }

    #[test]
    fn usual_item_is_read_as_any_is() {
        let payload = 5 + 3 + 300;
        for (item, length) in [([0xac, 0x02], 300), ([0x80, 0x01], 128), ([0x94, 0x00], 20)] {
            let bytes = [0, item[0], item[1]];
            let mut decoder = Decoder { rest: &bytes, payload };
            let read = (decoder.item(&mut 5), decoder.rest.len());
            let (mut general, mut end) = (Decoder { rest: &bytes, payload }, 5);
            assert_eq!(read, (general.any_item(&mut end), 0));
            assert_eq!(read.0.map(|entry| entry.end - entry.body), Ok(length));
            let mut short = Decoder { rest: &bytes, payload: end - 1 };
            assert_eq!(short.item(&mut 5), Err(Fault::Index));
        }
    }

    #[test]
    fn trace_id_must_lie_inside_its_item() {
        // Of 17 bytes, the first two are the tag and length: one is missing.
        assert_eq!(Index::decode(&encoded(&MESSAGE, &[5 << 2, 17]), PAYLOAD), Err(Fault::Index));
        let stated = |trace| [5 << 2 | 2, 20, 2, trace];
        assert!(Index::decode(&encoded(&MESSAGE, &stated(4)), PAYLOAD).is_ok());
        assert_eq!(Index::decode(&encoded(&MESSAGE, &stated(5)), PAYLOAD + 9), Err(Fault::Index));
    }

    #[test]
    fn message_must_lie_inside_its_headers() {
        assert_eq!(Index::decode(&encoded(&[4, 2], &ITEM), PAYLOAD), Err(Fault::Index));
    }

    #[test]
    fn nothing_may_follow_and_the_version_must_be_known() {
        let mut bytes = encoded(&MESSAGE, &ITEM);
        bytes.push(0);
        assert_eq!(Index::decode(&bytes, PAYLOAD), Err(Fault::Index));
        bytes.pop();
        bytes[0] = 2;
        assert_eq!(Index::decode(&bytes, PAYLOAD), Err(Fault::Index));
    }
}
