//! Checks one message body against its table, whole and once.
//!
//! Promises:
//! 1. Every field is wire-checked; a known one has the right wire type, stands once where it must, its strings are
//!    UTF-8, its ids have the right length, and its messages are checked in turn.
//! 2. Recursion is bounded by [`Limits::depth`]; attributes are counted; nothing allocates.
//! 3. The straight path accepts only what the general path accepts.
//!
//! `inline(always)` stands where the walk was measured: left to itself the compiler calls, and a third of all
//! instructions are spills around those calls.

use crate::{
    Fault, ItemFault, Limits,
    schema::{KEY_VALUE, Kind, LOG_RECORD, METRIC, Message, SPAN, Slot},
    utf8,
    wire::{Layout, delimited, tag, varint},
};

/// Checks the messages of one request, one after the other.
pub(crate) struct Checker {
    depth: usize,
    key_bytes: usize,
    attributes_per_item: usize,
    attributes_left: usize,
}

impl Checker {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            depth: limits.depth.min(Limits::MAX_DEPTH),
            key_bytes: limits.key_bytes,
            attributes_per_item: limits.attributes_per_item,
            attributes_left: 0,
        }
    }

    /// Checks a span and returns where in it the trace id lies.
    pub(crate) fn span(&mut self, body: &[u8]) -> Result<Option<usize>, ItemFault> {
        let (mut trace, mut has_span_id) = (None, false);
        self.top(body, &SPAN, |number, value, end| match number {
            1 => trace = id_at(value, end),
            2 => has_span_id = id_at(value, end).is_some(),
            _ => {}
        })?;
        match trace {
            None => Err(ItemFault::TraceId),
            Some(_) if !has_span_id => Err(ItemFault::SpanId),
            at => Ok(at),
        }
    }

    /// Checks a log record and returns where in it the trace id lies. One of zeros means that there is none.
    pub(crate) fn log_record(&mut self, body: &[u8]) -> Result<Option<usize>, ItemFault> {
        let mut trace = None;
        self.top(body, &LOG_RECORD, |number, value, end| {
            if number == 9 {
                trace = id_at(value, end);
            }
        })?;
        Ok(trace)
    }

    /// Checks a metric, which belongs to no trace.
    pub(crate) fn metric(&mut self, body: &[u8]) -> Result<Option<usize>, ItemFault> {
        self.top(body, &METRIC, |_, _, _| {}).map(|()| None)
    }

    /// Checks a message that stands on its own: the limits for one item begin anew.
    #[inline]
    pub(crate) fn top(
        &mut self,
        body: &[u8],
        message: &'static Message,
        show: impl FnMut(u32, &[u8], usize),
    ) -> Result<(), ItemFault> {
        self.attributes_left = self.attributes_per_item;
        self.fields(body, message, self.depth, show)
    }

    /// Checks all fields of a body and shows each one that is not a plain attribute: number, bytes if it is
    /// length-delimited, and where in the body it ends.
    #[inline]
    fn fields(
        &mut self,
        body: &[u8],
        message: &'static Message,
        depth: usize,
        mut show: impl FnMut(u32, &[u8], usize),
    ) -> Result<(), ItemFault> {
        let (mut rest, mut seen) = (body, 0_u32);
        while let Some((first, after_tag)) = rest.split_first() {
            // A value lies two levels down; where that is too deep, the general path says so.
            if message.attributes == Some(*first) && depth >= 2 {
                let after = self.plain_attributes(*first, rest)?;
                if after.len() < rest.len() {
                    rest = after;
                    continue;
                }
            }
            let (number, value, after) = if let Some(slot) = message.usual(*first) {
                stands_alone(&mut seen, slot)?;
                let (value, after) = self.usual(slot.kind, after_tag, depth)?;
                (u32::from(first >> 3), value, after)
            } else {
                self.unusual(rest, message, &mut seen, depth)?
            };
            show(number, value, body.len() - after.len());
            rest = after;
        }
        Ok(())
    }

    /// Checks the value of a field that has the wire type it should have, and returns its bytes if it is
    /// length-delimited, with what follows it.
    #[inline(always)]
    fn usual<'a>(&mut self, kind: Kind, after_tag: &'a [u8], depth: usize) -> Result<(&'a [u8], &'a [u8]), ItemFault> {
        let after = match kind {
            Kind::Varint => varint(after_tag)?.1,
            Kind::Fixed64 => skip(8, after_tag)?,
            Kind::Fixed32 => skip(4, after_tag)?,
            _ => {
                let (value, after) = delimited(after_tag)?;
                self.bytes(kind, value, depth)?;
                return Ok((value, after));
            }
        };
        Ok((&[], after))
    }

    /// Checks any field: one that nobody knows, with a padded tag, packed otherwise, or of the wrong wire type.
    #[cold]
    fn unusual<'a>(
        &mut self,
        field: &'a [u8],
        message: &'static Message,
        seen: &mut u32,
        depth: usize,
    ) -> Result<(u32, &'a [u8], &'a [u8]), ItemFault> {
        let (number, layout, after_tag) = tag(field)?;
        let slot = message.slot(number);
        stands_alone(seen, slot)?;
        let after = match (layout, slot.kind) {
            (Layout::Bytes, kind) => {
                let (value, after) = delimited(after_tag)?;
                self.bytes(kind, value, depth)?;
                return Ok((number, value, after));
            }
            (Layout::Varint, Kind::Varint | Kind::PackedVarint | Kind::Unknown) => varint(after_tag)?.1,
            (Layout::Fixed64, Kind::Fixed64 | Kind::PackedFixed64 | Kind::Unknown) => skip(8, after_tag)?,
            (Layout::Fixed32, Kind::Fixed32 | Kind::Unknown) => skip(4, after_tag)?,
            _ => return Err(Fault::WireType.into()),
        };
        Ok((number, &[], after))
    }

    #[inline(always)]
    fn bytes(&mut self, kind: Kind, value: &[u8], depth: usize) -> Result<(), ItemFault> {
        match kind {
            Kind::Text => text_is_valid(value),
            Kind::Bytes | Kind::Unknown => Ok(()),
            Kind::TraceId => id_is_empty_or(16, value).ok_or(ItemFault::TraceId),
            Kind::SpanId => id_is_empty_or(8, value).ok_or(ItemFault::SpanId),
            Kind::ParentSpanId => id_is_empty_or(8, value).ok_or(ItemFault::ParentSpanId),
            Kind::Message(message) => self.nested(value, message, depth),
            Kind::Attribute => {
                self.count_attribute()?;
                self.nested(value, &KEY_VALUE, depth)
            }
            Kind::Key if value.len() > self.key_bytes => Err(Fault::KeyBytes.into()),
            Kind::Key => text_is_valid(value),
            Kind::PackedVarint => packed_varints(value),
            Kind::PackedFixed64 if value.len().is_multiple_of(8) => Ok(()),
            Kind::PackedFixed64 => Err(Fault::Truncated.into()),
            Kind::Varint | Kind::Fixed64 | Kind::Fixed32 => Err(Fault::WireType.into()),
        }
    }

    fn nested(&mut self, body: &[u8], message: &'static Message, depth: usize) -> Result<(), ItemFault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Depth)?;
        self.fields(body, message, depth, |_, _, _| {})
    }

    #[inline]
    fn count_attribute(&mut self) -> Result<(), ItemFault> {
        self.attributes_left = self.attributes_left.checked_sub(1).ok_or(Fault::Attributes)?;
        Ok(())
    }

    /// Returns what follows all attributes at the front that have the shape that SDKs write. They stand one behind the
    /// other, and a loop of their own keeps what it needs in registers.
    #[inline(never)]
    fn plain_attributes<'a>(&mut self, tag: u8, mut rest: &'a [u8]) -> Result<&'a [u8], ItemFault> {
        let (key_bytes, mut left) = (self.key_bytes, self.attributes_left);
        while let Some(after) = after_plain_attribute(tag, rest, key_bytes) {
            left = left.checked_sub(1).ok_or(Fault::Attributes)?;
            rest = after;
        }
        self.attributes_left = left;
        Ok(rest)
    }
}

/// Returns what follows an attribute of one key and one scalar value, in fewer than 128 bytes, so that no length takes
/// more than one of them. Anything else, also what is broken, is `None` and left to the general path to judge.
#[inline(always)]
fn after_plain_attribute(tag: u8, field: &[u8], key_bytes: usize) -> Option<&[u8]> {
    let [first, length @ 0..=0x7f, rest @ ..] = field else { return None };
    let (body, after) = rest.split_at_checked(usize::from(*length))?;
    let [0x0a, key_length, rest @ ..] = body else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*key_length))?;
    let [0x12, value_length, value @ ..] = rest else { return None };
    let plain = *first == tag
        && usize::from(*value_length) == value.len()
        && key.len() <= key_bytes
        && match value {
            // Tags and lengths are ASCII too, so one look at all of the body settles both texts.
            [0x0a, length, text @ ..] if usize::from(*length) == text.len() => {
                utf8::is_ascii(body) || utf8::is_valid(key) && utf8::is_valid(text)
            }
            [0x10 | 0x18, rest @ ..] => matches!(varint(rest), Ok((_, []))) && utf8::is_valid(key),
            [0x21, rest @ ..] => rest.len() == 8 && utf8::is_valid(key),
            _ => false,
        };
    plain.then_some(after)
}

/// Refuses a field whose exclusions were seen before: its own number, or another member of its `oneof`.
#[inline]
fn stands_alone(seen: &mut u32, slot: &Slot) -> Result<(), Fault> {
    match *seen & slot.excludes {
        0 => *seen |= slot.own,
        twice if twice & slot.own != 0 => return Err(Fault::Duplicate),
        _ => return Err(Fault::OneOf),
    }
    Ok(())
}

#[inline]
fn text_is_valid(text: &[u8]) -> Result<(), ItemFault> {
    if utf8::is_valid(text) { Ok(()) } else { Err(Fault::Utf8.into()) }
}

/// Ids of links, parents, logs and exemplars may be absent. They may also be zero: SDKs are told to record links of
/// an empty context (trace/api.md#link), and a zero parent is a root. A wrong length sinks whole requests elsewhere.
#[inline]
fn id_is_empty_or(length: usize, id: &[u8]) -> Option<()> {
    (id.is_empty() || id.len() == length).then_some(())
}

/// Where an id lies that ends at `end`, unless it is missing or all zeros.
#[inline]
fn id_at(id: &[u8], end: usize) -> Option<usize> {
    // Checked before, an id is empty or has 8 or 16 bytes.
    id.as_chunks().0.iter().any(|half| u64::from_ne_bytes(*half) != 0).then(|| end - id.len())
}

#[inline]
fn skip(count: usize, bytes: &[u8]) -> Result<&[u8], Fault> {
    bytes.get(count..).ok_or(Fault::Truncated)
}

fn packed_varints(mut packed: &[u8]) -> Result<(), ItemFault> {
    while !packed.is_empty() {
        (_, packed) = varint(packed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Writer;

    /// The first byte of a span's attribute.
    const SPAN_ATTRIBUTE: u8 = 9 << 3 | 2;

    /// The body of a span with one attribute of a random value, which may be damaged.
    fn attribute() -> impl Strategy<Value = Vec<u8>> {
        let value = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..12),
            ("[a-zé]{0,140}").prop_map(|text| encode(|any| any.string(1, &text))),
            any::<i64>().prop_map(|number| encode(|any| any.int(3, number))),
            any::<f64>().prop_map(|number| encode(|any| any.double(4, number))),
            any::<bool>().prop_map(|flag| encode(|any| any.varint(2, u64::from(flag)))),
        ];
        let damage = prop::option::of((any::<prop::sample::Index>(), 0_u8..40));
        ("[a-z.é]{0,20}", value, damage).prop_map(|(key, value, damage)| {
            let mut body = encode(|span| span.key_any(9, &key, &value));
            if let Some((at, byte)) = damage {
                let at = at.index(body.len());
                body[at] = byte;
            }
            body
        })
    }

    fn encode(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out));
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn straight_path_accepts_only_what_the_general_path_accepts(body in attribute()) {
            let mut checker = Checker::new(&Limits { key_bytes: 16, ..Limits::default() });
            checker.attributes_left = 9;
            if let Some(left) = after_plain_attribute(SPAN_ATTRIBUTE, &body, checker.key_bytes) {
                let (attribute, after) = delimited(&body[1..]).unwrap();
                prop_assert_eq!(left.len(), after.len());
                prop_assert_eq!(checker.nested(attribute, &KEY_VALUE, checker.depth), Ok(()));
            }
        }
    }

    #[test]
    fn straight_path_takes_what_encoders_write() {
        let values = [
            encode(|any| any.string(1, &"x".repeat(100))),
            encode(|any| any.string(1, "größer")),
            encode(|any| any.varint(2, 1)),
            encode(|any| any.int(3, -1)),
            encode(|any| any.double(4, 0.5)),
        ];
        for value in values {
            let body = encode(|span| span.key_any(9, "key", &value));
            assert_eq!(after_plain_attribute(SPAN_ATTRIBUTE, &body, 16), Some(&[][..]));
        }
    }
}
