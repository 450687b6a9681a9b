//! Telephone numbers in international form: `+`, then 8 to 15 digits (ITU-T E.164), grouped as people do.

pub(super) const FEWEST: usize = 8;
const MOST: usize = 15;
/// Digits and the marks between them.
const REACH: usize = 2 * MOST;

/// Says whether there is one.
pub(super) fn is_in(text: &[u8]) -> bool {
    let plus = text.iter().enumerate().filter(|(_, byte)| **byte == b'+').map(|(at, _)| at);
    // `1.2.3+20260101` is a version with its build.
    let free = |at: &usize| {
        at.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    plus.filter(free).any(|at| is_number(text.get(at + 1..).unwrap_or_default()))
}

fn is_number(text: &[u8]) -> bool {
    let within = text.iter().take(REACH).take_while(|byte| byte.is_ascii_digit() || b" -.()/".contains(byte));
    let digits = within.filter(|byte| byte.is_ascii_digit()).count();
    text.first().is_some_and(|first| matches!(first, b'1'..=b'9')) && (FEWEST..=MOST).contains(&digits)
}
