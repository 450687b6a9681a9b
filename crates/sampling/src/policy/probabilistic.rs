//! The Collector's `probabilistic` policy: the same ids are kept here and there.

use tollgate_otlp::TraceId;

use crate::tracestate::Threshold;

/// The Collector's salt where none is configured.
const DEFAULT_SALT: &str = "default-hash-seed";

/// FNV-1a, 64 bit: offset basis and prime of its reference.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A share of all traces, chosen by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// The hash after the salt; what is left to hash is the id.
    salted: u64,
    threshold: u64,
    /// The same share by consistent sampling; `None` keeps nothing.
    consistent: Option<Threshold>,
}

impl Share {
    pub(crate) fn new(percentage: f64, salt: &str) -> Self {
        let salt = if salt.is_empty() { DEFAULT_SALT } else { salt };
        Self {
            salted: fnv1a(OFFSET_BASIS, salt.as_bytes()),
            threshold: threshold(percentage / 100.0),
            consistent: Threshold::of_ratio(percentage / 100.0),
        }
    }

    /// The threshold in the mode that goes by the trace state.
    pub(crate) fn consistently(&self) -> Option<Threshold> {
        self.consistent
    }

    pub(crate) fn contains(&self, trace: &TraceId) -> bool {
        fnv1a(self.salted, trace.as_bytes()) <= self.threshold
    }
}

fn fnv1a(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// The largest hash that is kept: `floor(u64::MAX * ratio)`, exactly. (The Collector's big floats round to 64 bits before
/// they truncate; for a double times `u64::MAX` that never reaches the next integer.)
fn threshold(ratio: f64) -> u64 {
    if ratio >= 1.0 {
        return u64::MAX;
    }
    // Far below 2^-64 only hash zero is left; NaN and negative ratios are refused when the policy is read.
    if ratio.is_nan() || ratio < f64::MIN_POSITIVE {
        return 0;
    }
    // A positive normal double is mantissa * 2^(exponent - 1075); below one, the exponent is below 1023.
    let bits = ratio.to_bits();
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let shift = 1075_u64.saturating_sub(bits >> 52);
    let product = u128::from(u64::MAX) * u128::from(mantissa);
    let whole = u32::try_from(shift).ok().and_then(|shift| product.checked_shr(shift)).unwrap_or(0);
    u64::try_from(whole).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_hash_is_fnv1a_of_its_reference() {
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(fnv1a(OFFSET_BASIS, text.as_bytes()), hash, "{text}");
        }
    }

    /// Bit by bit in 128 bits, sharing nothing with the code above.
    fn expected_hash(salt: &str, id: [u8; 16]) -> u64 {
        let mut hash: u128 = 14_695_981_039_346_656_037;
        for byte in salt.bytes().chain(id) {
            hash ^= u128::from(byte);
            hash = hash * 1_099_511_628_211 % (1 << 64);
        }
        u64::try_from(hash).unwrap()
    }

    #[test]
    fn thresholds_are_the_collectors() {
        // Worked out with exact fractions: the double nearest to the ratio, times 2^64 - 1, to 64 bits, truncated.
        for (percentage, expected) in [
            (0.0, 0),
            (1e-20, 0),
            (0.001, 184_467_440_737_095),
            (1.0, 184_467_440_737_095_519),
            (10.0, 1_844_674_407_370_955_263),
            (33.3, 6_142_765_776_545_279_999),
            (50.0, 9_223_372_036_854_775_807),
            (66.6, 12_285_531_553_090_559_999),
            (90.0, 16_602_069_666_338_596_863),
            (99.999_999_999_999_99, 18_446_744_073_709_549_567),
            (100.0, u64::MAX),
            (150.0, u64::MAX),
        ] {
            assert_eq!(Share::new(percentage, "").threshold, expected, "{percentage}");
        }
    }

    #[test]
    fn an_empty_salt_means_the_default_and_salts_decide() {
        assert_eq!(Share::new(10.0, ""), Share::new(10.0, "default-hash-seed"));
        assert_ne!(Share::new(10.0, ""), Share::new(10.0, "other"));
    }

    #[test]
    fn ten_percent_keep_about_a_tenth() {
        let share = Share::new(10.0, "");
        let mut state = 1_u128;
        let kept = (0..100_000).filter(|_| {
            state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
            share.contains(&TraceId(state.to_be_bytes()))
        });
        let kept = kept.count();
        assert!((9_700..10_300).contains(&kept), "{kept}");
    }

    proptest! {
        #[test]
        fn kept_is_what_the_collectors_formula_keeps(percentage in 0.0_f64..110.0, salt in "[a-z]{0,8}", id: [u8; 16]) {
            let salted = if salt.is_empty() { "default-hash-seed" } else { &salt };
            let share = Share::new(percentage, &salt);
            prop_assert_eq!(share.contains(&TraceId(id)), expected_hash(salted, id) <= share.threshold);
        }

        #[test]
        fn a_larger_share_contains_the_smaller(low in 0.0_f64..100.0, more in 0.0_f64..50.0, id: [u8; 16]) {
            let (small, large) = (Share::new(low, ""), Share::new(low + more, ""));
            prop_assert!(!small.contains(&TraceId(id)) || large.contains(&TraceId(id)));
        }
    }
}
