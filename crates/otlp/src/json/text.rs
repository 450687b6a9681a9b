//! Bytes as OTLP/JSON spells them: ids in hexadecimal, all others in base64.

use super::fault::JsonReason;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXLOWER_PERMISSIVE};

/// Decodes hexadecimal of either case.
pub(super) fn hex(text: &str, bytes: &mut Vec<u8>) -> Result<(), JsonReason> {
    decode(&HEXLOWER_PERMISSIVE, text, bytes).ok_or(JsonReason::Hex)
}

/// Decodes base64 of either alphabet, padded to a multiple of four or not at all.
pub(super) fn base64(text: &str, bytes: &mut Vec<u8>) -> Result<(), JsonReason> {
    let bare = text.trim_end_matches('=');
    let padding = text.len() - bare.len();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return Err(JsonReason::Base64);
    }
    let alphabet = if bare.contains(['-', '_']) { &BASE64URL_NOPAD } else { &BASE64_NOPAD };
    decode(alphabet, bare, bytes).ok_or(JsonReason::Base64)
}

/// Appends lower-case hexadecimal.
pub(super) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    encode(&HEXLOWER, bytes, out);
}

/// Appends base64 of the standard alphabet, padded.
pub(super) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    encode(&BASE64, bytes, out);
}

fn decode(encoding: &Encoding, text: &str, bytes: &mut Vec<u8>) -> Option<()> {
    bytes.resize(encoding.decode_len(text.len()).ok()?, 0);
    let length = encoding.decode_mut(text.as_bytes(), bytes).ok()?;
    bytes.truncate(length);
    Some(())
}

fn encode(encoding: &Encoding, bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + encoding.encode_len(bytes.len()), 0);
    let (_, room) = out.split_at_mut(start);
    encoding.encode_mut(bytes, room);
}
