//! Counts the spans of a message that lies in pieces, without putting it together: a sink is to cost little.

use bytes::{Buf, Bytes};

/// `resource_spans`, `scope_spans` and `spans` have these numbers, one below the other.
const PATH: [u64; 3] = [1, 2, 2];

/// How many spans a request holds; what is malformed counts as far as it was read.
pub(crate) fn spans(pieces: &[Bytes]) -> u64 {
    let whole = pieces.iter().map(Bytes::len).sum();
    let pieces = pieces.iter().filter(|piece| !piece.is_empty()).cloned().collect();
    let mut pieces = Pieces { pieces, at: 0, left: whole };
    let mut count = 0;
    below(&mut pieces, whole, 0, &mut count);
    count
}

fn below(bytes: &mut Pieces, length: usize, depth: usize, count: &mut u64) -> Option<()> {
    let end = bytes.remaining().checked_sub(length)?;
    while bytes.remaining() > end {
        let tag = varint(bytes)?;
        if tag & 7 != 2 {
            skip(bytes, tag & 7)?;
            continue;
        }
        let length = usize::try_from(varint(bytes)?).ok()?;
        match PATH.get(depth) {
            Some(number) if *number == tag >> 3 && depth + 1 < PATH.len() => below(bytes, length, depth + 1, count)?,
            found => {
                *count += u64::from(found == Some(&(tag >> 3)));
                bytes.pass(length)?;
            }
        }
    }
    Some(())
}

fn skip(bytes: &mut Pieces, wire: u64) -> Option<()> {
    match wire {
        0 => varint(bytes).map(|_| ()),
        1 => bytes.pass(8),
        5 => bytes.pass(4),
        _ => None,
    }
}

fn varint(bytes: &mut Pieces) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.has_remaining().then(|| bytes.get_u8())?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Pieces that are read one behind the other.
struct Pieces {
    pieces: Vec<Bytes>,
    at: usize,
    left: usize,
}

impl Pieces {
    fn pass(&mut self, length: usize) -> Option<()> {
        (length <= self.remaining()).then(|| self.advance(length))
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.get(self.at).map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut count: usize) {
        self.left = self.left.saturating_sub(count);
        while let Some(piece) = self.pieces.get_mut(self.at) {
            let step = count.min(piece.len());
            piece.advance(step);
            count -= step;
            if !piece.is_empty() {
                return;
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand::shape::{Shape, Template};

    #[test]
    fn spans_are_counted_however_the_message_is_cut() {
        let message = Template::new(Shape::usual(100), 1).message();
        for cut in [0, 1, 2, 100, message.len() / 2, message.len() - 1] {
            assert_eq!(spans(&[message.slice(..cut), message.slice(cut..)]), 100);
        }
        let bytes: Vec<Bytes> = (0..message.len()).map(|at| message.slice(at..=at)).collect();
        assert_eq!(spans(&bytes), 100);
        assert_eq!(spans(&[]), 0);
    }

    #[test]
    fn merged_requests_are_one() {
        let message = Template::new(Shape::usual(100), 1).message();
        assert_eq!(spans(&[message.clone(), message]), 200);
    }
}
