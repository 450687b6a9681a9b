//! Fewer traces before the tail: what a cluster's collectors or a link leave out, by consistent probability and by rate.
//!
//! Promises:
//! 1. Whatever is written leaves something in: a share or a rate of nothing is a fault, since that is no link or no signal.
//! 2. Without the key nothing is left out.

use tollgate_config::{ByteSize, Read, Value};

/// What is let through of all traces. At least one of the three is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thinning {
    /// So many of a hundred traces, above 0 and up to 100.
    pub percentage: Option<f64>,
    /// So many spans a second, on average.
    pub spans_per_second: Option<u64>,
    /// So many bytes of spans a second, on average.
    pub bytes_per_second: Option<ByteSize>,
}

impl Thinning {
    fn is_empty(&self) -> bool {
        self.percentage.is_none() && self.spans_per_second.is_none() && self.bytes_per_second.is_none()
    }
}

impl Read for Thinning {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let percentage = optional(fields.value("sampling_percentage"), "above 0 and up to 100", |share: &f64| {
            *share >= SMALLEST && *share <= 100.0
        });
        let spans = optional(fields.value("spans_per_second"), "at least 1", |rate: &u64| *rate > 0);
        let bytes = optional(fields.value("bytes_per_second"), "at least 1B", |rate: &ByteSize| rate.bytes() > 0);
        fields.done();
        let read = Self { percentage: percentage?, spans_per_second: spans?, bytes_per_second: bytes? };
        if read.is_empty() {
            value.fault("needs sampling_percentage, spans_per_second or bytes_per_second");
            return None;
        }
        Some(read)
    }
}

/// Below this no threshold of 56 bits keeps anything (OpenTelemetry specification, "TraceState: Probability Sampling").
const SMALLEST: f64 = 100.0 / (1_u64 << 56) as f64;

/// A key that may be missing; the outer `None` is a fault.
#[expect(clippy::option_option, reason = "a key that is missing is no fault")]
fn optional<T: Read>(value: Option<Value<'_>>, range: &str, fits: impl Fn(&T) -> bool) -> Option<Option<T>> {
    let Some(value) = value else { return Some(None) };
    let read = value.read::<T>()?;
    if !fits(&read) {
        value.fault(format_args!("out of range, expected {range}"));
        return None;
    }
    Some(Some(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Thinning, String> {
        let (document, faults) = tollgate_config::parse("regions/eu-west.yaml", text);
        let read = document.root(&faults).read::<Thinning>();
        read.filter(|_| faults.is_empty()).ok_or_else(|| faults.to_string())
    }

    #[test]
    fn a_share_and_rates_are_read() {
        let all = read("{sampling_percentage: 12.5, spans_per_second: 500, bytes_per_second: 2MiB}").unwrap();
        let expected =
            Thinning { percentage: Some(12.5), spans_per_second: Some(500), bytes_per_second: Some(ByteSize(2 << 20)) };
        assert_eq!(all, expected);
        assert_eq!(read("{sampling_percentage: 100}").unwrap().spans_per_second, None);
    }

    #[test]
    fn what_leaves_nothing_in_or_means_nothing_is_a_fault() {
        for (text, fault) in [
            ("{}", "1:1: needs sampling_percentage, spans_per_second or bytes_per_second"),
            ("{sampling_percentage: 0}", "out of range, expected above 0 and up to 100"),
            ("{sampling_percentage: 100.1}", "out of range, expected above 0 and up to 100"),
            ("{sampling_percentage: -1}", "out of range, expected above 0 and up to 100"),
            ("{sampling_percentage: 10%}", "expected a finite number"),
            ("{spans_per_second: 0}", "expected at least 1"),
            ("{bytes_per_second: 0B}", "expected at least 1B"),
            ("{spans_per_second: 5, burst: 3}", "burst"),
        ] {
            let found = read(text).unwrap_err();
            assert!(found.contains(fault), "{text}: {found}");
        }
    }
}
