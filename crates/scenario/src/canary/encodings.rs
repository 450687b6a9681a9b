//! How a value may be written so that it is still that value.

use data_encoding::{BASE64, BASE64URL, HEXLOWER};

/// One way to write a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// As it is.
    Raw,
    /// Hexadecimal.
    Hex,
    /// Base64 with `+` and `/`.
    Base64,
    /// Base64 with `-` and `_`.
    Base64Url,
    /// A number as a protobuf varint.
    Varint,
    /// A number as eight little-endian bytes.
    Fixed,
}

impl Encoding {
    /// Its name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "text",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
            Self::Varint => "varint",
            Self::Fixed => "fixed64",
        }
    }
}

/// Numbers below this are too short as bytes to be told from chance.
const SMALLEST_NUMBER: u64 = 1 << 42;

/// The byte strings that contain the value in one encoding or the other.
pub(super) fn encodings(value: &str) -> Vec<(Encoding, Vec<u8>)> {
    let mut all = vec![
        (Encoding::Raw, value.as_bytes().to_vec()),
        (Encoding::Hex, HEXLOWER.encode(value.as_bytes()).into_bytes()),
    ];
    for shift in 0..3 {
        all.push((Encoding::Base64, inside_base64(&BASE64, value, shift)));
        all.push((Encoding::Base64Url, inside_base64(&BASE64URL, value, shift)));
    }
    if let Some(number) = value.parse().ok().filter(|number| *number >= SMALLEST_NUMBER) {
        all.push((Encoding::Varint, varint(number)));
        all.push((Encoding::Fixed, number.to_le_bytes().to_vec()));
    }
    all
}

/// The characters that depend on nothing but the value when it starts `shift` bytes into a group of three.
fn inside_base64(alphabet: &data_encoding::Encoding, value: &str, shift: usize) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(value.as_bytes());
    let encoded = alphabet.encode(&padded).into_bytes();
    let (first, last) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
    encoded.get(first..last).unwrap_or_default().to_vec()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}
