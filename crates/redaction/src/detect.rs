//! Detectors: values shaped like what names a person, follows a household or opens a door, wherever they stand.
//!
//! Promises:
//! 1. They only raise a class: nothing crosses because nothing was found.
//! 2. Linear in the length of the text, whatever is in it; nothing is tried again from within a match.
//! 3. Apart from e-mail addresses nothing without a digit is found, so that most words of a system need one look.
//!
//! Not here: which values are looked at (`operational.rs`) and what follows (`value.rs`). Names are not found by shape.

mod account;
mod address;
mod card;
mod mail;
mod phone;
mod token;

use tollgate_residency::Class;

/// What was found in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Found {
    /// An e-mail address, a card, an account or a telephone number.
    direct: bool,
    /// An IP address.
    online: bool,
    /// A token or an API key.
    secret: bool,
}

impl Found {
    pub(crate) const NOTHING: Self = Self { direct: false, online: false, secret: false };

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            direct: self.direct || other.direct,
            online: self.online || other.online,
            secret: self.secret || other.secret,
        }
    }

    /// The classes of what was found.
    pub(crate) fn classes(self) -> impl Iterator<Item = Class> {
        let found = [(self.direct, Class::Direct), (self.online, Class::Online), (self.secret, Class::Secret)];
        found.into_iter().filter(|(found, _)| *found).map(|(_, class)| class)
    }
}

/// No address has fewer digits, each colon taken for two; whatever else has a number has more digits.
const FEWEST_NUMERIC: u32 = 4;

/// Says whether anything may be found in an operational text of so many digits, each colon taken for two, and capital letters.
#[inline]
pub(crate) fn may_find(numeric: u32, capitals: u32) -> bool {
    numeric >= FEWEST_NUMERIC || numeric + capitals >= token::FEWEST_CAPITALS_AND_DIGITS
}

/// Looks for everything in a text.
pub(crate) fn in_text(text: &[u8]) -> Found {
    let marks = text.iter().fold(0, |marks, byte| marks | MARKS[usize::from(*byte)]);
    let has = |mark| marks & mark != 0;
    let mut found = Found { direct: has(AT) && mail::is_in(text), ..Found::NOTHING };
    if !has(DIGIT) {
        return found;
    }
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    found.direct |= digits >= card::SHORTEST && card::is_in(text);
    found.direct |= has(PLUS) && digits >= phone::FEWEST && phone::is_in(text);
    found.online = (has(DOT) || has(COLON)) && address::is_in(text);
    // Neither a token nor an account has fewer of these.
    let is_strange = |byte: &&u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    if text.iter().filter(is_strange).count() < token::FEWEST_CAPITALS_AND_DIGITS as usize {
        return found;
    }
    let mut within = false;
    for (at, byte) in text.iter().enumerate() {
        let starts = MARKS[usize::from(*byte)] & WORD != 0 && !within;
        within = MARKS[usize::from(*byte)] & WORD != 0;
        if starts {
            let word = text.get(at..).unwrap_or_default();
            found.direct |= digits >= account::FEWEST_DIGITS && account::begins(word);
            found.secret |= token::begins(word);
        }
    }
    found
}

const WORD: u8 = 1;
const DIGIT: u8 = 2;
const AT: u8 = 4;
const DOT: u8 = 8;
const COLON: u8 = 16;
const PLUS: u8 = 32;
const MARKS: [u8; 256] = {
    let mut marks = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        marks[byte as usize] = match byte {
            b'0'..=b'9' => WORD | DIGIT,
            b'A'..=b'Z' | b'a'..=b'z' => WORD,
            b'@' => AT,
            b'.' => DOT,
            b':' => COLON,
            b'+' => PLUS,
            _ => 0,
        };
        byte += 1;
    }
    marks
};

/// Looks for what a number can be: a card.
pub(crate) fn in_number(number: u64) -> Found {
    Found { direct: card::is_number(number), ..Found::NOTHING }
}

/// What of a number with a fraction may be a card.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number beyond 64 bits is no card")]
pub(crate) fn whole(number: f64) -> u64 {
    number.abs() as u64
}

/// Whether a number is as long as the shortest card.
#[inline]
pub(crate) fn may_be_in(number: u64) -> bool {
    number >= card::SMALLEST
}

#[cfg(test)]
mod tests;
