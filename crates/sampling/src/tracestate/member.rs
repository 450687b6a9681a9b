//! OpenTelemetry's member of a trace state (`ot`): what it says of sampling, and how it is written after a verdict.
//!
//! Promises:
//! 1. A threshold that is written is true: the trace's randomness is not below it, and no lower one replaces a higher.
//! 2. Where the probability is not known, or two readers could take two thresholds, none is left standing.
//! 3. All else in the trace state stays, in its order, but the last of 32 members where `ot` comes to them, as W3C Trace Context
//!    has it; a trace state that is not valid is left alone.

use tollgate_otlp::TraceId;

use super::members;
use super::threshold::{Randomness, Threshold};

pub(super) const KEY: &str = "ot";
pub(super) const THRESHOLD: &str = "th";
pub(super) const RANDOMNESS: &str = "rv";
/// The longest value of the member, and the largest number of members.
const LONGEST: usize = 256;
const MOST: usize = 32;

/// By which probability a trace was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// By consistent sampling with this threshold.
    At(Threshold),
    /// By no probability that could be told: a rate limit, an error, a verdict of a set without trace states.
    Unknown,
}

/// The randomness that a trace state names.
pub(crate) fn randomness(state: &str) -> Option<Randomness> {
    let members = members(state)?;
    let (_, value) = members.iter().find(|(key, _)| *key == KEY)?;
    Randomness::parse(only(value, RANDOMNESS)?)
}

/// The trace state of a kept span of this trace; `None` if it stays as it is.
#[must_use]
pub fn after(state: &str, trace: &TraceId, kept: Kept) -> Option<String> {
    let members = members(state)?;
    let value = members.iter().find(|(key, _)| *key == KEY).map_or("", |(_, value)| value);
    let stated = only(value, THRESHOLD).and_then(Threshold::parse);
    let has_one = fields(value).any(|(key, _)| key == THRESHOLD);
    let randomness = only(value, RANDOMNESS).and_then(Randomness::parse).unwrap_or_else(|| Randomness::of(trace));
    let threshold = match (kept, stated) {
        (Kept::At(threshold), Some(stated)) => Some(threshold.max(stated)),
        (Kept::At(threshold), None) if !has_one => Some(threshold),
        _ => None,
    };
    let threshold = threshold.filter(|threshold| threshold.keeps(randomness));
    let stays = if has_one { stated.is_some() && threshold == stated } else { threshold.is_none() };
    (!stays).then(|| written(&members, value, threshold))
}

/// The member that changed stands first (W3C Trace Context, section 3.5).
fn written(members: &[(&str, &str)], value: &str, threshold: Option<Threshold>) -> String {
    let others = || fields(value).filter(|(key, _)| *key != THRESHOLD).map(|(key, value)| format!("{key}:{value}"));
    let with = |threshold: Option<Threshold>| {
        let threshold = threshold.map(|threshold| format!("{THRESHOLD}:{}", threshold.digits()));
        threshold.into_iter().chain(others()).collect::<Vec<_>>().join(";")
    };
    let own = Some(with(threshold)).filter(|own| own.len() <= LONGEST).unwrap_or_else(|| with(None));
    let own = (!own.is_empty()).then(|| format!("{KEY}={own}"));
    let rest = members.iter().filter(|(key, _)| *key != KEY).map(|(key, value)| format!("{key}={value}"));
    own.into_iter().chain(rest).take(MOST).collect::<Vec<_>>().join(",")
}

pub(super) fn fields(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(';').filter_map(|field| field.split_once(':'))
}

/// The value of the one field with this key; of two, readers could take either.
pub(super) fn only<'v>(value: &'v str, key: &str) -> Option<&'v str> {
    let mut found = fields(value).filter(|(name, _)| *name == key);
    let (_, first) = found.next()?;
    found.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Its randomness is 80000000000000: half of all.
    const HALF: TraceId = TraceId([1, 1, 1, 1, 1, 1, 1, 1, 1, 0x80, 0, 0, 0, 0, 0, 0]);

    fn at(digits: &str) -> Kept {
        Kept::At(Threshold::parse(digits).unwrap())
    }

    #[test]
    fn a_kept_span_says_by_which_threshold() {
        for (state, kept, expected) in [
            ("", at("8"), Some("ot=th:8")),
            ("", at("0"), Some("ot=th:0")),
            ("a=b,c=d", at("4"), Some("ot=th:4,a=b,c=d")),
            ("a=b,ot=rv:ff000000000000;x:y", at("fe"), Some("ot=th:fe;rv:ff000000000000;x:y,a=b")),
            ("ot=th:4", at("8"), Some("ot=th:8")),
            ("ot=th:8", at("4"), None),
            ("ot=th:8", at("0"), None),
            ("ot=th:8", Kept::Unknown, Some("")),
            ("ot=th:8;x:y,a=b", Kept::Unknown, Some("ot=x:y,a=b")),
            ("a=b", Kept::Unknown, None),
            ("not a trace state", at("8"), None),
        ] {
            assert_eq!(after(state, &HALF, kept).as_deref(), expected, "{state}");
        }
    }

    #[test]
    fn a_threshold_that_is_not_true_is_erased() {
        for state in ["ot=th:c", "ot=th:8;th:4", "ot=th:", "ot=th:8A", "ot=rv:00000000000000;th:8"] {
            let after = after(state, &HALF, at("0")).unwrap();
            assert!(!after.contains("th:"), "{state}: {after}");
        }
        assert_eq!(after("", &HALF, at("c")), None, "no threshold above the randomness is written");
    }

    proptest! {
        /// Guarantees: whatever came in, a threshold that goes out is true of the randomness that goes out, and no smaller.
        #[test]
        fn what_is_written_is_consistent(
            state in "(ot=(th:[0-9a-f]{1,15};?)?(rv:[0-9a-f]{13,14};?)?(x:y)?,?)?([a-c]=[0-9]{1,3},?){0,3}", id: [u8; 16], ratio in 0.001_f64..1.0,
        ) {
            let (trace, threshold) = (TraceId(id), Threshold::of_ratio(ratio).unwrap());
            let Some(written) = after(&state, &trace, Kept::At(threshold)) else { return Ok(()) };
            let all = members(&written);
            prop_assert!(all.is_some(), "{}", written);
            let randomness = randomness(&written).unwrap_or_else(|| Randomness::of(&trace));
            let value = all.unwrap().into_iter().find(|(key, _)| *key == KEY).map_or("", |(_, value)| value);
            if let Some(stated) = only(value, THRESHOLD) {
                let stated = Threshold::parse(stated).unwrap();
                prop_assert!(stated >= threshold && stated.keeps(randomness));
            }
        }
    }
}
