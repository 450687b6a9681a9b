//! UTF-8 validation with a short way for ASCII, which nearly every string of telemetry is.

const HIGH_BITS: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;

/// Says whether bytes are UTF-8.
#[inline]
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    is_ascii(bytes) || std::str::from_utf8(bytes).is_ok()
}

/// Says whether bytes are ASCII. Most strings here are shorter than 64 bytes, where the standard library's own loop
/// does not pay off: its rest of up to 31 bytes goes one by one, while a last load may overlap the one before.
#[inline]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else { return is_short_ascii(bytes) };
    let chunks = bytes.as_chunks().0.iter();
    let high = chunks.fold(u128::from_le_bytes(*last), |high, chunk| high | u128::from_le_bytes(*chunk));
    high & HIGH_BITS == 0
}

/// The same below 16 bytes: two loads, overlapping as they may.
#[inline]
fn is_short_ascii(bytes: &[u8]) -> bool {
    let high = if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        u64::from_le_bytes(*first) | u64::from_le_bytes(*last)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        u64::from(u32::from_le_bytes(*first) | u32::from_le_bytes(*last))
    } else {
        u64::from(bytes.iter().fold(0, |high, byte| high | byte))
    };
    u128::from(high) & HIGH_BITS == 0
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
