//! IP addresses, of either kind, in whatever surrounds them.
//!
//! Loopback and unspecified addresses are nobody's, and neither is one without a host part: that is a network, or the version
//! of a program.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest text of an address.
const LONGEST: usize = 45;

/// Says whether there is one.
pub(super) fn is_in(text: &[u8]) -> bool {
    let marks = |mark: u8| text.iter().filter(move |byte| **byte == mark);
    // Versions have a dot less than an address.
    marks(b'.').nth(2).is_some()
        && runs(text, |byte| byte.is_ascii_digit() || byte == b'.').any(|(run, _)| holds_v4(run))
        || marks(b':').nth(1).is_some()
            && runs(text, |byte| byte.is_ascii_hexdigit() || byte == b':').any(|(run, cut)| holds_v6(run, cut))
}

/// Whether a word goes on before and behind a piece.
type Cut = [bool; 2];

/// The longest pieces of such bytes.
fn runs(text: &[u8], of: impl Fn(u8) -> bool) -> impl Iterator<Item = (&[u8], Cut)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.iter().position(|byte| of(*byte))?;
        let rest = text.get(start..)?;
        at = start + rest.iter().position(|byte| !of(*byte)).unwrap_or(rest.len());
        let before = start.checked_sub(1).and_then(|before| text.get(before));
        let cut = [before, text.get(at)].map(|next| next.is_some_and(u8::is_ascii_alphanumeric));
        Some((text.get(start..at)?, cut))
    })
}

/// Four numbers in a row are one, whatever numbers stand around them.
fn holds_v4(run: &[u8]) -> bool {
    let mut last = [None; 4];
    run.split(|byte| *byte == b'.').any(|part| {
        last.rotate_left(1);
        last[3] = octet(part);
        let [Some(one), Some(two), Some(three), Some(four)] = last else { return false };
        let address = Ipv4Addr::new(one, two, three, four);
        four != 0 && !address.is_loopback()
    })
}

fn octet(text: &[u8]) -> Option<u8> {
    if text.is_empty() || text.len() > 3 {
        return None;
    }
    let number = text.iter().fold(0, |number, byte| number * 10 + u16::from(byte.saturating_sub(b'0')));
    u8::try_from(number).ok()
}

/// Whatever stands before it and a colon, `client:` or `ipv6:`, and a port behind it are not of it: a group more at either
/// end. A word that two colons follow is a name of a program.
fn holds_v6(run: &[u8], [begun, goes_on]: Cut) -> bool {
    let whole = if begun { without_first(run) } else { Some(run) };
    let whole = whole.and_then(|run| if goes_on { without_last(run) } else { Some(run) });
    let Some(whole) = whole else { return false };
    let shorter = without_last(whole);
    let pieces = [Some(whole), without_first(whole), shorter, shorter.and_then(without_first)];
    pieces.into_iter().flatten().any(is_v6)
}

fn without_first(run: &[u8]) -> Option<&[u8]> {
    let at = run.iter().position(|byte| *byte == b':')?;
    run.get(at + 1..).filter(|rest| !rest.starts_with(b":"))
}

fn without_last(run: &[u8]) -> Option<&[u8]> {
    let at = run.iter().rposition(|byte| *byte == b':')?;
    run.get(..at).filter(|rest| !rest.ends_with(b":"))
}

fn is_v6(run: &[u8]) -> bool {
    // A colon around it may be a mark of the text.
    let run = run.strip_suffix(b":").filter(|run| !run.ends_with(b":")).unwrap_or(run);
    let run = run.strip_prefix(b":").filter(|run| !run.starts_with(b":")).unwrap_or(run);
    if run.len() > LONGEST || !run.iter().any(u8::is_ascii_digit) {
        return false;
    }
    let address = std::str::from_utf8(run).ok().and_then(|run| run.parse::<Ipv6Addr>().ok());
    address.is_some_and(|address| {
        let host = address.to_bits() << 48;
        host != 0 && !address.is_loopback()
    })
}
