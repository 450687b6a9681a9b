//! One Rust file as tokens: comments and the text of strings cannot be mistaken for code.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A file's code without its tests.
pub(crate) struct Source {
    /// Relative to the workspace.
    pub(crate) path: PathBuf,
    /// Items behind `#[cfg(test)]` are left out.
    pub(crate) code: Vec<Token>,
    lines: usize,
    tests: Vec<RangeInclusive<usize>>,
}

impl Source {
    pub(crate) fn read(root: &Path, path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(root.join(path)).map_err(|fault| format!("{}: {fault}", path.display()))?;
        Self::parse(path, &text)
    }

    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let stream: TokenStream = text.parse().map_err(|fault| format!("{}: {fault}", path.display()))?;
        let mut source =
            Self { path: path.to_owned(), code: Vec::new(), lines: text.lines().count(), tests: Vec::new() };
        source.flatten(stream);
        Ok(source)
    }

    /// Whether the whole file is tests.
    pub(crate) fn is_tests(&self) -> bool {
        self.path.file_name().is_some_and(|name| name == "tests.rs")
            || self.path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
    }

    /// Lines of the file without those of its tests.
    pub(crate) fn lines_without_tests(&self) -> usize {
        if self.is_tests() {
            return 0;
        }
        self.lines - self.tests.iter().map(|range| range.end() - range.start() + 1).sum::<usize>()
    }

    /// The lines on which this sequence of tokens stands, such as `Instant::now`.
    pub(crate) fn find(&self, pattern: &str) -> Vec<usize> {
        let wanted = pattern_of(pattern);
        let hits = self.code.windows(wanted.len());
        let hits = hits.filter(|window| window.iter().map(|token| &token.text).eq(&wanted));
        hits.filter_map(|window| window.first()).map(|token| token.line).collect()
    }

    /// What is named directly below a path, alone and in `use` trees: of `std::fs::File` and `std::{fs, io}` below `std`
    /// the `fs`, with its line.
    pub(crate) fn named_below(&self, path: &str) -> Vec<(&str, usize)> {
        let wanted = pattern_of(&format!("{path}::"));
        let starts = self.code.windows(wanted.len()).enumerate();
        let starts = starts.filter(|(_, window)| window.iter().map(|token| &token.text).eq(&wanted));
        starts.flat_map(|(position, _)| self.first_segments(position + wanted.len())).collect()
    }

    fn first_segments(&self, start: usize) -> Vec<(&str, usize)> {
        let tokens = self.code.get(start..).unwrap_or_default();
        let Some(first) = tokens.first() else { return Vec::new() };
        if first.text != "{" {
            return vec![(&first.text, first.line)];
        }
        let mut depth = 0_usize;
        let mut expects = false;
        let mut segments = Vec::new();
        for token in tokens {
            match token.text.as_str() {
                "{" => {
                    depth += 1;
                    expects = depth == 1;
                }
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                "," => expects = depth == 1,
                name if expects => {
                    segments.push((name, token.line));
                    expects = false;
                }
                _ => {}
            }
        }
        segments
    }

    fn flatten(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut rest = trees.as_slice();
        while let Some((tree, after)) = rest.split_first() {
            if is_cfg_test(rest) {
                let length = item_length(rest);
                let (item, after) = rest.split_at(length);
                let end = item.last().map_or_else(|| line_of(tree), last_line_of);
                self.tests.push(line_of(tree)..=end);
                rest = after;
                continue;
            }
            match tree {
                TokenTree::Group(group) => self.flatten_group(group),
                other => self.code.push(Token { text: other.to_string(), line: line_of(other) }),
            }
            rest = after;
        }
    }

    fn flatten_group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        self.code.push(Token { text: open.to_owned(), line: group.span_open().start().line });
        self.flatten(group.stream());
        self.code.push(Token { text: close.to_owned(), line: group.span_close().start().line });
    }
}

/// The tokens of a pattern, none of which is a bracket; at least one, so that it matches somewhere and not everywhere.
fn pattern_of(pattern: &str) -> Vec<String> {
    let stream: TokenStream = pattern.parse().unwrap_or_default();
    let tokens: Vec<String> = stream.into_iter().map(|tree| tree.to_string()).collect();
    if tokens.is_empty() { vec![pattern.to_owned()] } else { tokens }
}

fn is_cfg_test(trees: &[TokenTree]) -> bool {
    match trees {
        [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] if hash.as_char() == '#' => {
            attribute.delimiter() == Delimiter::Bracket
                && attribute.stream().to_string().split_whitespace().collect::<String>() == "cfg(test)"
        }
        _ => false,
    }
}

/// An item ends with its first body or its semicolon.
fn item_length(trees: &[TokenTree]) -> usize {
    let end = trees.iter().position(|tree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    });
    end.map_or(trees.len(), |last| last + 1)
}

fn line_of(tree: &TokenTree) -> usize {
    tree.span().start().line
}

fn last_line_of(tree: &TokenTree) -> usize {
    tree.span().end().line
}
