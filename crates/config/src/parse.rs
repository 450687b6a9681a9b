//! Text to tree, in one pass over the parser's events.
//!
//! Promises:
//! 1. Duplicate keys, anchors, aliases, tags, merge keys and keys that are not text are faults at their own position, and
//!    the pass goes on behind them.
//! 2. Broken syntax, too deep nesting and a second document end the pass with one fault; the document then reads as empty.
//! 3. Nothing is expanded: the tree is never larger than the text.

use std::collections::BTreeMap;
use std::sync::Arc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span};

use crate::document::{Document, Entry, Kind, Mark, Node, NodeId, Step};
use crate::fault::{At, Faults};
use crate::scalar::Sort;

/// Deeper documents are refused: readers recurse, and no lawyer reads the sixty-fifth level.
const MAX_DEPTH: usize = 64;
/// Longer keys are refused: every fault below a key repeats it.
const MAX_KEY: usize = 256;
/// Stands in paths for a key that is no text.
const UNNAMED: &str = "?";
/// Larger documents are refused before they are parsed.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Parses one document outside a set, such as a node file; the faults start the list its readers add to.
pub fn parse(name: &str, text: &str) -> (Document, Faults) {
    let faults = Faults::new();
    let document = build(name, text, &faults);
    (document, faults)
}

pub(crate) fn build(name: &str, text: &str, faults: &Faults) -> Document {
    let mut builder = Builder { document: Document::new(name.into()), open: Vec::new(), last: None, faults };
    let outcome = if text.len() > MAX_BYTES {
        Err(Stop::whole(format!("larger than {MAX_BYTES} bytes")))
    } else {
        builder.run(text)
    };
    let mut document = builder.document;
    if let Err(stop) = outcome {
        faults.report(&At { line: stop.mark.line, column: stop.mark.column, ..At::document(name) }, stop.message);
        document.break_down();
    }
    if document.is_unbuilt() {
        let mark = Mark { line: 1, column: 1 };
        let kind = Kind::Scalar { text: String::new(), plain: true };
        document.push(Node { mark, parent: Document::ROOT, step: Step::Root, kind });
    }
    document
}

/// A fault after which the rest of the text means nothing.
struct Stop {
    mark: Mark,
    message: String,
}

impl Stop {
    fn whole(message: String) -> Self {
        Self { mark: Mark { line: 1, column: 1 }, message }
    }
}

/// A collection whose end has not come yet.
struct Open {
    node: NodeId,
    slot: Slot,
}

/// What the next node of an open collection is.
enum Slot {
    Item,
    Key,
    Value(Arc<str>, Mark),
    /// The value of a key that was refused: read for its own faults, then forgotten.
    Refused(Arc<str>),
}

struct Builder<'f> {
    document: Document,
    open: Vec<Open>,
    last: Option<NodeId>,
    faults: &'f Faults,
}

impl Builder<'_> {
    fn run(&mut self, text: &str) -> Result<(), Stop> {
        let options = granit_parser::options! {
            disallow_directives: true,
            emit_unresolved_aliases: true,
            emit_anchor_events: true,
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH + 1,
            block_nesting_limit: MAX_DEPTH + 1,
        };
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|e| Stop { mark: mark(e.marker()), message: e.info() })?;
            self.event(&event, &span)?;
        }
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, span: &Span) -> Result<(), Stop> {
        let at = mark(&span.start);
        match event {
            Event::DocumentStart(..) if !self.document.is_unbuilt() => {
                return Err(Stop { mark: at, message: "a file holds one document".to_owned() });
            }
            Event::Scalar(text, style, ..) => self.scalar(text, *style == ScalarStyle::Plain, at),
            Event::SequenceStart(..) => self.open(Kind::Sequence(Vec::new()), Slot::Item, at)?,
            Event::MappingStart(..) => self.open(Kind::Mapping(BTreeMap::new()), Slot::Key, at)?,
            Event::SequenceEnd | Event::MappingEnd => self.last = self.open.pop().map(|closed| closed.node),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.add(Kind::Broken, at);
                self.refuse(at, "aliases are not allowed: what stands is what is meant");
            }
            Event::Anchor(..) => self.refuse(at, "anchors are not allowed: what stands is what is meant"),
            _ => {}
        }
        if event.tag().is_some() {
            let tag = span.tag_start().as_ref().map_or(at, mark);
            self.refuse(tag, "tags are not allowed: what stands is what is meant");
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, plain: bool, at: Mark) {
        match self.open.last_mut() {
            Some(Open { slot: Slot::Key, .. }) => self.key(text, plain, at),
            _ => drop(self.add(Kind::Scalar { text: text.to_owned(), plain }, at)),
        }
    }

    fn open(&mut self, kind: Kind, slot: Slot, at: Mark) -> Result<(), Stop> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Stop { mark: at, message: format!("nested deeper than {MAX_DEPTH} levels") });
        }
        let node = self.add(kind, at);
        self.open.push(Open { node, slot });
        Ok(())
    }

    fn key(&mut self, text: &str, plain: bool, at: Mark) {
        let Some(mapping) = self.open.last().map(|open| open.node) else { return };
        let first = match &self.document.node(mapping).kind {
            Kind::Mapping(entries) => entries.get(text).map(|entry| entry.key.line),
            _ => None,
        };
        let (key, refusal): (Arc<str>, _) = match first {
            _ if text.len() > MAX_KEY => (UNNAMED.into(), Some(format!("a key is at most {MAX_KEY} bytes long"))),
            Some(line) => (text.into(), Some(format!("duplicate key, first given in line {line}"))),
            None => (text.into(), refusal(text, plain).map(str::to_owned)),
        };
        let slot = match refusal {
            Some(message) => {
                self.faults.report(&self.document.at_key(mapping, &key, at), message);
                Slot::Refused(key)
            }
            None => Slot::Value(key, at),
        };
        if let Some(open) = self.open.last_mut() {
            open.slot = slot;
        }
        self.last = Some(mapping);
    }

    /// Adds a node where the innermost open collection expects one.
    fn add(&mut self, kind: Kind, at: Mark) -> NodeId {
        let Some(open) = self.open.last_mut() else { return self.push(Document::ROOT, Step::Root, kind, at) };
        let parent = open.node;
        let next = if matches!(open.slot, Slot::Item) { Slot::Item } else { Slot::Key };
        let slot = std::mem::replace(&mut open.slot, next);
        let step = match &slot {
            Slot::Item => Step::Item(self.document.items(parent)),
            Slot::Value(key, _) | Slot::Refused(key) => Step::Key(Arc::clone(key)),
            Slot::Key => {
                let key: Arc<str> = UNNAMED.into();
                open.slot = Slot::Refused(Arc::clone(&key));
                self.faults.report(&self.document.at_key(parent, &key, at), "a key must be text");
                Step::Key(key)
            }
        };
        let id = self.push(parent, step, kind, at);
        match (slot, &mut self.document.node_mut(parent).kind) {
            (Slot::Item, Kind::Sequence(items)) => items.push(id),
            (Slot::Value(key, mark), Kind::Mapping(entries)) => {
                entries.insert(key, Entry { key: mark, value: id });
            }
            _ => {}
        }
        id
    }

    fn push(&mut self, parent: NodeId, step: Step, kind: Kind, mark: Mark) -> NodeId {
        let id = self.document.push(Node { mark, parent, step, kind });
        self.last = Some(id);
        id
    }

    /// Reports a fault of notation near the last node.
    fn refuse(&self, mark: Mark, message: &str) {
        let path = self.last.map(|id| self.document.path(id)).unwrap_or_default();
        self.faults.report(&self.document.place(mark, path), message);
    }
}

/// Why a text is no key, whatever the mapping holds already.
fn refusal(text: &str, plain: bool) -> Option<&'static str> {
    if plain && text == "<<" {
        return Some("merge keys are not allowed: what stands is what is meant");
    }
    let missing = text.is_empty() || Sort::of(text, plain) == Sort::Nothing;
    missing.then_some("a key is missing before the colon")
}

fn mark(marker: &Marker) -> Mark {
    Mark { line: marker.line().max(1), column: marker.col() + 1 }
}
