//! Text as a float, as Go's `strconv.ParseFloat` reads it: also with `_` between digits, and hexadecimal with a `p`.

/// What lies before the first bit that a float has of a number of 64 bits.
const REST: i64 = 11;
/// The exponents of the smallest and the largest number with all of its bits.
const SMALLEST: i64 = -1022;
const LARGEST: i64 = 1023;
/// Larger exponents are as good as this one.
const MOST: i64 = 1 << 20;

/// The float that a text is; `None` if it is none, or one beyond what floats can hold.
pub(super) fn parse(text: &str) -> Option<f64> {
    if !separates_digits(text) {
        return None;
    }
    let text = text.replace('_', "");
    let (sign, size) = match text.as_bytes().first()? {
        b'-' => (-1.0, text.get(1..)?),
        b'+' => (1.0, text.get(1..)?),
        _ => (1.0, text.as_str()),
    };
    if let Some(digits) = size.strip_prefix("0x").or_else(|| size.strip_prefix("0X")) {
        return Some(sign * hexadecimal(digits)?);
    }
    let double: f64 = text.parse().ok()?;
    let is_named = !size.bytes().any(|byte| byte.is_ascii_digit());
    let is_signed = text.len() > size.len();
    let is_go = if double.is_nan() { !is_signed } else { double.is_finite() || is_named };
    is_go.then_some(double)
}

/// Whether each `_` stands between digits, or between `0x` and one.
fn separates_digits(text: &str) -> bool {
    if !text.contains('_') {
        return true;
    }
    let digits = text.trim_start_matches(['+', '-']);
    let (digits, is_hexadecimal) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, true),
        None => (digits, false),
    };
    let is_digit = |byte: u8| byte.is_ascii_digit() || is_hexadecimal && byte.is_ascii_hexdigit();
    let mut before = is_hexadecimal.then_some(b'0');
    let mut bytes = digits.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'_' && !(before.is_some_and(is_digit) && bytes.peek().copied().is_some_and(is_digit)) {
            return false;
        }
        before = Some(byte);
    }
    true
}

/// Digits, perhaps with a point, then `p` and an exponent of two.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut exponent = self::exponent(exponent)?;
    let (mut number, mut is_more) = (0_u64, false);
    for (place, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = digit.to_digit(16)?;
        let fits = number >> 60 == 0;
        if fits {
            number = number << 4 | u64::from(digit);
        } else {
            is_more |= digit != 0;
        }
        // A digit that is left out makes the rest larger, one behind the point makes it smaller.
        exponent += 4 * (i64::from(!fits) - i64::from(place >= whole.len()));
    }
    rounded(number, is_more, exponent)
}

/// Decimal digits with or without a sign.
fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(MOST).min(MOST);
    Some(if text.starts_with('-') { -size } else { size })
}

/// The float next to a number times a power of two, the even one of two; the number may have more behind its last bit.
fn rounded(number: u64, is_more: bool, exponent: i64) -> Option<f64> {
    if number == 0 {
        return Some(0.0);
    }
    let zeros = number.leading_zeros();
    let scale = exponent - i64::from(zeros) + 63;
    if scale > LARGEST {
        return None;
    }
    // One more bit for all that is behind.
    let bits = u128::from(number << zeros) << 1 | u128::from(is_more);
    let dropped = u32::try_from(REST + 1 + (SMALLEST - scale).max(0)).ok().filter(|dropped| *dropped < u128::BITS);
    let Some(dropped) = dropped else { return Some(0.0) };
    let (kept, half) = (bits >> dropped, 1_u128 << (dropped - 1));
    let rest = bits & ((half << 1) - 1);
    let kept = u64::try_from(kept + u128::from(rest > half || rest == half && kept & 1 == 1)).ok()?;
    // The first bit counts as one of the exponent, and so does one that rounding adds.
    let of_exponent = u64::try_from((scale - SMALLEST).max(0)).ok()?;
    let double = f64::from_bits((of_exponent << 52) + kept);
    double.is_finite().then_some(double)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Go 1.26 answers.
    #[test]
    fn a_text_is_the_float_that_it_is_to_go() {
        for (text, float) in [
            ("1_000", 1000.0),
            ("0x1p4", 16.0),
            ("iNfInity", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e3", 1000.0),
            ("+42", 42.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("0_1", 1.0),
            ("0x_1p2", 4.0),
            ("0x.8p1", 1.0),
            ("0x1.p1", 2.0),
            ("1e-400", 0.0),
            ("1_0.5_0e1_0", 1.05e11),
            ("-0x1_Fp-1", -15.5),
            ("0X1P+2", 4.0),
            ("5e-324", 5e-324),
            ("0x1p-1074", 5e-324),
            ("0x0.8p-1074", 0.0),
            ("0x0.80000000000000000001p-1074", 5e-324),
            ("0x1.8p-1074", 1e-323),
            ("0x0.fffffffffffff8p-1022", 2.2250738585072014e-308),
            ("0x1.fffffffffffff7p1023", f64::MAX),
            ("0x123456789abcdef012345p0", 1_375_488_932_539_311_409_843_013.0),
            ("0x0p99999999999", 0.0),
            ("0x1p-99999999999", 0.0),
        ] {
            assert_eq!(parse(text), Some(float), "{text}");
        }
        assert!(parse("NaN").is_some_and(f64::is_nan));
        for text in [
            "",
            "+",
            "0x1F",
            "+NaN",
            "-nan",
            " 42",
            "1e",
            "1__0",
            "_1",
            "1_",
            "1e400",
            "0b1",
            "1_.5",
            "0x1p",
            "0xp1",
            "0x.p1",
            "e5",
            ".",
            "infi",
            "inf_",
            "0x1p1024",
            "0x1.fffffffffffff8p1023",
            "0x1p99999999999",
            "0x1p_1",
            "--1",
            "0x1gp1",
            "0x1p+-1",
            "é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
