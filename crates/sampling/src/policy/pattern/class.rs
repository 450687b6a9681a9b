//! Brackets: `[a-z_]`, `[^[:space:]\d]`.
//!
//! They are written anew as one class with a class inside for each named one: there is no other meaning that a `[`, `&&`, `--`
//! or `~~` inside them could then have.

use super::cursor::Cursor;
use super::escape::{self, Number};
use super::names;
use super::refused::{Fault, Refused};

/// A class that matches nothing.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

/// Reads brackets, of which the opening one comes next, and writes them.
pub(super) fn brackets(text: &mut Cursor<'_>, out: &mut String) -> Result<(), Refused> {
    let at = *text;
    text.eat("[");
    out.push_str(if text.eat("^") { "[^" } else { "[" });
    // A closing bracket stands for itself where it comes first.
    let mut is_first = true;
    while is_first || text.peek() != Some(']') {
        is_first = false;
        if let Some(class) = posix(text)? {
            out.push_str(&class);
        } else if let Some(class) = escape::class(text)? {
            out.push_str(&class);
        } else {
            range(&at, text, out)?;
        }
    }
    text.eat("]");
    out.push(']');
    Ok(())
}

/// `[:alpha:]` or `[:^alpha:]`.
fn posix(text: &mut Cursor<'_>) -> Result<Option<String>, Refused> {
    let mut after = *text;
    let Some(name) = after.eat("[:").then(|| after.up_to(":]")).flatten() else { return Ok(None) };
    let (negation, name) = name.strip_prefix('^').map_or(("", name), |name| ("^", name));
    let class = names::posix(name).ok_or_else(|| text.refused(Fault::ClassName))?;
    *text = after;
    Ok(Some(format!("[{negation}{class}]")))
}

/// One character, or all from it to another.
fn range(opening: &Cursor<'_>, text: &mut Cursor<'_>, out: &mut String) -> Result<(), Refused> {
    let at = *text;
    let first = character(opening, text)?;
    let is_range = text.rest().starts_with('-') && !matches!(text.rest(), "-") && !text.rest().starts_with("-]");
    let last = if is_range {
        text.eat("-");
        character(opening, text)?
    } else {
        first
    };
    if last < first {
        return Err(at.refused(Fault::Range));
    }
    write(first, last, out);
    Ok(())
}

fn character(opening: &Cursor<'_>, text: &mut Cursor<'_>) -> Result<Number, Refused> {
    match text.peek() {
        Some('\\') => escape::character(text),
        _ => text.next().map(Number::from).ok_or_else(|| opening.refused(Fault::OpenBrackets)),
    }
}

/// Texts hold no surrogates, and no class can name one: a range ends before them or begins behind them.
fn write(first: Number, last: Number, out: &mut String) {
    let first = if (0xd800..0xe000).contains(&first) { 0xe000 } else { first };
    let last = if (0xd800..0xe000).contains(&last) { 0xd7ff } else { last };
    if first > last { out.push_str(NOTHING) } else { out.push_str(&format!("\\x{{{first:x}}}-\\x{{{last:x}}}")) }
}
