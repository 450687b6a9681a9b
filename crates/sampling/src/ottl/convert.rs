//! Values of one type as values of another, as the Collector turns them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::error::EvaluationError;
use super::float;
use super::functions::mismatch;
use super::lexer::unhex;
use super::paths::Part;
use super::values::{List, Value};

/// Values nested in values that are written out.
const DEPTH: usize = 100;

/// A value as text; nil is none.
pub(super) fn text(value: Value<'_>) -> Result<Option<Cow<'_, str>>, EvaluationError> {
    let mut out = String::new();
    match value {
        Value::Nil => return Ok(None),
        Value::Text(text) => return Ok(Some(text)),
        Value::Bytes(bytes) => bytes.iter().for_each(|byte| {
            let _ = write!(out, "{byte:02x}");
        }),
        other => json(&other, DEPTH, &mut out)?,
    }
    Ok(Some(out.into()))
}

/// The integer in a value; nil and text without one are none.
pub(super) fn int(value: &Value<'_>) -> Result<Option<i64>, EvaluationError> {
    match value {
        Value::Nil => Ok(None),
        Value::Int(int) => Ok(Some(*int)),
        Value::Bool(value) => Ok(Some(i64::from(*value))),
        Value::Double(double) => Ok(Some(truncated(*double))),
        Value::Text(text) => Ok(text.parse().ok()),
        other => Err(mismatch("what can be an integer", other)),
    }
}

/// What the machines that Go is built for make of a float that no integer can hold.
#[expect(clippy::cast_possible_truncation, reason = "checked against the bounds, which floats can hold")]
fn truncated(double: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&double) { double as i64 } else { i64::MIN }
}

/// The float in a value; nil is none.
pub(super) fn double(value: &Value<'_>) -> Result<Option<f64>, EvaluationError> {
    match value {
        Value::Nil => Ok(None),
        Value::Double(double) => Ok(Some(*double)),
        Value::Int(int) => Ok(Some(*int as f64)),
        Value::Bool(value) => Ok(Some(f64::from(u8::from(*value)))),
        Value::Text(text) => float::parse(text).map(Some).ok_or(EvaluationError::NotANumber),
        other => Err(mismatch("what can be a float", other)),
    }
}

/// An id, as its bytes or as twice as many hexadecimal digits.
pub(super) fn id<const N: usize>(value: &Value<'_>) -> Result<[u8; N], EvaluationError> {
    let bytes: Cow<'_, [u8]> = match value {
        Value::Nil => Cow::Borrowed(&[]),
        Value::Bytes(bytes) => Cow::Borrowed(bytes),
        Value::Text(text) => Cow::Borrowed(text.as_bytes()),
        Value::Bool(value) => Cow::Owned(vec![u8::from(*value)]),
        Value::Int(int) => Cow::Owned(int.to_be_bytes().to_vec()),
        Value::Double(double) => Cow::Owned(double.to_be_bytes().to_vec()),
        other => return Err(mismatch("what can be an id", other)),
    };
    let unhexed = || std::str::from_utf8(&bytes).ok().and_then(unhex);
    let decoded = if bytes.len() == 2 * N { unhexed() } else { Some(bytes.to_vec()) };
    decoded.and_then(|bytes| bytes.try_into().ok()).ok_or(EvaluationError::NotAnId(N))
}

pub(super) fn is_list(value: &Value<'_>) -> bool {
    matches!(value, Value::List(_) | Value::Part(Part::Events | Part::Links, _))
}

/// Writes a value as the Collector's JSON: keys sorted, bytes in base64, `<`, `>` and `&` escaped.
fn json(value: &Value<'_>, depth: usize, out: &mut String) -> Result<(), EvaluationError> {
    let depth = depth.checked_sub(1).ok_or(EvaluationError::TooDeep)?;
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(int) | Value::Duration(int) => push(out, int),
        Value::Double(double) => json_double(*double, out)?,
        Value::Text(text) => json_text(text, out),
        Value::Bytes(bytes) => base64(bytes, out),
        Value::Map(map) => {
            // Of two equal keys the last counts here.
            let pairs: BTreeMap<_, _> = map.pairs().collect::<Result<_, _>>()?;
            bracketed(out, ('{', '}'), pairs, |(key, value), out| {
                json_text(key, out);
                out.push(':');
                json(&value, depth, out)
            })?;
        }
        Value::List(list) => json_list(list, depth, out)?,
        Value::TraceId(id) => json_bytes(id.as_bytes(), out)?,
        Value::SpanId(id) => json_bytes(id.as_bytes(), out)?,
        Value::Part(..) => out.push_str("{}"),
        Value::Time(_) => return Err(mismatch("what can be text", value)),
    }
    Ok(())
}

fn json_list(list: &List<'_>, depth: usize, out: &mut String) -> Result<(), EvaluationError> {
    bracketed(out, ('[', ']'), list.iter(), |item, out| json(&item?, depth, out))
}

fn json_bytes(bytes: &[u8], out: &mut String) -> Result<(), EvaluationError> {
    bracketed(out, ('[', ']'), bytes, |byte, out| {
        push(out, byte);
        Ok(())
    })
}

fn bracketed<T>(
    out: &mut String,
    (open, close): (char, char),
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(T, &mut String) -> Result<(), EvaluationError>,
) -> Result<(), EvaluationError> {
    out.push(open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out)?;
    }
    out.push(close);
    Ok(())
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a string does not fail.
    let _ = write!(out, "{value}");
}

/// The shortest digits that read back, with an exponent outside of 1e-6 to 1e21.
fn json_double(double: f64, out: &mut String) -> Result<(), EvaluationError> {
    if !double.is_finite() {
        return Err(EvaluationError::NotANumber);
    }
    let size = double.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        push(out, double);
        return Ok(());
    }
    let digits = format!("{double:e}");
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    push(out, format_args!("{mantissa}e{sign}{exponent:0>2}"));
    Ok(())
}

fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                push(out, format_args!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn base64(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push('"');
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0, |group, at| group << 8 | u32::from(chunk.get(at).copied().unwrap_or_default()));
        for at in 0..4 {
            let digit = DIGITS.get((group >> (18 - 6 * at) & 63) as usize).copied().unwrap_or_default();
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out.push('"');
}

/// The cases that `ConvertCase` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Upper,
    Snake,
    Camel,
}

impl Case {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "snake" => Self::Snake,
            "camel" => Self::Camel,
            _ => return None,
        })
    }

    pub(super) fn convert(self, text: &str) -> String {
        match self {
            Self::Lower => text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect(),
            // Go turns letters into letters: one that becomes two stays.
            Self::Upper => text.chars().map(|c| alone(c.to_uppercase()).unwrap_or(c)).collect(),
            Self::Snake => snake(text.trim()),
            Self::Camel => camel(text.trim()),
        }
    }
}

fn alone(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

fn is_blank(c: char) -> bool {
    matches!(c, '_' | ' ' | '-' | '.')
}

/// `HTTPServer2Go` as `http_server_2_go`: a word ends where capitals, small letters and digits meet.
fn snake(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut before = None;
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let next = letters.peek().copied().unwrap_or_default();
        let (capital, small, digit) = (c.is_ascii_uppercase(), c.is_ascii_lowercase(), c.is_ascii_digit());
        let (to_capital, to_small, to_digit) =
            (next.is_ascii_uppercase(), next.is_ascii_lowercase(), next.is_ascii_digit());
        let ends =
            capital && (to_small || to_digit) || small && (to_capital || to_digit) || digit && (to_capital || to_small);
        // The last of several capitals begins the next word.
        if ends && capital && to_small && before.is_some_and(|before: char| before.is_ascii_uppercase()) {
            out.push('_');
        }
        out.push(if is_blank(c) { '_' } else { c.to_ascii_lowercase() });
        if ends && (small || digit || to_digit) {
            out.push('_');
        }
        before = Some(c);
    }
    out
}

/// `some_name` as `SomeName`; only letters and digits stay.
fn camel(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut raise, mut was_capital) = (true, false);
    for c in text.chars() {
        let is_capital = c.is_ascii_uppercase();
        if c.is_ascii_alphabetic() {
            out.push(match (raise, was_capital && is_capital) {
                (true, _) => c.to_ascii_uppercase(),
                (false, true) => c.to_ascii_lowercase(),
                (false, false) => c,
            });
            raise = false;
        } else if c.is_ascii_digit() {
            out.push(c);
            raise = true;
        } else {
            raise = is_blank(c);
        }
        was_capital = is_capital;
    }
    out
}
