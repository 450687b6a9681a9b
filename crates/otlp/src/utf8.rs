//! UTF-8 validation with a short way for ASCII, which nearly every string of telemetry is.

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Says whether bytes are UTF-8. Most strings here are shorter than 32 bytes, where the standard library's own
/// ASCII loop does not pay off: two overlapping loads decide up to 16 bytes without a loop.
#[inline]
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    is_ascii(bytes) || std::str::from_utf8(bytes).is_ok()
}

#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return is_short_ascii(bytes);
    };
    let mut high = u64::from_le_bytes(*first) | u64::from_le_bytes(*last);
    if bytes.len() > 16 {
        // The last chunk overlaps the rest, so whole chunks are all that is left to see.
        high = bytes.as_chunks().0.iter().fold(high, |high, chunk| high | u64::from_le_bytes(*chunk));
    }
    high & HIGH_BITS == 0
}

#[inline]
fn is_short_ascii(bytes: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let high = u32::from_le_bytes(*first) | u32::from_le_bytes(*last);
        return u64::from(high) & HIGH_BITS == 0;
    }
    bytes.iter().fold(0, |high, byte| high | byte) < 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library_wherever_the_odd_byte_stands() {
        for length in 0..40 {
            for at in 0..length {
                for odd in [0x7f, 0x80, 0xc3, 0xff] {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = odd;
                    assert_eq!(is_valid(&bytes), std::str::from_utf8(&bytes).is_ok(), "{odd} at {at} of {length}");
                }
            }
            assert!(is_valid(&vec![b'a'; length]));
        }
    }

    #[test]
    fn letters_beyond_ascii_are_valid() {
        for text in ["é", "ßen", "日本語の属性の値です", "🦀🦀🦀🦀🦀🦀"] {
            assert!(is_valid(text.as_bytes()));
            assert!(!is_valid(&text.as_bytes()[1..]));
        }
    }
}
