//! Consistent probability sampling (OpenTelemetry specification, "TraceState: Probability Sampling"): a trace with randomness R
//! is kept where R is not below the threshold T, both of 56 bits.

use tollgate_otlp::TraceId;

/// How many thresholds there are.
const ALL: u64 = 1 << 56;
/// Hexadecimal digits of a threshold or of randomness.
const DIGITS: usize = 14;
/// Digits that are written behind the leading `f`s (OpenTelemetry specification, "TraceState: Probability Sampling").
const PRECISION: usize = 4;

/// Traces with less randomness are left out. Zero keeps all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u64);

/// What is random of a trace: 56 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Randomness(pub(crate) u64);

impl Threshold {
    /// Keeps every trace.
    pub const ALWAYS: Self = Self(0);
    /// Keeps as little as any.
    pub(crate) const HIGHEST: Self = Self(ALL - 1);

    /// The threshold that keeps this share, as the Collector computes it; `None` if it is too small to keep anything.
    pub(crate) fn of_ratio(ratio: f64) -> Option<Self> {
        if ratio >= 1.0 {
            return Some(Self::ALWAYS);
        }
        let kept = (ratio * ALL as f64).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^56")]
        let kept = kept as u64;
        (kept > 0).then(|| Self(ALL - kept))
    }

    /// The same in four digits beyond the leading `f`s, as SDKs and the Collector write it: that is exact enough, and decides
    /// alike by a randomness of which only so much is left.
    pub(crate) fn written(ratio: f64) -> Option<Self> {
        let Self(exact) = Self::of_ratio(ratio)?;
        let leading = (ALL - exact).leading_zeros().saturating_sub(u64::BITS - 56) / 4;
        let digits_less = DIGITS.saturating_sub(PRECISION + leading as usize);
        let unit = 1_u64 << (4 * digits_less);
        let rounded = (exact + unit / 2) / unit * unit;
        Some(Self(rounded)).filter(|rounded| rounded.0 < ALL)
    }

    /// Reads one to fourteen digits; the zeros behind them are left out.
    pub(crate) fn parse(digits: &str) -> Option<Self> {
        let (number, missing) = (hexadecimal(digits)?, DIGITS.checked_sub(digits.len())?);
        Some(Self(number << (4 * missing)))
    }

    /// As it stands in a trace state.
    pub(crate) fn digits(self) -> String {
        let digits = format!("{:014x}", self.0);
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() { "0".to_owned() } else { significant.to_owned() }
    }

    /// As a number, for the journal.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// The threshold of a number, if it is one.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        (number < ALL).then_some(Self(number))
    }

    pub(crate) fn keeps(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    /// The share of all traces that it keeps.
    pub(crate) fn probability(self) -> f64 {
        (ALL - self.0) as f64 / ALL as f64
    }

    /// How often the share that it keeps is halved, rounded down: 0 to 56.
    pub(crate) fn octave(self) -> usize {
        (56_u32.saturating_sub((ALL - self.0).checked_ilog2().unwrap_or(0))) as usize
    }

    /// How many traces one that is kept stands for.
    #[cfg(test)]
    pub(crate) fn adjusted_count(self) -> f64 {
        1.0 / self.probability()
    }
}

impl Randomness {
    /// Of an id: its last seven bytes.
    pub(crate) fn of(trace: &TraceId) -> Self {
        let [.., a, b, c, d, e, f, g] = *trace.as_bytes();
        Self(u64::from_be_bytes([0, a, b, c, d, e, f, g]))
    }

    /// Reads exactly fourteen digits.
    pub(crate) fn parse(digits: &str) -> Option<Self> {
        (digits.len() == DIGITS).then(|| hexadecimal(digits)).flatten().map(Self)
    }
}

fn hexadecimal(digits: &str) -> Option<u64> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let fits = (1..=DIGITS).contains(&digits.len()) && digits.bytes().all(is_digit);
    if fits { u64::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification, with full precision.
    #[test]
    fn thresholds_are_written_as_the_specification_says() {
        for (ratio, digits) in [(1.0, "0"), (0.5, "8"), (0.25, "c"), (0.01, "fd70a3d70a3d7"), (0.1, "e6666666666666")] {
            let threshold = Threshold::of_ratio(ratio).unwrap();
            assert_eq!(&threshold.digits()[..digits.len().min(12)], &digits[..digits.len().min(12)], "{ratio}");
            assert_eq!(Threshold::parse(&threshold.digits()), Some(threshold));
            assert!((threshold.adjusted_count() * ratio - 1.0).abs() < 1e-9);
        }
        assert_eq!(Threshold::of_ratio(0.0), None);
        assert_eq!(Threshold::of_ratio(1e-18), None);
        assert_eq!(Threshold::parse("8"), Some(Threshold(ALL / 2)));
        for none in ["", "8A", "g", "0123456789abcde", "+1"] {
            assert_eq!(Threshold::parse(none), None, "{none}");
        }
    }

    #[test]
    fn four_digits_are_written_behind_the_leading_ones() {
        for (ratio, digits) in
            [(1.0, "0"), (0.5, "8"), (0.1, "e666"), (0.01, "fd70a"), (1.0 / 3.0, "aaab"), (0.999, "0042")]
        {
            assert_eq!(Threshold::written(ratio).unwrap().digits(), digits, "{ratio}");
        }
        assert_eq!(Threshold::written(1e-16).map(Threshold::digits).as_deref(), Some("fffffffffffff9"));
        for (digits, octave) in [("0", 0), ("8", 1), ("80000000000001", 2), ("c", 2), ("ffffffffffffff", 56)] {
            assert_eq!(Threshold::parse(digits).unwrap().octave(), octave, "{digits}");
        }
    }

    #[test]
    fn randomness_is_the_end_of_the_id() {
        let randomness =
            Randomness::of(&TraceId([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(randomness, Randomness::parse("01020304050607").unwrap());
        assert!(Threshold::ALWAYS.keeps(Randomness(0)) && !Threshold(1).keeps(Randomness(0)));
        assert_eq!(Randomness::parse("0102030405060"), None);
    }
}
