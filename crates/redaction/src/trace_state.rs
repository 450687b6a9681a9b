//! Keeps of a W3C trace state only the OpenTelemetry member, and of that only what sampling needs.

use data_encoding::HEXLOWER;

/// Writes `ot=th:<hex>;rv:<hex>` anew from a trace state; nothing if it holds neither, or holds the member twice.
///
/// `th` is the sampling threshold, `rv` the explicit randomness of a trace, both of a fixed grammar
/// (OpenTelemetry specification, "TraceState: Probability Sampling").
pub(crate) fn opentelemetry(state: &str) -> Option<String> {
    match fields(state) {
        (Some(threshold), Some(randomness)) => Some(format!("ot=th:{threshold};rv:{randomness}")),
        (Some(threshold), None) => Some(format!("ot=th:{threshold}")),
        (None, Some(randomness)) => Some(format!("ot=rv:{randomness}")),
        (None, None) => None,
    }
}

/// The same for a trace whose id was blinded: its randomness is written out, or samplers would draw it from the new id.
pub(crate) fn blinded(state: &str, ids: Ids) -> String {
    let randomness = ids.randomness(state);
    match fields(state).0 {
        Some(threshold) => format!("ot=th:{threshold};rv:{randomness}"),
        None => format!("ot=rv:{randomness}"),
    }
}

/// The same with all else that the state holds, for what stays in its region.
pub(crate) fn blinded_at_home(state: &str, ids: Ids) -> String {
    let members = || state.split(',').map(str::trim).filter(|member| !member.is_empty());
    let own = members().filter_map(|member| member.strip_prefix("ot=")).flat_map(|value| value.split(';'));
    let kept = own.filter(|field| !field.is_empty() && !field.starts_with("rv:")).map(str::to_owned);
    let fields: Vec<String> = kept.chain([format!("rv:{}", ids.randomness(state))]).collect();
    let others = members().filter(|member| !member.starts_with("ot=")).map(str::to_owned);
    [format!("ot={}", fields.join(";"))].into_iter().chain(others).collect::<Vec<_>>().join(",")
}

/// A trace's id as it came and as it goes.
#[derive(Clone, Copy)]
pub(crate) struct Ids {
    pub(crate) raw: [u8; 16],
    pub(crate) blinded: [u8; 16],
}

impl Ids {
    /// What the sender wrote out, unless that is the id itself; else the first 16 bits of what the id gives and the rest of
    /// the new one: thresholds of four digits decide as before, and all 56 bits would be half of the id in clear.
    fn randomness(self, state: &str) -> String {
        let [_, _, _, _, _, _, _, _, _, kept @ ..] = self.raw;
        let [one, two, ..] = kept;
        let [.., b, c, d, e, f] = self.blinded;
        let explicit = fields(state).1.filter(|digits| *digits != HEXLOWER.encode(&kept));
        explicit.map_or_else(|| HEXLOWER.encode(&[one, two, b, c, d, e, f]), str::to_owned)
    }
}

/// Threshold and randomness, as far as they can be read in only one way.
fn fields(state: &str) -> (Option<&str>, Option<&str>) {
    let values = state.split(',').filter_map(|member| member.trim().strip_prefix("ot="));
    let [threshold, randomness] =
        ["th:", "rv:"].map(|key| only(values.clone().flat_map(|value| value.split(';')), key));
    let threshold = threshold.filter(|digits| (1..=14).contains(&digits.len()) && is_hex(digits));
    let randomness = randomness.filter(|digits| digits.len() == 14 && is_hex(digits));
    (threshold, randomness)
}

/// The value of the one field with this key; of two, readers could take either, so neither is taken.
fn only<'a>(fields: impl Iterator<Item = &'a str>, key: &str) -> Option<&'a str> {
    let mut found = fields.filter_map(|field| field.strip_prefix(key));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn is_hex(digits: &str) -> bool {
    digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: Ids =
        Ids { raw: *b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\xab\xcd\x0b\x0c\x0d\x0e\x0f", blinded: [0xee; 16] };

    /// Guarantees: what a sampler decides by four digits it decides as before, by the sender's own randomness it decides just
    /// so, and no more of the id than those digits is laid open.
    #[test]
    fn randomness_is_written_out_without_the_id() {
        for (state, kept, at_home) in [
            ("", "ot=rv:abcdeeeeeeeeee", "ot=rv:abcdeeeeeeeeee"),
            ("ot=th:8", "ot=th:8;rv:abcdeeeeeeeeee", "ot=th:8;rv:abcdeeeeeeeeee"),
            ("a=b, ot=rv:0123456789abcd;x:y;th:c", "ot=th:c;rv:0123456789abcd", "ot=x:y;th:c;rv:0123456789abcd,a=b"),
            ("ot=rv:abcd0b0c0d0e0f", "ot=rv:abcdeeeeeeeeee", "ot=rv:abcdeeeeeeeeee"),
            ("ot=rv:nothex", "ot=rv:abcdeeeeeeeeee", "ot=rv:abcdeeeeeeeeee"),
            ("a=b", "ot=rv:abcdeeeeeeeeee", "ot=rv:abcdeeeeeeeeee,a=b"),
        ] {
            assert_eq!((&*blinded(state, IDS), &*blinded_at_home(state, IDS)), (kept, at_home), "{state}");
        }
    }

    #[test]
    fn only_threshold_and_randomness_are_kept() {
        for (state, kept) in [
            ("ot=th:8", Some("ot=th:8")),
            ("vendor=jane, ot=rv:0123456789abcd;th:c;x:jane ,b=c", Some("ot=th:c;rv:0123456789abcd")),
            ("ot=rv:0123456789abcd", Some("ot=rv:0123456789abcd")),
            ("ot=th:xyz;rv:0123456789abcd", Some("ot=rv:0123456789abcd")),
            ("", None),
            ("vendor=jane", None),
            ("not=th:8", None),
            ("ot=th:", None),
            ("ot=th:0123456789abcde", None),
            ("ot=rv:0123", None),
            ("ot=th:8,ot=th:9", None),
            ("ot=th:8;th:8", None),
            ("ot=TH:8", None),
            ("ot=th:8A", None),
        ] {
            assert_eq!(opentelemetry(state).as_deref(), kept, "{state}");
        }
    }
}
