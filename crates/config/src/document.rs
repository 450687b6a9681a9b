//! One parsed document: a tree in an arena whose nodes know where they stand.
//!
//! Promises:
//! 1. The path of a node is found by walking to its parents, so that memory grows with the text and nothing else.
//! 2. Nodes refer to each other by number: dropping or walking a deep document needs no stack.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::fault::{At, Faults};
use crate::value::Value;

/// A position in the text, counted from one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The number of a node in its document's arena. Only the builder makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) usize);

/// How a node is reached from its parent.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Root,
    Key(Arc<str>),
    Item(usize),
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// A fault was reported here already: readers find nothing and say nothing.
    Broken,
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<NodeId>),
    /// Sorted by key: a mapping has no order, so nothing can come to depend on one.
    Mapping(BTreeMap<Arc<str>, Entry>),
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Mark,
    pub(crate) value: NodeId,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) parent: NodeId,
    pub(crate) step: Step,
    pub(crate) kind: Kind,
}

/// A parsed document.
#[derive(Debug)]
pub struct Document {
    name: Arc<str>,
    // Never empty: the root stands first.
    nodes: Vec<Node>,
}

impl Document {
    pub(crate) const ROOT: NodeId = NodeId(0);

    pub(crate) fn new(name: Arc<str>) -> Self {
        Self { name, nodes: Vec::new() }
    }

    /// A document that could not be read.
    pub(crate) fn broken(name: &str) -> Self {
        let mut document = Self::new(name.into());
        document.break_down();
        document
    }

    /// The document's name, as faults show it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The document's content; what its readers find wrong goes to `faults`.
    pub fn root<'a>(&'a self, faults: &'a Faults) -> Value<'a> {
        Value::new(self, Self::ROOT, faults)
    }

    /// Whether the text could not be parsed; its readers then find nothing and report nothing.
    pub fn is_broken(&self) -> bool {
        matches!(self.node(Self::ROOT).kind, Kind::Broken)
    }

    pub(crate) fn is_unbuilt(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(crate) fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// Forgets the content after a fault that leaves the rest of the text unknown.
    pub(crate) fn break_down(&mut self) {
        let mark = Mark { line: 1, column: 1 };
        self.nodes = vec![Node { mark, parent: Self::ROOT, step: Step::Root, kind: Kind::Broken }];
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    // Indexing: a `NodeId` is made by this arena's `push` and never leaves the crate.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0]
    }

    pub(crate) fn items(&self, id: NodeId) -> usize {
        if let Kind::Sequence(items) = &self.node(id).kind { items.len() } else { 0 }
    }

    pub(crate) fn at(&self, id: NodeId) -> At {
        self.place(self.node(id).mark, self.path(id))
    }

    pub(crate) fn at_key(&self, parent: NodeId, key: &str, mark: Mark) -> At {
        let mut path = self.path(parent);
        push_key(&mut path, key);
        self.place(mark, path)
    }

    pub(crate) fn place(&self, mark: Mark, path: String) -> At {
        At { file: Arc::clone(&self.name), line: mark.line, column: mark.column, path }
    }

    pub(crate) fn path(&self, id: NodeId) -> String {
        let mut steps = Vec::new();
        let mut node = self.node(id);
        while !matches!(node.step, Step::Root) {
            steps.push(&node.step);
            node = self.node(node.parent);
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Root => {}
                Step::Key(key) => push_key(&mut path, key),
                // Writing to a string cannot fail.
                Step::Item(number) => drop(write!(path, "[{number}]")),
            }
        }
        path
    }
}

fn push_key(path: &mut String, key: &str) {
    let simple = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/'));
    if !simple {
        path.push_str(&format!("[{key:?}]"));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}
