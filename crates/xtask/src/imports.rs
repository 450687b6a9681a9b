//! What the names of a file stand for: its `use` declarations, and the paths of its code under their full names.

use std::collections::BTreeMap;

use crate::source::{Source, Token};

/// A path of a file's code, such as `std::time::Instant::now`, and the line it begins on.
pub(crate) struct Spelled {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

impl Spelled {
    /// Whether the path ends with `Type::function`.
    pub(crate) fn ends_with(&self, name: &str) -> bool {
        let wanted: Vec<&str> = name.split("::").collect();
        self.segments.len() >= wanted.len() && self.segments.iter().rev().zip(wanted.iter().rev()).all(|(a, b)| a == b)
    }

    /// Whether it is exactly this path.
    pub(crate) fn is(&self, path: &str) -> bool {
        self.segments.iter().map(String::as_str).eq(path.split("::"))
    }
}

/// Every path of the code. A name that is imported stands for each path that some `use` of the file gives it, so that two
/// functions which import different things under one name are both heard.
pub(crate) fn paths(source: &Source) -> Vec<Spelled> {
    let (uses, code) = parted(&source.code);
    let mut imports = BTreeMap::new();
    for tree in uses {
        bind(&mut Cursor { tokens: tree }, &[], &mut imports);
    }
    let mut paths = Vec::new();
    for run in code {
        for (line, segments) in spelled(run) {
            let Some((first, rest)) = segments.split_first() else { continue };
            let meanings = imports.get(*first).cloned().unwrap_or_else(|| vec![vec![(*first).to_owned()]]);
            let full = |mut meaning: Vec<String>| {
                meaning.extend(rest.iter().map(|segment| (*segment).to_owned()));
                Spelled { segments: meaning, line }
            };
            paths.extend(meanings.into_iter().map(full));
        }
    }
    paths
}

/// The trees of `use` declarations, and the code between them.
fn parted(tokens: &[Token]) -> (Vec<&[Token]>, Vec<&[Token]>) {
    let (mut uses, mut code, mut rest) = (Vec::new(), Vec::new(), tokens);
    while let Some(start) = rest.iter().position(|token| token.text == "use") {
        let (before, declaration) = rest.split_at(start);
        let end = declaration.iter().position(|token| token.text == ";").unwrap_or(declaration.len());
        let (declaration, after) = declaration.split_at(end);
        code.push(before);
        uses.push(declaration.get(1..).unwrap_or_default());
        rest = after;
    }
    code.push(rest);
    (uses, code)
}

/// Names joined by `::`.
fn spelled(tokens: &[Token]) -> Vec<(usize, Vec<&str>)> {
    let mut paths: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match (token.text.as_str(), paths.last_mut()) {
            (":", _) => colons += 1,
            (name, Some((_, segments))) if is_name(name) && colons == 2 => {
                segments.push(name);
                colons = 0;
            }
            (name, _) => {
                paths.push((token.line, if is_name(name) { vec![name] } else { Vec::new() }));
                colons = 0;
            }
        }
    }
    paths.retain(|(_, segments)| !segments.is_empty());
    paths
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

struct Cursor<'a> {
    tokens: &'a [Token],
}

impl<'a> Cursor<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(&first.text)
    }

    fn peek(&self) -> Option<&'a str> {
        self.tokens.first().map(|token| token.text.as_str())
    }
}

/// Reads one use tree below `prefix`, up to the comma or brace that ends it.
fn bind(cursor: &mut Cursor<'_>, prefix: &[String], imports: &mut BTreeMap<String, Vec<Vec<String>>>) {
    let mut path = prefix.to_vec();
    let mut name = None;
    while let Some(token) = cursor.peek().filter(|token| !matches!(*token, "," | "}")) {
        let _ = cursor.next();
        match token {
            "{" => {
                while cursor.peek().is_some_and(|token| token != "}") {
                    bind(cursor, &path, imports);
                    if cursor.peek() == Some(",") {
                        let _ = cursor.next();
                    }
                }
                let _ = cursor.next();
                return;
            }
            "as" => name = cursor.next().map(str::to_owned),
            // `{self}` names the path itself.
            "self" if path.len() > prefix.len() || !prefix.is_empty() => {}
            ":" | "*" => {}
            segment => path.push(segment.to_owned()),
        }
    }
    if let Some(bound) = name.or_else(|| path.last().cloned()) {
        let meanings = imports.entry(bound).or_default();
        meanings.push(path);
    }
}
