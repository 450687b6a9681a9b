//! Text for a terminal: what came from documents, data or another node shows, and steers nothing.

use std::borrow::Cow;

/// Lines with what would steer a terminal written as an escape.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    without(text, |char| steers(char) && !matches!(char, '\n' | '\t'))
}

/// A name, or anything else that stands in a line and must not end it.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    without(text, steers)
}

/// Whether a character moves what stands around it: those that control a terminal, end a line or turn the order in which a
/// line is read.
fn steers(char: char) -> bool {
    let turns = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    char.is_control() || turns || matches!(char, '\u{2028}' | '\u{2029}')
}

fn without(text: &str, escaped: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(escaped) {
        return text.into();
    }
    let shown = |char: char| if escaped(char) { char.escape_default().collect() } else { String::from(char) };
    text.chars().map(shown).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_and_not_done() {
        assert_eq!(lines("é\u{1b}[2J\r\n\tb\u{9b}m"), "é\\u{1b}[2J\\r\n\tb\\u{9b}m");
        assert_eq!(word("a\nkeep  b\t"), "a\\nkeep  b\\t");
        assert_eq!(lines("a\u{202e}b\u{2028}c\u{2069}"), "a\\u{202e}b\\u{2028}c\\u{2069}");
        assert!(matches!(lines("plain\n"), Cow::Borrowed("plain\n")));
    }
}
