//! Keeps of a W3C trace state only the OpenTelemetry member, and of that only what sampling needs.

/// Writes `ot=th:<hex>;rv:<hex>` anew from a trace state; nothing if it holds neither, or holds the member twice.
///
/// `th` is the sampling threshold, `rv` the explicit randomness of a trace, both of a fixed grammar
/// (OpenTelemetry specification, "TraceState: Probability Sampling").
pub(crate) fn opentelemetry(state: &str) -> Option<String> {
    let values = state.split(',').filter_map(|member| member.trim().strip_prefix("ot="));
    let [threshold, randomness] =
        ["th:", "rv:"].map(|key| only(values.clone().flat_map(|value| value.split(';')), key));
    let threshold = threshold.filter(|digits| (1..=14).contains(&digits.len()) && is_hex(digits));
    let randomness = randomness.filter(|digits| digits.len() == 14 && is_hex(digits));
    match (threshold, randomness) {
        (Some(threshold), Some(randomness)) => Some(format!("ot=th:{threshold};rv:{randomness}")),
        (Some(threshold), None) => Some(format!("ot=th:{threshold}")),
        (None, Some(randomness)) => Some(format!("ot=rv:{randomness}")),
        (None, None) => None,
    }
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
