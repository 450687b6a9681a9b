//! Where in an expression its reader stands.

use super::refused::{Fault, Refused};

/// What is left of an expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'e> {
    whole: &'e str,
    rest: &'e str,
}

impl<'e> Cursor<'e> {
    pub(super) fn new(whole: &'e str) -> Self {
        Self { whole, rest: whole }
    }

    pub(super) fn rest(&self) -> &'e str {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// Steps over this if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Steps over everything up to this text, and over the text; `None` if it does not come.
    pub(super) fn up_to(&mut self, text: &str) -> Option<&'e str> {
        let (before, after) = self.rest.split_once(text)?;
        self.rest = after;
        Some(before)
    }

    /// Steps over all that is left.
    pub(super) fn all(&mut self) -> &'e str {
        std::mem::take(&mut self.rest)
    }

    /// A refusal of what comes next.
    pub(super) fn refused(&self, fault: Fault) -> Refused {
        let read = self.whole.len() - self.rest.len();
        let column = self.whole.char_indices().take_while(|(place, _)| *place < read).count() + 1;
        Refused::Syntax { column, fault }
    }
}
