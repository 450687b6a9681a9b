//! `*`, `+`, `?`, `{2}`, `{2,}` and `{2,5}`, each also with a `?` behind it, which says only what is found first.

use super::cursor::Cursor;

/// How often something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// By its sign.
    Sign(char),
    /// So often at least, and at most if that is bounded.
    Numbers(u32, Option<u32>),
}

/// Reads what comes next if it is a repetition. A brace that begins none stands for itself.
pub(super) fn next(text: &mut Cursor<'_>) -> Option<Counts> {
    let mut after = *text;
    let counts = match after.next()? {
        sign @ ('*' | '+' | '?') => Counts::Sign(sign),
        '{' => numbers(&mut after)?,
        _ => return None,
    };
    after.eat("?");
    *text = after;
    Some(counts)
}

fn numbers(text: &mut Cursor<'_>) -> Option<Counts> {
    let least = number(text)?;
    let most = match text.eat(",") {
        false => Some(least),
        true if text.peek() == Some('}') => None,
        true => Some(number(text)?),
    };
    text.eat("}").then_some(Counts::Numbers(least, most))
}

/// Digits, of which the first is zero only if it is alone.
fn number(text: &mut Cursor<'_>) -> Option<u32> {
    let rest = text.rest();
    let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
    let digits = rest.get(..end).filter(|digits| !digits.is_empty() && (*digits == "0" || !digits.starts_with('0')))?;
    text.eat(digits);
    Some(digits.parse().unwrap_or(u32::MAX))
}

impl Counts {
    /// How often a part of it is, which is `inner` times by itself; `None` if that is more often than `bound`.
    pub(super) fn times(self, inner: u32, bound: u32) -> Option<u32> {
        let Self::Numbers(least, most) = self else { return Some(inner) };
        if least.max(most.unwrap_or(0)) > bound || most.is_some_and(|most| least > most) {
            return None;
        }
        match most {
            // What is never there is not repeated.
            Some(0) => Some(1),
            most => Some(inner.saturating_mul(most.unwrap_or(least).max(1))).filter(|times| *times <= bound),
        }
    }

    pub(super) fn write(self, out: &mut String) {
        match self {
            Self::Sign(sign) => out.push(sign),
            Self::Numbers(least, Some(most)) => out.push_str(&format!("{{{least},{most}}}")),
            Self::Numbers(least, None) => out.push_str(&format!("{{{least},}}")),
        }
    }
}
