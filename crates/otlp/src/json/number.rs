//! Numbers as JSON gives them, bare or in a string, and as protobuf holds them.
//!
//! Promises:
//! 1. Digits alone are exact over the whole range of `u64` and `i64`.
//! 2. A fraction or exponent is read as a double (`1.0` and `1e3` are integers, `1.5` is not one).
//! 3. No number wraps around, and digits that do not fit a field are never rounded into it.

use super::descriptor::Kind;
use super::fault::JsonReason;
use crate::wire::Wire;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// A JSON number before its field is asked what it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl Number {
    /// Reads the text of a JSON string as the number or, for a double, the name that it must be.
    pub(super) fn from_text(kind: Kind, text: &str) -> Result<Self, JsonReason> {
        match (kind, text) {
            (Kind::Double, "NaN") => Ok(Self::Float(f64::NAN)),
            (Kind::Double, "Infinity") => Ok(Self::Float(f64::INFINITY)),
            (Kind::Double, "-Infinity") => Ok(Self::Float(f64::NEG_INFINITY)),
            // The parser would skip white space, which must not stand in the string.
            _ if text.contains(|letter: char| letter.is_ascii_whitespace()) => Err(JsonReason::Type(kind.spelling())),
            _ => serde_json::from_str(text).map_err(|_| JsonReason::Type(kind.spelling())),
        }
    }

    /// Converts to what the field holds in protobuf.
    pub(super) fn to_wire(self, kind: Kind) -> Result<Wire<'static>, JsonReason> {
        Ok(match kind {
            Kind::Double => Wire::Fixed64(self.float().to_bits()),
            Kind::Int32 | Kind::Enum => Wire::Varint(i64::from(self.integer::<i32>()?).cast_unsigned()),
            Kind::Sint32 => Wire::Varint(u64::from(zigzag(self.integer()?))),
            Kind::Uint32 => Wire::Varint(u64::from(self.integer::<u32>()?)),
            Kind::Fixed32 => Wire::Fixed32(self.integer()?),
            Kind::Int64 => Wire::Varint(self.integer::<i64>()?.cast_unsigned()),
            Kind::Uint64 => Wire::Varint(self.integer()?),
            Kind::Fixed64 => Wire::Fixed64(self.integer()?),
            Kind::Sfixed64 => Wire::Fixed64(self.integer::<i64>()?.cast_unsigned()),
            Kind::Bool | Kind::String | Kind::Bytes | Kind::Id | Kind::Message(_) => {
                return Err(JsonReason::Type(kind.spelling()));
            }
        })
    }

    fn float(self) -> f64 {
        match self {
            Self::Unsigned(value) => value as f64,
            Self::Signed(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    fn integer<T: TryFrom<i128>>(self) -> Result<T, JsonReason> {
        let value = match self {
            Self::Unsigned(value) => i128::from(value),
            Self::Signed(value) => i128::from(value),
            Self::Float(value) => whole(value).ok_or(JsonReason::Range)?,
        };
        T::try_from(value).map_err(|_| JsonReason::Range)
    }
}

/// The integer that a double is. -2^63 itself is refused: the parser also rounds longer negative digits to it.
fn whole(value: f64) -> Option<i128> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    let fits = value > -TWO_TO_63 && value < 2.0 * TWO_TO_63;
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and fits")]
    (fits && value.fract() == 0.0).then_some(value as i128)
}

fn zigzag(value: i32) -> u32 {
    (value << 1 ^ value >> 31).cast_unsigned()
}

/// Reverses the encoding of `sint32`.
pub(super) fn unzigzag(value: u32) -> i32 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number::Signed(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number::Float(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zigzag_reverses() {
        for value in [0, -1, 1, i32::MIN, i32::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
        assert_eq!(zigzag(-1), 1);
    }

    #[test]
    fn string_holds_one_number_and_nothing_else() {
        for text in
            ["", " 1", "1 ", "+1", ".5", "5.", "0x10", "1_000", "inf", "nan", "1,2", "null", "[1]", "\"1\"", "١"]
        {
            assert!(Number::from_text(Kind::Double, text).is_err(), "{text}");
            assert!(Number::from_text(Kind::Int64, text).is_err(), "{text}");
        }
        assert!(Number::from_text(Kind::Int64, "NaN").is_err());
    }

    proptest! {
        #[test]
        fn every_integer_is_exact(signed: i64, unsigned: u64) {
            let read = Number::from_text(Kind::Int64, &signed.to_string()).unwrap();
            prop_assert!(read.to_wire(Kind::Int64) == Ok(Wire::Varint(signed.cast_unsigned())));
            let read = Number::from_text(Kind::Fixed64, &unsigned.to_string()).unwrap();
            prop_assert!(read.to_wire(Kind::Fixed64) == Ok(Wire::Fixed64(unsigned)));
        }

        #[test]
        fn every_finite_double_is_exact(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let read = Number::from_text(Kind::Double, &format!("{value:e}")).unwrap();
            prop_assert!(read.to_wire(Kind::Double) == Ok(Wire::Fixed64(bits)));
        }
    }
}
