//! What a plain scalar is, by the core schema of YAML 1.2.2 (section 10.3.2), and its numbers.
//!
//! Promises:
//! 1. `no`, `off` and `yes` are text; only `true` and `false` are booleans.
//! 2. A quoted scalar is always text.

/// What a scalar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Nothing,
    Boolean,
    Integer,
    Float,
    Text,
}

impl Sort {
    pub(crate) fn of(text: &str, plain: bool) -> Self {
        match text {
            _ if !plain => Self::Text,
            "" | "~" | "null" | "Null" | "NULL" => Self::Nothing,
            "true" | "false" => Self::Boolean,
            _ if is_integer(text) => Self::Integer,
            _ if is_float(text) => Self::Float,
            _ => Self::Text,
        }
    }

    pub(crate) fn found(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Boolean => "a boolean (quote it if it is text)",
            Self::Integer | Self::Float => "a number (quote it if it is text)",
            Self::Text => "text",
        }
    }
}

/// The value of an integer scalar; `None` if it has more digits than any type here.
pub(crate) fn integer(text: &str) -> Option<i128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i128::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i128::from_str_radix(digits, 8).ok();
    }
    text.parse().ok()
}

fn is_integer(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    }
    is_digits(unsigned(text))
}

fn is_float(text: &str) -> bool {
    if matches!(text, ".nan" | ".NaN" | ".NAN") || matches!(unsigned(text), ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = match unsigned(text).split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned(text), None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.is_empty() || is_digits(part);
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| is_digits(unsigned(exponent)))
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let cases = [
            ("no", Sort::Text),
            ("off", Sort::Text),
            ("True", Sort::Text),
            ("true", Sort::Boolean),
            ("", Sort::Nothing),
            ("~", Sort::Nothing),
            ("007", Sort::Integer),
            ("-12", Sort::Integer),
            ("0x1F", Sort::Integer),
            ("0o17", Sort::Integer),
            ("0x", Sort::Text),
            ("1e3", Sort::Float),
            ("1.5", Sort::Float),
            (".5", Sort::Float),
            ("1.", Sort::Float),
            (".", Sort::Text),
            ("e3", Sort::Text),
            ("-.inf", Sort::Float),
            ("1.2.3", Sort::Text),
            ("0.0.0.0:4317", Sort::Text),
            ("2031-12-27", Sort::Text),
            ("5s", Sort::Text),
        ];
        for (text, sort) in cases {
            assert_eq!(Sort::of(text, true), sort, "{text:?}");
            assert_eq!(Sort::of(text, false), Sort::Text, "{text:?} quoted");
        }
    }

    #[test]
    fn integers_keep_their_base() {
        assert_eq!(integer("0x1F"), Some(31));
        assert_eq!(integer("0o17"), Some(15));
        assert_eq!(integer("010"), Some(10));
        assert_eq!(integer("+7"), Some(7));
        assert_eq!(integer(&"9".repeat(60)), None);
    }
}
