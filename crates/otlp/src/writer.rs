//! Constructs protobuf messages field by field, in the shortest form.
//!
//! Promises:
//! 1. What is written is canonical: shortest varints and lengths, byte for byte what a generated encoder writes.
//! 2. Nothing is written that was not asked for; a default value is the caller's to leave out.

use std::ops::Range;

use crate::wire;

/// Appends fields to a buffer. Field numbers are the caller's; order is the order of calls.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`, whatever it already holds.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Writes an integer, enum or boolean field; a negative `int64` is passed as its two's complement.
    #[inline]
    pub fn varint(&mut self, number: u32, value: u64) {
        self.tag(number, 0);
        self.bare_varint(value);
    }

    /// Writes an `int64` or `int32` field.
    #[inline]
    pub fn int(&mut self, number: u32, value: i64) {
        self.varint(number, value.cast_unsigned());
    }

    /// Writes a `sint32` or `sint64` field.
    #[inline]
    pub fn sint(&mut self, number: u32, value: i64) {
        self.varint(number, (value << 1 ^ value >> 63).cast_unsigned());
    }

    /// Writes a `fixed64` or `sfixed64` field.
    #[inline]
    pub fn fixed64(&mut self, number: u32, value: u64) {
        self.tag(number, 1);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a `double` field.
    #[inline]
    pub fn double(&mut self, number: u32, value: f64) {
        self.fixed64(number, value.to_bits());
    }

    /// Writes a `fixed32` field.
    #[inline]
    pub fn fixed32(&mut self, number: u32, value: u32) {
        self.tag(number, 5);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a bytes field, or a message or packed field that is encoded already.
    #[inline]
    pub fn bytes(&mut self, number: u32, value: &[u8]) {
        self.message_of(number, value.len());
        self.out.extend_from_slice(value);
    }

    /// Writes a string field.
    #[inline]
    pub fn string(&mut self, number: u32, value: &str) {
        self.bytes(number, value.as_bytes());
    }

    /// Writes the head of a message whose length is known; the caller writes exactly that many bytes next.
    #[inline]
    pub fn message_of(&mut self, number: u32, length: usize) {
        self.tag(number, 2);
        self.bare_varint(length as u64);
    }

    /// Writes a message (or packed field) whose length is known only afterwards.
    #[inline]
    pub fn message<T>(&mut self, number: u32, body: impl FnOnce(&mut Writer<'_>) -> T) -> T {
        self.message_about(number, 0, body)
    }

    /// Writes a message whose length is known only afterwards, but about what it will be: if the guess takes as many
    /// bytes to write as the length itself, the message need not be moved.
    #[inline]
    pub fn message_about<T>(&mut self, number: u32, about: usize, body: impl FnOnce(&mut Writer<'_>) -> T) -> T {
        self.tag(number, 2);
        let head = self.out.len();
        self.bare_varint(about as u64);
        let start = self.out.len();
        let result = body(&mut Writer { out: self.out });
        self.close(head, start);
        result
    }

    /// Writes bytes that are whole fields already.
    #[inline]
    pub fn raw(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    /// Writes a `KeyValue` whose value is a string.
    pub fn key_string(&mut self, number: u32, key: &str, value: &str) {
        self.key_text(number, key.as_bytes(), [value.as_bytes(), &[]]);
    }

    /// Writes a `KeyValue` whose value is a string in two parts, from bytes that are known to be UTF-8.
    #[inline]
    pub fn key_text(&mut self, number: u32, key: &[u8], [first, last]: [&[u8]; 2]) {
        let length = first.len() + last.len();
        // As a rule each tag and each length is one byte, and those of the pair are the highest.
        let pair = key.len() + length + 6;
        if number < 16 && pair < 0x80 {
            let low = |length: usize| length.to_le_bytes()[0];
            self.raw(&[(number << 3 | 2).to_le_bytes()[0], low(pair), 0x0a, low(key.len())]);
            self.raw(key);
            self.raw(&[0x12, low(length + 2), 0x0a, low(length)]);
        } else {
            let any = wire::framed_len(1, length);
            self.message_of(number, wire::framed_len(1, key.len()) + wire::framed_len(2, any));
            self.bytes(1, key);
            self.message_of(2, any);
            self.message_of(1, length);
        }
        self.raw(first);
        self.raw(last);
    }

    /// Writes a `KeyValue` whose value is an integer.
    pub fn key_int(&mut self, number: u32, key: &str, value: i64) {
        self.key_value(number, key, 1 + wire::varint_len(value.cast_unsigned()), |any| any.int(3, value));
    }

    /// Writes a `KeyValue` whose `AnyValue` is encoded already.
    pub fn key_any(&mut self, number: u32, key: &str, any_value: &[u8]) {
        self.key_value(number, key, any_value.len(), |any| any.raw(any_value));
    }

    /// Writes a varint without a tag, as packed fields hold them.
    #[inline]
    pub fn bare_varint(&mut self, value: u64) {
        match value {
            // Tags, most lengths and most numbers take one byte; lengths of spans take two.
            0..=0x7f => self.out.push(value.to_le_bytes()[0]),
            0x80..=0x3fff => self.raw(&two(value)),
            _ => self.long_varint(value),
        }
    }

    fn long_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.out.push(value.to_le_bytes()[0]);
    }

    /// How many bytes the buffer holds, with what it held before.
    #[inline]
    #[must_use]
    pub fn written(&self) -> usize {
        self.out.len()
    }

    fn key_value(&mut self, number: u32, key: &str, any_len: usize, any: impl FnOnce(&mut Writer<'_>)) {
        self.message_of(number, wire::framed_len(1, key.len()) + wire::framed_len(2, any_len));
        self.string(1, key);
        self.message_of(2, any_len);
        any(self);
    }

    #[inline]
    fn tag(&mut self, number: u32, kind: u64) {
        self.bare_varint(u64::from(number) << 3 | kind);
    }

    /// Replaces what was kept for the length, from `head` to `start`, by the length of what follows it. In its shortest
    /// form it may take more bytes or fewer, and then the message is moved.
    #[inline]
    fn close(&mut self, head: usize, start: usize) {
        let end = self.out.len();
        let length = (end - start) as u64;
        let body = head + wire::varint_len(length);
        if body != start {
            self.shift(start..end, body);
        }
        match self.out.get_mut(head..body) {
            Some([low]) => *low = length.to_le_bytes()[0],
            Some([low, high]) => [*low, *high] = two(length),
            Some(digits) => write_long(length, digits),
            None => {}
        }
    }

    fn shift(&mut self, body: Range<usize>, to: usize) {
        self.out.resize(body.end.max(to + body.len()), 0);
        let end = to + body.len();
        self.out.copy_within(body, to);
        self.out.truncate(end);
    }
}

/// A varint of two bytes.
#[inline]
fn two(value: u64) -> [u8; 2] {
    [value.to_le_bytes()[0] | 0x80, (value >> 7).to_le_bytes()[0]]
}

/// Writes a varint of as many bytes as there are.
fn write_long(mut value: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut() {
        *digit = value.to_le_bytes()[0] | 0x80;
        value >>= 7;
    }
    if let Some(last) = digits.last_mut() {
        *last &= 0x7f;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patched_length_equals_known_length() {
        for size in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let body = vec![7; size];
            let (mut patched, mut known) = (Vec::new(), Vec::new());
            Writer::new(&mut patched).message(3, |inner| inner.raw(&body));
            Writer::new(&mut known).bytes(3, &body);
            assert_eq!(patched, known);
            for guess in [0, 127, 128, size, 1 << 40] {
                let mut guessed = Vec::new();
                Writer::new(&mut guessed).message_about(3, guess, |inner| inner.raw(&body));
                assert_eq!(guessed, known);
            }
            assert_eq!(known.len(), wire::framed_len(3, size));
        }
    }

    #[test]
    fn a_pair_of_any_size_is_what_its_parts_make() {
        for number in [1, 9, 16] {
            for (key, value) in
                [(0, 0), (9, 100), (9, 112), (9, 113), (60, 61), (60, 62), (130, 1), (1, 130), (200, 20_000)]
            {
                let (key, value) = ("k".repeat(key), "v".repeat(value));
                let mut nested = Vec::new();
                Writer::new(&mut nested).message(number, |pair| {
                    pair.string(1, &key);
                    pair.message(2, |any| any.string(1, &value));
                });
                for at in [0, value.len() / 2, value.len()] {
                    let mut written = Vec::new();
                    let (first, last) = value.as_bytes().split_at(at);
                    Writer::new(&mut written).key_text(number, key.as_bytes(), [first, last]);
                    assert_eq!(written, nested, "{number}: {} and {}", key.len(), value.len());
                }
            }
        }
    }

    #[test]
    fn writing_appends() {
        let mut out = vec![1, 2];
        Writer::new(&mut out).varint(1, 300);
        assert_eq!(out, [1, 2, 0x08, 0xac, 0x02]);
    }
}
