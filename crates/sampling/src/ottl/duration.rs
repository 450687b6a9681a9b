//! Durations as Go writes them: `1.5s`, `2h45m`, `-300ms`.

use super::error::EvaluationError;

const FAULT: EvaluationError = EvaluationError::NotADuration;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Nanoseconds.
pub(super) fn parse(text: &str) -> Result<i64, EvaluationError> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    let mut sum = 0_u64;
    loop {
        let (part, after) = part(rest)?;
        sum = sum.checked_add(part).filter(|sum| *sum <= 1 << 63).ok_or(FAULT)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    match (negative, i64::try_from(sum)) {
        (false, sum) => sum.map_err(|_| FAULT),
        (true, sum) => Ok(sum.map_or(i64::MIN, |sum| -sum)),
    }
}

/// One number with its unit, and what follows.
fn part(text: &str) -> Result<(u64, &str), EvaluationError> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(FAULT);
    }
    let length = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at_checked(length).ok_or(FAULT)?;
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(FAULT)?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| FAULT)? };
    let whole = whole.checked_mul(*nanos).ok_or(FAULT)?;
    Ok((whole.checked_add(part_of(fraction, *nanos)).ok_or(FAULT)?, rest))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// A decimal fraction of a unit; digits that no 64 bits can hold are dropped, as in Go.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "less than one unit, and no less than zero"
)]
fn part_of(fraction: &str, nanos: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes() {
        let longer = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0')));
        let Some(longer) = longer.filter(|value| *value <= 1 << 63) else { break };
        value = longer;
        scale *= 10.0;
    }
    (value as f64 * (nanos as f64 / scale)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("5s", 5_000_000_000),
            ("1.5s", 1_500_000_000),
            ("2h45m", 9_900_000_000_000),
            ("-300ms", -300_000_000),
            (".5ms", 500_000),
            ("1\u{b5}s", 1_000),
            ("1\u{3bc}s1ns", 1_001),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse(text), Ok(nanos), "{text}");
        }
        for text in
            ["", "5", "s", ".s", "1d", "5 s", "+-5s", "9223372036854775808ns", "3000000h", "1s.", "1.2.3s", "\u{e9}s"]
        {
            assert_eq!(parse(text), Err(FAULT), "{text}");
        }
    }
}
