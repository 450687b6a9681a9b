//! A place in a document, seen by a reader.
//!
//! Promises:
//! 1. Whatever returns `None` has reported a fault, unless it says that absence is meant.
//! 2. A node that was faulty already is silent: one mistake is one fault.

use std::fmt;
use std::str::FromStr;

use crate::document::{Document, Kind, NodeId};
use crate::fault::{At, Faults, Located};
use crate::fields::Fields;
use crate::nearest::nearest;
use crate::read::Read;
use crate::scalar::Sort;

/// A node of a document, with the list its faults go to.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    document: &'a Document,
    node: NodeId,
    faults: &'a Faults,
}

impl<'a> Value<'a> {
    pub(crate) fn new(document: &'a Document, node: NodeId, faults: &'a Faults) -> Self {
        Self { document, node, faults }
    }

    /// Where the value stands.
    pub fn at(self) -> At {
        self.document.at(self.node)
    }

    /// Reports that something is wrong with the value.
    pub fn fault(self, message: impl fmt::Display) {
        self.faults.report(&self.at(), message);
    }

    /// The list that faults go to.
    pub fn faults(self) -> &'a Faults {
        self.faults
    }

    /// Reads the value as a `T`.
    pub fn read<T: Read>(self) -> Option<T> {
        T::read(self)
    }

    /// Reads text with `T`'s own grammar; its error becomes the fault.
    pub fn parse<T>(self) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let text: String = self.read()?;
        text.parse().map_err(|error| self.fault(error)).ok()
    }

    /// Reads one word of a fixed list.
    pub fn choice<T: Clone>(self, words: &[(&str, T)]) -> Option<T> {
        let Some(text) = self.text() else {
            self.expected("a word");
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| meaning.clone());
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            match nearest(text, known.iter().copied()) {
                Some(word) => self.fault(format_args!("unknown word, did you mean {word:?}?")),
                None => self.fault(format_args!("expected one of: {}", known.join(", "))),
            }
        }
        found
    }

    /// The keys of a mapping, to be asked for one by one.
    pub fn fields(self) -> Option<Fields<'a>> {
        let Kind::Mapping(entries) = self.kind() else {
            self.expected("a mapping");
            return None;
        };
        Some(Fields::new(self, entries))
    }

    /// The entries of a mapping whose keys are the writer's choice, sorted by key.
    pub fn entries(self) -> Option<Vec<(Located<String>, Value<'a>)>> {
        let Kind::Mapping(entries) = self.kind() else {
            self.expected("a mapping");
            return None;
        };
        let entry = |(key, entry): (&std::sync::Arc<str>, &crate::document::Entry)| {
            let at = self.document.at_key(self.node, key, entry.key);
            (Located { value: key.to_string(), at }, self.with(entry.value))
        };
        Some(entries.iter().map(entry).collect())
    }

    /// The items of a sequence.
    pub fn items(self) -> Option<Vec<Value<'a>>> {
        let Kind::Sequence(items) = self.kind() else {
            self.expected("a list");
            return None;
        };
        Some(items.iter().map(|item| self.with(*item)).collect())
    }

    /// The text of a scalar as written, whatever it is; `None` without a fault for anything else.
    pub fn as_text(self) -> Option<&'a str> {
        match self.kind() {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether the value is a mapping.
    pub fn is_mapping(self) -> bool {
        matches!(self.kind(), Kind::Mapping(_))
    }

    /// Whether the value is a sequence.
    pub fn is_sequence(self) -> bool {
        matches!(self.kind(), Kind::Sequence(_))
    }

    /// Whether the value is a scalar.
    pub fn is_scalar(self) -> bool {
        matches!(self.kind(), Kind::Scalar { .. })
    }

    /// Reports that something else was expected, and what was found instead, never the value.
    pub fn expected(self, what: &str) {
        let found = match self.kind() {
            Kind::Broken => return,
            Kind::Scalar { text, plain } => Sort::of(text, *plain).found(),
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        };
        self.fault(format_args!("expected {what}, found {found}"));
    }

    /// The content of a scalar that is text and nothing else.
    pub(crate) fn text(self) -> Option<&'a str> {
        let (sort, text) = self.scalar()?;
        (sort == Sort::Text).then_some(text)
    }

    pub(crate) fn scalar(self) -> Option<(Sort, &'a str)> {
        match self.kind() {
            Kind::Scalar { text, plain } => Some((Sort::of(text, *plain), text)),
            _ => None,
        }
    }

    pub(crate) fn kind(self) -> &'a Kind {
        &self.document.node(self.node).kind
    }

    pub(crate) fn with(self, node: NodeId) -> Self {
        Self { node, ..self }
    }

    pub(crate) fn at_key(self, key: &str, mark: crate::document::Mark) -> At {
        self.document.at_key(self.node, key, mark)
    }
}
