//! What a backslash begins where it stands for one character or for a class.

use super::cursor::Cursor;
use super::names::{self, Of};
use super::refused::{Fault, Refused};

/// The last character there is.
const LAST: u32 = 0x10_ffff;

/// A character by its number; the numbers between U+D800 and U+DFFF are those of none, and match nothing.
pub(super) type Number = u32;

/// `\d`, `\pN` and their like, as a class that can stand alone or in another; `None` if none comes next.
pub(super) fn class(text: &mut Cursor<'_>) -> Result<Option<String>, Refused> {
    let at = *text;
    let mut after = at;
    if !after.eat("\\") {
        return Ok(None);
    }
    let class = match after.next() {
        Some(letter @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => perl(letter).to_owned(),
        Some('p') => unicode(&mut after, Of::Members).ok_or_else(|| at.refused(Fault::ClassName))?,
        Some('P') => unicode(&mut after, Of::Others).ok_or_else(|| at.refused(Fault::ClassName))?,
        _ => return Ok(None),
    };
    *text = after;
    Ok(Some(class))
}

fn perl(letter: char) -> &'static str {
    match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        _ => "[^0-9A-Za-z_]",
    }
}

/// What stands behind `\p` or `\P`.
fn unicode(text: &mut Cursor<'_>, of: Of) -> Option<String> {
    let mut letter = [0; 4];
    let name = match text.next()? {
        '{' => text.up_to("}")?,
        single => single.encode_utf8(&mut letter),
    };
    let (name, of) = name.strip_prefix('^').map_or((name, of), |name| (name, of.opposite()));
    names::unicode(name, of)
}

/// One character that is escaped.
pub(super) fn character(text: &mut Cursor<'_>) -> Result<Number, Refused> {
    let at = *text;
    text.eat("\\");
    let letter = text.next().ok_or_else(|| at.refused(Fault::Backslash))?;
    let number = match letter {
        'a' => Some(0x07),
        'f' => Some(0x0c),
        'n' => Some(0x0a),
        'r' => Some(0x0d),
        't' => Some(0x09),
        'v' => Some(0x0b),
        'x' => hexadecimal(text),
        // One digit alone would refer back to a group.
        '1'..='7' if !text.peek().is_some_and(|digit| digit.is_digit(8)) => None,
        '0'..='7' => Some(octal(letter, text)),
        sign => (sign.is_ascii() && !sign.is_ascii_alphanumeric()).then_some(sign.into()),
    };
    number.ok_or_else(|| at.refused(Fault::Escape))
}

/// At most three digits.
fn octal(first: char, text: &mut Cursor<'_>) -> Number {
    let mut number = first.to_digit(8).unwrap_or_default();
    for _ in 1..3 {
        let Some(digit) = text.peek().and_then(|digit| digit.to_digit(8)) else { break };
        text.next();
        number = number * 8 + digit;
    }
    number
}

/// Two digits, or any number of them in braces.
fn hexadecimal(text: &mut Cursor<'_>) -> Option<Number> {
    if !text.eat("{") {
        let digits = [text.next()?.to_digit(16)?, text.next()?.to_digit(16)?];
        return Some(digits[0] * 16 + digits[1]);
    }
    let digits = text.up_to("}").filter(|digits| !digits.is_empty())?;
    digits.chars().try_fold(0_u32, |number, digit| {
        let number = number * 16 + digit.to_digit(16)?;
        (number <= LAST).then_some(number)
    })
}
