//! The text of a document that its digest is taken over: JSON with sorted keys, without spaces.
//!
//! Promises:
//! 1. Comments, layout, order of keys and needless quotes do not change it; every change of meaning does.
//! 2. It is YAML itself, with the same canonical text.

use std::fmt::Write as _;

use crate::document::{Document, Kind, NodeId};
use crate::scalar::Sort;

impl Document {
    /// The canonical text.
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        write_node(self, Self::ROOT, &mut text);
        text
    }
}

// Recursion is bounded by the parser's depth limit.
fn write_node(document: &Document, id: NodeId, out: &mut String) {
    match &document.node(id).kind {
        Kind::Broken => out.push_str("null"),
        Kind::Scalar { text, plain } => match Sort::of(text, *plain) {
            Sort::Nothing => out.push_str("null"),
            Sort::Text => write_text(text, out),
            // Kept as written: whether `0x10` is 16 is for the reader to say.
            Sort::Boolean | Sort::Integer | Sort::Float => out.push_str(text),
        },
        Kind::Sequence(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                separate(number, out);
                write_node(document, *item, out);
            }
            out.push(']');
        }
        Kind::Mapping(entries) => {
            out.push('{');
            for (number, (key, entry)) in entries.iter().enumerate() {
                separate(number, out);
                write_text(key, out);
                out.push(':');
                write_node(document, entry.value, out);
            }
            out.push('}');
        }
    }
}

fn separate(number: usize, out: &mut String) {
    if number > 0 {
        out.push(',');
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn layout_order_and_quotes_do_not_count() {
        let (block, _) = parse("a", "# note\nb: 'x'\na:\n  - 1\n  - yes\n");
        let (flow, _) = parse("a", "{a: [1, \"yes\"], b: x}");
        assert_eq!(block.canonical(), r#"{"a":[1,"yes"],"b":"x"}"#);
        assert_eq!(block.canonical(), flow.canonical());
    }

    #[test]
    fn quotes_that_change_the_meaning_count() {
        let (number, _) = parse("a", "a: 1");
        let (text, _) = parse("a", "a: '1'");
        let (nothing, _) = parse("a", "a:");
        assert_ne!(number.canonical(), text.canonical());
        assert_ne!(nothing.canonical(), parse("a", "a: ''").0.canonical());
    }
}
