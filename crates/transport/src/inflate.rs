//! Inflates a compressed body: the only place that does, because every other way forgets a limit.
//!
//! Promises:
//! 1. No more than `limit` bytes come out, and each step of memory is asked for before it is taken.
//! 2. A zstd frame cannot demand a larger window than [`WINDOW_LOG`] allows.
//! 3. Truncated input is an error, never a shorter output.

use std::io::{ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use http::HeaderValue;
use thiserror::Error;
use tollgate_federation::Compression;

/// 8 MiB, what RFC 8878 asks every decoder to support; the library's own default allows a 20-byte frame 128 MiB.
const WINDOW_LOG: u32 = 23;

const FIRST_STEP: usize = 16 << 10;

/// The name in `content-encoding` and `grpc-encoding`; nothing where there is no compression.
pub(crate) const fn name(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        Compression::Zstd => Some("zstd"),
    }
}

/// The compression that a header names, if it is one that is spoken here.
pub(crate) fn named(header: Option<&HeaderValue>) -> Option<Compression> {
    match header.map_or(&b""[..], HeaderValue::as_bytes) {
        b"identity" | b"" => Some(Compression::None),
        b"gzip" => Some(Compression::Gzip),
        b"zstd" => Some(Compression::Zstd),
        _ => None,
    }
}

/// Why a body cannot be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum InflateError {
    #[error("the compressed body is not well formed")]
    Malformed,
    #[error("the body is too large once inflated")]
    TooLarge,
    #[error("there is no room for the inflated body")]
    NoRoom,
}

/// Inflates `input`. `more` is asked for each further step of bytes before they are allocated.
pub(crate) fn inflate(
    compression: Compression,
    input: &[u8],
    limit: usize,
    mut more: impl FnMut(usize) -> bool,
) -> Result<Vec<u8>, InflateError> {
    match compression {
        Compression::None => drain(input, limit, &mut more),
        Compression::Gzip => drain(MultiGzDecoder::new(input), limit, &mut more),
        Compression::Zstd => drain(zstd_reader(input).map_err(|_| InflateError::Malformed)?, limit, &mut more),
    }
}

#[expect(clippy::disallowed_types, reason = "this file is the one place: output and window are bounded here")]
fn zstd_reader(input: &[u8]) -> std::io::Result<impl Read> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(decoder)
}

fn drain(mut reader: impl Read, limit: usize, more: &mut impl FnMut(usize) -> bool) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    let mut filled = 0;
    loop {
        if filled == out.len() {
            // One byte beyond the limit tells "exactly the limit" from "more".
            let step = out.len().max(FIRST_STEP).min((limit + 1).saturating_sub(out.len()));
            if step == 0 {
                return Err(InflateError::TooLarge);
            }
            if !more(step) {
                return Err(InflateError::NoRoom);
            }
            out.reserve_exact(step);
            out.resize(filled + step, 0);
        }
        match reader.read(out.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(InflateError::Malformed),
        }
    }
    if filled > limit {
        return Err(InflateError::TooLarge);
    }
    out.truncate(filled);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::deflate::compress;

    const BOTH: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

    fn packed(compression: Compression, data: &[u8]) -> Vec<u8> {
        compress(compression, &[bytes::Bytes::copy_from_slice(data)]).concat()
    }

    #[test]
    fn exactly_the_limit_passes_and_one_more_does_not() {
        for compression in BOTH {
            for size in [0, 1, FIRST_STEP - 1, FIRST_STEP, FIRST_STEP + 1, 100_000] {
                let data = vec![7; size];
                let input = packed(compression, &data);
                assert_eq!(inflate(compression, &input, size, |_| true), Ok(data), "{compression:?} {size}");
                if size > 0 {
                    assert_eq!(inflate(compression, &input, size - 1, |_| true), Err(InflateError::TooLarge));
                }
            }
        }
    }

    #[test]
    fn bomb_is_stopped_at_the_limit() {
        for compression in BOTH {
            let bomb = packed(compression, &vec![0; 16 << 20]);
            let mut asked = 0;
            let outcome = inflate(compression, &bomb, 1 << 20, |step| {
                asked += step;
                true
            });
            assert_eq!((outcome, asked), (Err(InflateError::TooLarge), (1 << 20) + 1));
        }
    }

    #[test]
    fn memory_is_asked_for_before_it_is_taken() {
        let input = packed(Compression::Gzip, &vec![0; 1 << 20]);
        let mut left = 100_000_usize;
        let outcome = inflate(Compression::Gzip, &input, 2 << 20, |step| {
            left.checked_sub(step).map(|rest| left = rest).is_some()
        });
        assert_eq!(outcome, Err(InflateError::NoRoom));
    }

    #[test]
    fn truncated_input_is_an_error() {
        for compression in BOTH {
            let input = packed(compression, b"a payload that is long enough to be cut anywhere");
            for end in 1..input.len() {
                let outcome = inflate(compression, &input[..end], 1 << 20, |_| true);
                assert_eq!(outcome, Err(InflateError::Malformed), "{compression:?} cut at {end}");
            }
        }
    }

    #[test]
    fn zstd_window_is_bounded() {
        // A frame header that asks for a window of 64 MiB (descriptor 0x80: exponent 16), then an empty last block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x80, 0x01, 0x00, 0x00];
        assert_eq!(inflate(Compression::Zstd, &frame, 1 << 20, |_| true), Err(InflateError::Malformed));
        let small = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50, 0x01, 0x00, 0x00];
        assert_eq!(inflate(Compression::Zstd, &small, 1 << 20, |_| true), Ok(Vec::new()));
    }
}
