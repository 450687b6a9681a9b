//! Trace and span ids as values: what routing, sampling and indexes key on.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER_PERMISSIVE;
use thiserror::Error;

/// Says that a text is not an id: 32 or 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an id is {digits} hexadecimal digits")]
pub struct NotAnId {
    digits: usize,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Returns the bytes as they lie on the wire.
            #[inline]
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap_or_default();
                bytes.try_into().map(Self).map_err(|_| NotAnId { digits: 2 * $bytes })
            }
        }
    };
}

id! {
    /// Names a trace: 16 bytes, shown as 32 hexadecimal digits.
    TraceId, 16
}

id! {
    /// Names a span inside its trace: 8 bytes, shown as 16 hexadecimal digits.
    SpanId, 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_reads_back_from_its_text() {
        let text = "000102030405060708090a0b0c0d0eff";
        let id: TraceId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(id));
        assert_eq!("00f067aa0ba902b7".parse::<SpanId>().unwrap().to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn wrong_length_and_wrong_digits_are_no_id() {
        for text in ["", "00", "00f067aa0ba902bg", "00f067aa0ba902b70"] {
            assert!(text.parse::<SpanId>().is_err(), "{text}");
        }
    }
}
