//! What went wrong, in words that may be shown.
//!
//! Promises:
//! 1. No more than [`LIMIT`] bytes, no control characters.
//! 2. The words of a peer that is not a node of this federation are never shown by `Display` or `Debug`: a backend may
//!    repeat what it was sent, and values must not reach logs.

use std::fmt;

/// The most bytes of text that are kept.
pub(crate) const LIMIT: usize = 256;

/// A reason: ours, a node's, or a stranger's.
#[derive(Clone, PartialEq, Eq)]
pub struct Words {
    text: String,
    shown: bool,
}

/// Whether a peer's words may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// A node of this federation: it never puts a value into its words.
    Node,
    /// Anything else.
    Stranger,
}

impl Words {
    /// Our own words.
    pub fn ours(text: &str) -> Self {
        Self { text: bounded(text), shown: true }
    }

    /// What a library says went wrong, without what it quotes: an HTTP/2 error repeats the bytes with which the peer went
    /// away, as `b"..."`.
    pub(crate) fn of_library(text: &str) -> Self {
        let mut kept = String::new();
        let mut rest = text;
        while let Some((before, quoted)) = rest.split_once("b\"") {
            kept.push_str(before);
            kept.push_str("..");
            let mut escaped = false;
            let end = quoted.find(|c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            rest = end.and_then(|end| quoted.get(end + 1..)).unwrap_or_default();
        }
        Self::ours(&(kept + rest))
    }

    /// A peer's words.
    pub(crate) fn of(speaker: Speaker, text: &str) -> Self {
        Self { text: bounded(text), shown: speaker == Speaker::Node }
    }

    /// The text, also where `Display` withholds it: for an operator who asks, never for logs.
    pub fn in_full(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.shown, self.text.len()) {
            (true, _) => f.write_str(&self.text),
            (false, 0) => f.write_str("without a reason"),
            (false, length) => write!(f, "with a reason of {length} bytes that is not shown"),
        }
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

fn bounded(text: &str) -> String {
    let mut kept = String::new();
    for character in text.chars().map(|character| if character.is_control() { ' ' } else { character }) {
        if kept.len() + character.len_utf8() > LIMIT {
            break;
        }
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_short_and_without_control_characters() {
        let words = Words::of(Speaker::Node, &format!("a\n\u{1b}[31mb{}", "é".repeat(400)));
        assert!(words.in_full().len() <= LIMIT && !words.in_full().contains(char::is_control), "{words}");
        assert!(words.to_string().starts_with("a  [31mb"));
    }

    #[test]
    fn what_a_library_quotes_is_left_out() {
        for (text, shown) in [
            ("stream error", "stream error"),
            ("gone (b\"ada\")", "gone (..)"),
            ("gone (b\"a\\\"da\\\\\"): Error(GoAway(b\"ada\", CALM))", "gone (..): Error(GoAway(.., CALM))"),
            ("gone (b\"ada", "gone (.."),
        ] {
            assert_eq!(Words::of_library(text).to_string(), shown);
        }
    }

    #[test]
    fn words_of_strangers_are_not_shown() {
        let words = Words::of(Speaker::Stranger, "rejected: user ada@example.org");
        assert!(!format!("{words} {words:?}").contains("ada"));
        assert!(words.in_full().contains("ada"));
    }
}
