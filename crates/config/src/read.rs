//! How the common types are read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::fault::Located;
use crate::quantity::{self, ByteSize};
use crate::scalar::{self, Sort};
use crate::value::Value;

/// A type that a document's value can be read as; `None` means that a fault was reported.
pub trait Read: Sized {
    /// Reads the value, reporting everything that is wrong with it.
    fn read(value: Value<'_>) -> Option<Self>;
}

impl Read for String {
    fn read(value: Value<'_>) -> Option<Self> {
        let text = value.text();
        if text.is_none() {
            value.expected("text");
        }
        text.map(str::to_owned)
    }
}

impl Read for bool {
    fn read(value: Value<'_>) -> Option<Self> {
        match value.scalar() {
            Some((Sort::Boolean, text)) => Some(text == "true"),
            _ => {
                value.expected("true or false");
                None
            }
        }
    }
}

macro_rules! read_integer {
    ($($type:ty),*) => {$(
        impl Read for $type {
            fn read(value: Value<'_>) -> Option<Self> {
                let Some((Sort::Integer, text)) = value.scalar() else {
                    value.expected("an integer");
                    return None;
                };
                let number = scalar::integer(text).and_then(|number| Self::try_from(number).ok());
                if number.is_none() {
                    value.fault(format_args!("out of range, expected {} to {}", Self::MIN, Self::MAX));
                }
                number
            }
        }
    )*};
}

read_integer!(u8, u16, u32, u64, usize, i64);

impl Read for f64 {
    fn read(value: Value<'_>) -> Option<Self> {
        let number = match value.scalar() {
            Some((Sort::Float, text)) => text.parse::<Self>().ok().filter(|number| number.is_finite()),
            Some((Sort::Integer, _)) => return value.read::<i64>().map(lossy),
            _ => None,
        };
        if number.is_none() {
            value.expected("a finite number");
        }
        number
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number asked for as a float is meant as one")]
fn lossy(number: i64) -> f64 {
    number as f64
}

/// Reads scalars by a grammar of their own, whether quoted or not.
fn by_grammar<T>(value: Value<'_>, grammar: impl Fn(&str) -> Option<T>, what: &str) -> Option<T> {
    let read = value.as_text().and_then(grammar);
    if read.is_none() {
        value.expected(what);
    }
    read
}

impl Read for Duration {
    fn read(value: Value<'_>) -> Option<Self> {
        by_grammar(value, quantity::duration, "a duration such as 5s, 200ms, 72h or 30d, below 584 years")
    }
}

impl Read for ByteSize {
    fn read(value: Value<'_>) -> Option<Self> {
        by_grammar(value, quantity::byte_size, "a size such as 512KiB, 64MiB or 2GiB")
    }
}

impl Read for SocketAddr {
    fn read(value: Value<'_>) -> Option<Self> {
        by_grammar(value, |text| text.parse().ok(), "an address and port such as 127.0.0.1:4317")
    }
}

impl Read for PathBuf {
    fn read(value: Value<'_>) -> Option<Self> {
        by_grammar(value, |text| (!text.is_empty()).then(|| text.into()), "a path")
    }
}

impl<T: Read> Read for Located<T> {
    fn read(value: Value<'_>) -> Option<Self> {
        T::read(value).map(|read| Self { value: read, at: value.at() })
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: Value<'_>) -> Option<Self> {
        // Collected before it is judged, so that every item's faults are reported.
        let items: Vec<Option<T>> = value.items()?.into_iter().map(T::read).collect();
        items.into_iter().collect()
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn read(value: Value<'_>) -> Option<Self> {
        let entries: Vec<(String, Option<T>)> =
            value.entries()?.into_iter().map(|(key, value)| (key.value, T::read(value))).collect();
        entries.into_iter().map(|(key, value)| value.map(|value| (key, value))).collect()
    }
}
