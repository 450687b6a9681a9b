//! The words of a condition, as the Collector's lexer cuts them.

use super::error::{SyntaxError, SyntaxFault};
use super::syntax::Comparison;

/// One word and where it begins, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) word: Word<'t>,
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word<'t> {
    Bytes(Vec<u8>),
    Double(f64),
    Int(i64),
    Text(String),
    Nil,
    Not,
    Or,
    And,
    Bool(bool),
    Compare(Comparison),
    Arrow,
    Plus,
    Minus,
    Times,
    Over,
    Equal,
    Open,
    Close,
    OpenBrace,
    CloseBrace,
    OpenKey,
    CloseKey,
    Colon,
    Comma,
    Dot,
    /// `[A-Z][A-Z0-9_]*`
    Upper(&'t str),
    /// `[a-z][a-z0-9_]*`, if it is no keyword.
    Lower(&'t str),
    End,
}

/// Cuts a condition; the last word is [`Word::End`].
pub(super) fn words(text: &str) -> Result<Vec<Token<'_>>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        at += rest.len() - rest.trim_start_matches(is_space).len();
        let rest = text.get(at..).unwrap_or_default();
        if rest.is_empty() {
            tokens.push(Token { word: Word::End, at });
            return Ok(tokens);
        }
        let (word, taken) = word(rest).map_err(|fault| SyntaxError { column: column(text, at), fault })?;
        tokens.push(Token { word, at });
        at += taken;
    }
}

/// The column of a place, in characters from 1.
pub(super) fn column(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or(text).chars().count()
}

fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ')
}

fn word(rest: &str) -> Result<(Word<'_>, usize), SyntaxFault> {
    let mut bytes = rest.bytes();
    match (bytes.next().unwrap_or_default(), bytes.next().unwrap_or_default()) {
        (b'0'..=b'9', _) | (b'.', b'0'..=b'9') => number(rest),
        (b'"', _) => text(rest),
        (b'A'..=b'Z', _) => {
            let word = run(rest, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
            Ok((Word::Upper(word), word.len()))
        }
        (b'a'..=b'z', _) => {
            let word = run(rest, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            let alone = !rest.get(word.len()..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
            Ok((keyword(word).filter(|_| alone).unwrap_or(Word::Lower(word)), word.len()))
        }
        (first, second) => sign(first, second).ok_or(SyntaxFault::Character),
    }
}

fn keyword(word: &str) -> Option<Word<'static>> {
    Some(match word {
        "nil" => Word::Nil,
        "not" => Word::Not,
        "or" => Word::Or,
        "and" => Word::And,
        "true" => Word::Bool(true),
        "false" => Word::Bool(false),
        _ => return None,
    })
}

fn sign(first: u8, second: u8) -> Option<(Word<'static>, usize)> {
    Some(match (first, second) {
        (b'=', b'=') => (Word::Compare(Comparison::Equal), 2),
        (b'!', b'=') => (Word::Compare(Comparison::NotEqual), 2),
        (b'>', b'=') => (Word::Compare(Comparison::AtLeast), 2),
        (b'<', b'=') => (Word::Compare(Comparison::AtMost), 2),
        (b'=', b'>') => (Word::Arrow, 2),
        (b'>', _) => (Word::Compare(Comparison::Above), 1),
        (b'<', _) => (Word::Compare(Comparison::Below), 1),
        (b'+', _) => (Word::Plus, 1),
        (b'-', _) => (Word::Minus, 1),
        (b'*', _) => (Word::Times, 1),
        (b'/', _) => (Word::Over, 1),
        (b'=', _) => (Word::Equal, 1),
        (b'(', _) => (Word::Open, 1),
        (b')', _) => (Word::Close, 1),
        (b'{', _) => (Word::OpenBrace, 1),
        (b'}', _) => (Word::CloseBrace, 1),
        (b'[', _) => (Word::OpenKey, 1),
        (b']', _) => (Word::CloseKey, 1),
        (b':', _) => (Word::Colon, 1),
        (b',', _) => (Word::Comma, 1),
        (b'.', _) => (Word::Dot, 1),
        _ => return None,
    })
}

/// The longest start of `rest` whose bytes all pass.
fn run(rest: &str, pass: impl Fn(u8) -> bool) -> &str {
    let length = rest.bytes().take_while(|byte| pass(*byte)).count();
    rest.get(..length).unwrap_or_default()
}

fn digits(rest: &str) -> &str {
    run(rest, |byte| byte.is_ascii_digit())
}

fn number(rest: &str) -> Result<(Word<'_>, usize), SyntaxFault> {
    if let Some(hex) = rest.strip_prefix("0x").map(|hex| run(hex, |byte| byte.is_ascii_hexdigit()))
        && !hex.is_empty()
    {
        return Ok((Word::Bytes(unhex(hex).ok_or(SyntaxFault::Bytes)?), 2 + hex.len()));
    }
    let whole = digits(rest).len();
    let Some(fraction) = rest.get(whole..).and_then(|rest| rest.strip_prefix('.')) else {
        return integer(digits(rest)).map(|int| (Word::Int(int), whole)).ok_or(SyntaxFault::Number);
    };
    let mut length = whole + 1 + digits(fraction).len();
    length += exponent(rest.get(length..).unwrap_or_default());
    let double: f64 = rest.get(..length).unwrap_or_default().parse().map_err(|_| SyntaxFault::Number)?;
    if double.is_finite() { Ok((Word::Double(double), length)) } else { Err(SyntaxFault::Number) }
}

/// The length of `e5`, `E+5` or the like; zero if there is none.
fn exponent(rest: &str) -> usize {
    let Some(after) = rest.strip_prefix(['e', 'E']) else { return 0 };
    let signed = after.strip_prefix(['+', '-']).unwrap_or(after);
    match digits(signed).len() {
        0 => 0,
        digits => rest.len() - signed.len() + digits,
    }
}

/// Go reads a number with a leading zero as an octal one.
fn integer(digits: &str) -> Option<i64> {
    match digits.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => i64::from_str_radix(octal, 8).ok(),
        _ => digits.parse().ok(),
    }
}

/// Hexadecimal digits as bytes.
pub(super) fn unhex(hex: &str) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, []) = nibbles.as_deref()?.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| u8::try_from(high << 4 | low).ok()).collect()
}

/// Text in double quotes, with the escapes of Go.
fn text(rest: &str) -> Result<(Word<'_>, usize), SyntaxFault> {
    let mut out = Vec::new();
    let mut at = 1;
    loop {
        let rest = rest.get(at..).unwrap_or_default();
        match rest.chars().next() {
            None => return Err(SyntaxFault::Unterminated),
            Some('"') => {
                let text = String::from_utf8(out).map_err(|_| SyntaxFault::Escape)?;
                return Ok((Word::Text(text), at + 1));
            }
            Some('\\') => at += escape(rest, &mut out)?,
            Some('\n') => return Err(SyntaxFault::Unterminated),
            Some(c) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at += c.len_utf8();
            }
        }
    }
}

/// Takes one escape into `out` and returns its length.
fn escape(rest: &str, out: &mut Vec<u8>) -> Result<usize, SyntaxFault> {
    let letter = rest.as_bytes().get(1).copied().ok_or(SyntaxFault::Unterminated)?;
    let plain = match letter {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' | b'"' => letter,
        _ => return coded(rest, letter, out),
    };
    out.push(plain);
    Ok(2)
}

/// `\x41`, `\101`, `\u0041` and `\U00000041`.
fn coded(rest: &str, letter: u8, out: &mut Vec<u8>) -> Result<usize, SyntaxFault> {
    let (from, to, radix) = match letter {
        b'x' => (2, 4, 16),
        b'u' => (2, 6, 16),
        b'U' => (2, 10, 16),
        b'0'..=b'7' => (1, 4, 8),
        _ => return Err(SyntaxFault::Escape),
    };
    let digits = rest.get(from..to).filter(|digits| digits.chars().all(|digit| digit.is_digit(radix)));
    let code = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()).ok_or(SyntaxFault::Escape)?;
    if matches!(letter, b'u' | b'U') {
        let c = char::from_u32(code).ok_or(SyntaxFault::Escape)?;
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.push(u8::try_from(code).map_err(|_| SyntaxFault::Escape)?);
    }
    Ok(to)
}

impl Word<'_> {
    /// What a person calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "bytes",
            Self::Double(_) | Self::Int(_) => "a number",
            Self::Text(_) => "text",
            Self::Nil => "nil",
            Self::Not => "not",
            Self::Or => "or",
            Self::And => "and",
            Self::Bool(_) => "true or false",
            Self::Compare(_) => "a comparison",
            Self::Arrow => "=>",
            Self::Plus | Self::Minus | Self::Times | Self::Over => "an operator",
            Self::Equal => "=",
            Self::Open => "(",
            Self::Close => ")",
            Self::OpenBrace => "{",
            Self::CloseBrace => "}",
            Self::OpenKey => "[",
            Self::CloseKey => "]",
            Self::Colon => ":",
            Self::Comma => "a comma",
            Self::Dot => "a dot",
            Self::Upper(_) | Self::Lower(_) => "a name",
            Self::End => "the end",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<Word<'_>> {
        words(text).unwrap().into_iter().map(|token| token.word).collect()
    }

    #[test]
    fn numbers_are_go_numbers() {
        assert_eq!(
            cut("5 010 5. .5 1.5e-3 0x0aFF"),
            [
                Word::Int(5),
                Word::Int(8),
                Word::Double(5.0),
                Word::Double(0.5),
                Word::Double(0.0015),
                Word::Bytes(vec![0x0a, 0xff]),
                Word::End,
            ]
        );
        assert_eq!(words("9223372036854775808").unwrap_err().fault, SyntaxFault::Number);
        assert_eq!(words("0xabc").unwrap_err().fault, SyntaxFault::Bytes);
    }

    #[test]
    fn text_takes_the_escapes_of_go() {
        assert_eq!(
            cut(r#""a\"b\\d\n\x41\101\u00e9\U0001F600""#)[0],
            Word::Text("a\"b\\d\nAA\u{e9}\u{1f600}".to_owned())
        );
        for (text, fault) in [
            (r#""\d""#, SyntaxFault::Escape),
            (r#""\'""#, SyntaxFault::Escape),
            (r#""\xff""#, SyntaxFault::Escape),
            (r#""\u00""#, SyntaxFault::Escape),
            (r#""open"#, SyntaxFault::Unterminated),
            ("\"two\nlines\"", SyntaxFault::Unterminated),
            (r#""end\"#, SyntaxFault::Unterminated),
        ] {
            assert_eq!(words(text).unwrap_err().fault, fault, "{text}");
        }
    }

    #[test]
    fn keywords_end_where_a_word_ends() {
        assert_eq!(
            cut("nil nil_x orders notX"),
            [Word::Nil, Word::Lower("nil_x"), Word::Lower("orders"), Word::Lower("not"), Word::Upper("X"), Word::End,]
        );
    }

    #[test]
    fn a_column_counts_characters() {
        let error = words("\"\u{e9}\u{1f600}\" $").unwrap_err();
        assert_eq!((error.column, error.fault), (6, SyntaxFault::Character));
    }
}
