//! When the bytes of an attribute are what would be written anew, so that they may be copied.
//!
//! Promises:
//! 1. What is copied holds a key and an operational value, each once, in the shortest form, and nothing else.
//! 2. Whatever is not plainly so is refused here and constructed instead; nothing is withheld because of it.

use std::ops::Range;

use tollgate_otlp::wire::{delimited, framed_len, varint, varint_len};
use tollgate_otlp::{Fault, RawAttribute, ValueView};

use crate::detect;
use crate::operational::{self, Look};

/// An attribute, split.
#[derive(Clone, Copy)]
pub(crate) struct Read<'a> {
    /// The whole field: tag, length, `KeyValue`.
    pub(crate) field: &'a [u8],
    pub(crate) raw: RawAttribute<'a>,
    /// Whether its field consists of key and value alone, each once, in the shortest form.
    pub(crate) whole: bool,
}

/// Splits a field of this number with its body, a `KeyValue`.
pub(crate) fn read<'a>(number: u32, field: &'a [u8], body: &'a [u8]) -> Result<Read<'a>, Fault> {
    if let Some((read, [])) = take(number, field) {
        return Ok(read);
    }
    let raw = RawAttribute::parse(body)?;
    Ok(Read { field, raw, whole: is_whole(number, field, raw) })
}

/// Takes the next field of a message if it is a short attribute of this number as every encoder writes it, with what
/// follows it: each tag and length is one byte.
#[inline]
pub(crate) fn take(number: u32, message: &[u8]) -> Option<(Read<'_>, &[u8])> {
    let [tag, length @ 0..=0x7f, rest @ ..] = message else { return None };
    let (pair, after) = rest.split_at_checked(usize::from(*length))?;
    let [0x0a, length, rest @ ..] = pair else { return None };
    // A pair shorter than 128 bytes has no room for what a length of two bytes would say.
    let (key, [0x12, length, value @ ..]) = rest.split_at_checked(usize::from(*length))? else { return None };
    let field = message.get(..pair.len() + 2)?;
    let plain = u32::from(*tag) == number << 3 | 2 && usize::from(*length) == value.len();
    plain.then_some((Read { field, raw: RawAttribute { key, value }, whole: true }, after))
}

/// The parts were found by reading every field, so bytes that are just as many as they take hold no third.
fn is_whole(number: u32, field: &[u8], RawAttribute { key, value }: RawAttribute<'_>) -> bool {
    let pair = framed_len(1, key.len()) + framed_len(2, value.len());
    let key_first = field.len().checked_sub(pair).and_then(|head| field.get(head)) == Some(&0x0a);
    field.len() == framed_len(number, pair) && key_first
}

/// Clean fields that lie one behind the other in a message, copied together.
#[derive(Default)]
pub(crate) struct Run<'a> {
    message: &'a [u8],
    fields: Range<usize>,
}

impl<'a> Run<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { message, fields: 0..0 }
    }

    /// Adds a field of the message.
    #[inline]
    pub(crate) fn add(&mut self, field: &[u8], out: &mut Vec<u8>) {
        let at = field.as_ptr().addr().wrapping_sub(self.message.as_ptr().addr());
        if at != self.fields.end {
            self.end(out);
            self.fields.start = at;
        }
        self.fields.end = at.wrapping_add(field.len());
    }

    /// Writes what was added.
    #[inline]
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        if !self.fields.is_empty() {
            self.write(out);
        }
        self.fields.start = self.fields.end;
    }

    /// Never inline: a run ends far less often than something is added to it.
    #[inline(never)]
    fn write(&self, out: &mut Vec<u8>) {
        // What is not a field of the message lies outside it, and is nothing.
        out.extend_from_slice(self.message.get(self.fields.clone()).unwrap_or_default());
    }
}

/// Says whether a value is one that may cross raw, in the shortest form: what looks otherwise may still be constructed.
#[inline]
pub(crate) fn look(value: &[u8]) -> Look {
    let plain_if = |plain| if plain { Look::Plain } else { Look::Otherwise };
    match value {
        [0x0a, length @ 0..=0x7f, text @ ..] if usize::from(*length) == text.len() => operational::look(text),
        [0x0a, 0..=0x7f, ..] => Look::Otherwise,
        [0x0a, framed @ ..] => match delimited(framed) {
            Ok((text, [])) if value.len() == framed_len(1, text.len()) => operational::look(text),
            _ => Look::Otherwise,
        },
        [0x10, flag] => plain_if(*flag <= 1),
        [0x18, number @ ..] => match varint(number) {
            Ok((value, [])) if number.len() == varint_len(value) => {
                if detect::may_be_in(value) {
                    Look::Detectable
                } else {
                    Look::Plain
                }
            }
            _ => Look::Otherwise,
        },
        // What of it a detector finds is a whole number; those are told apart where they are looked at.
        [0x21, number @ ..] => match number.try_into().map(f64::from_le_bytes) {
            Ok(number) if detect::may_be_in(detect::whole(number)) => Look::Detectable,
            Ok(_) => Look::Plain,
            Err(_) => Look::Otherwise,
        },
        _ => Look::Otherwise,
    }
}

/// The text of a value; none if it is no text.
#[inline]
pub(crate) fn text(value: &[u8]) -> Result<Option<&[u8]>, Fault> {
    match value {
        [0x0a, length @ 0..=0x7f, text @ ..] if usize::from(*length) == text.len() => Ok(Some(text)),
        _ => match ValueView::parse(value)? {
            ValueView::String(text) => Ok(Some(text.as_bytes())),
            _ => Ok(None),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tollgate_otlp::Writer;

    use super::*;

    fn field(body: &[u8]) -> Vec<u8> {
        let mut field = Vec::new();
        Writer::new(&mut field).bytes(9, body);
        field
    }

    fn is_clean(field: &[u8], body: &[u8]) -> bool {
        read(9, field, body).is_ok_and(|read| read.whole && look(read.raw.value) != Look::Otherwise)
    }

    fn clean(body: &[u8]) -> bool {
        is_clean(&field(body), body)
    }

    fn attribute(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut body = Vec::new();
        let mut out = Writer::new(&mut body);
        out.string(1, "http.route");
        out.message(2, write);
        body
    }

    #[test]
    fn plain_values_are_copied() {
        assert!(clean(&attribute(|any| any.string(1, "/carts/{id}"))));
        assert!(clean(&attribute(|any| any.string(1, &"x".repeat(200)))));
        assert!(clean(&attribute(|any| any.varint(2, 1))));
        assert!(clean(&attribute(|any| any.int(3, -1))));
        assert!(clean(&attribute(|any| any.double(4, 0.5))));
    }

    #[test]
    fn what_hides_something_is_not() {
        let sound = attribute(|any| any.string(1, "GET"));
        assert!(clean(&sound));
        let with = |more: &[u8]| [&sound, more].concat();
        assert!(!clean(&with(&[0x1a, 1, b'x'])), "an unknown field");
        assert!(!clean(&attribute(|any| any.string(1, "jane@example.org"))), "not operational");
        assert!(!clean(&attribute(|any| any.bytes(7, b"GET"))), "bytes");
        assert!(!clean(&attribute(|any| any.varint(2, 7))), "a boolean that is a number");
        assert!(!clean(&attribute(|any| (any.string(1, "GET"), any.string(1, "GET")).1)), "two values");
        assert!(!clean(&attribute(|_| {})), "no value");
        assert!(!clean(&[0x0a, 1, b'k', 0x12, 3, 0x18, 0x81, 0x00]), "a padded number");
        assert!(!clean(&[0x0a, 1, b'k', 0x12, 0x84, 0x00, 0x0a, 2, b'o', b'k']), "a padded length");
    }

    #[test]
    fn a_field_with_a_padded_head_is_not() {
        let body = attribute(|any| any.string(1, "GET"));
        let padded = [&[0xca, 0x00, u8::try_from(body.len()).unwrap()], &body[..]].concat();
        assert!(is_clean(&field(&body), &body));
        assert!(!is_clean(&padded, &body));
    }

    #[test]
    fn neighbours_are_copied_together_and_what_lies_between_is_not() {
        let message = b"aabbXXcc";
        let mut out = b"0".to_vec();
        let mut run = Run::of(message);
        for field in [0..2, 2..4, 6..8] {
            run.add(&message[field], &mut out);
        }
        run.end(&mut out);
        run.end(&mut out);
        assert_eq!(out, b"0aabbcc");
    }

    proptest! {
        /// Guarantees: what is copied is byte for byte what would have been written.
        #[test]
        fn a_copy_is_what_would_be_constructed(body in prop::collection::vec(prop_oneof![
            Just(0x0a_u8), Just(0x12), Just(0x18), Just(0x10), Just(0x21), 0..6_u8, b'a'..b'e', any::<u8>(),
        ], 0..24)) {
            if clean(&body) {
                let raw = RawAttribute::parse(&body).unwrap();
                let mut anew = Vec::new();
                Writer::new(&mut anew).bytes(1, raw.key);
                Writer::new(&mut anew).bytes(2, raw.value);
                prop_assert_eq!(&anew, &body);
                prop_assert!(tollgate_otlp::ValueView::parse(raw.value).is_ok());
            }
        }
    }
}
