//! Durations and byte sizes, always written with their unit.

use std::fmt;
use std::time::Duration;

/// A number of bytes, written `64MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Units by length, so that `MiB` is not taken for `B`.
const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

const NANOS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits =
            SIZES.iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit) && unit.is_power_of_two());
        let (name, unit) = fits.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

pub(crate) fn byte_size(text: &str) -> Option<ByteSize> {
    let (name, unit) = SIZES.iter().find(|(name, _)| text.ends_with(name))?;
    let digits = text.strip_suffix(name)?.trim_end();
    let count = whole(digits)?;
    count.checked_mul(*unit).map(ByteSize)
}

/// Reads a duration as Go and the Collector write it (`1h30m`, `1.5s`, `200ms`), and days.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (name, tail) = tail.split_at(letters);
        let (_, unit) = NANOS.iter().find(|(unit, _)| *unit == name)?;
        total = total.checked_add(scaled(number, *unit)?)?;
        rest = tail;
    }
    (!text.is_empty()).then(|| Duration::from_nanos(total))
}

fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (integer, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.len() > 9 {
        return None;
    }
    let parts = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = u128::from(whole(fraction)?) * u128::from(unit) / parts;
    whole(integer)?.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
}

fn whole(digits: &str) -> Option<u64> {
    // `u64::from_str` would also take a sign.
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        let cases = [
            ("5s", Some(5_000)),
            ("200ms", Some(200)),
            ("72h", Some(72 * 3_600_000)),
            ("30d", Some(30 * 86_400_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5s", Some(1_500)),
            ("0", Some(0)),
            ("", None),
            ("5", None),
            ("s", None),
            (".s", None),
            ("5 s", None),
            ("-5s", None),
            ("+5s", None),
            ("5w", None),
            ("1.2.3s", None),
            ("5s ", None),
            ("99999999999999d", None),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn byte_sizes_carry_their_unit() {
        let cases = [
            ("64MiB", Some(64 << 20)),
            ("1 GiB", Some(1 << 30)),
            ("4KB", Some(4_000)),
            ("7B", Some(7)),
            ("64", None),
            ("B", None),
            ("-1B", None),
            ("1.5MiB", None),
            ("99999999TiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(byte_size(text), bytes.map(ByteSize), "{text:?}");
        }
    }

    #[test]
    fn byte_sizes_read_back_as_they_print() {
        for bytes in [0, 1, 1023, 1024, 4 << 20, (4 << 20) + 1, 1 << 40] {
            let size = ByteSize(bytes);
            assert_eq!(byte_size(&size.to_string()), Some(size));
        }
        assert_eq!(ByteSize(64 << 20).to_string(), "64MiB");
    }
}
