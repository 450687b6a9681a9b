//! Puts what environment variables hold into the text of a node file.
//!
//! Promises:
//! 1. A variable that is not set, or whose value could write other keys, is a fault at its line, column and path.
//! 2. It is the only fault there: what its reader would say of it is left out. In a comment it is none.
//!
//! Not here: keys and secrets out of the environment (`keys.rs`): those never stand in a text.

use tollgate_config::{At, Fault, Faults, Value};

const OPEN: &str = "${env:";
/// Stands around the number of a variable that cannot be used: no YAML syntax, and nothing that anybody writes.
const MARK: char = '\u{e000}';

/// The text of a node file with its variables.
pub(super) struct Expanded {
    pub(super) text: String,
    unusable: Vec<Unusable>,
}

/// Why a variable cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("the environment variable {0} is not set, or not to text")]
    Unset(String),
    #[error("the environment variable {0} has a line break in its value")]
    LineBreak(String),
    #[error("a variable is written as `${{env:NAME}}`")]
    Nameless,
}

impl Expanded {
    /// Replaces each `${env:NAME}`.
    pub(super) fn new(text: &str, variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut expanded = Self { text: String::with_capacity(text.len()), unusable: Vec::new() };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            expanded.text.push_str(before);
            let named = after.split_once('}').filter(|(name, _)| !name.contains(char::is_whitespace));
            let width = OPEN.len() + named.map_or(0, |(name, _)| name.chars().count() + 1);
            let (name, tail) = named.unwrap_or(("", after));
            match usable(name, &variable) {
                Ok(value) => expanded.text.push_str(&value),
                Err(why) => expanded.mark(why, width),
            }
            rest = tail;
        }
        expanded.text.push_str(rest);
        expanded
    }

    /// As wide as what was written, so that the columns behind it stay true.
    fn mark(&mut self, why: Unusable, width: usize) {
        let (number, width) = (self.unusable.len(), width.saturating_sub(2));
        self.text.push_str(&format!("{MARK}{number:0width$}{MARK}"));
        self.unusable.push(why);
    }

    /// What is wrong with the document of this text: its variables, and what `read` found elsewhere.
    pub(super) fn faults(&self, root: Value<'_>, read: &Faults) -> Faults {
        let mut wrong = Vec::new();
        self.find(root, &mut wrong);
        let faults = Faults::new();
        let said = |at: &At| wrong.iter().any(|fault| (fault.at.line, fault.at.column) == (at.line, at.column));
        for fault in read.iter().filter(|fault| !said(&fault.at) && !fault.at.path.contains(MARK)) {
            faults.report(&fault.at, fault.message);
        }
        for Fault { at, message } in wrong {
            faults.report(&at, message);
        }
        faults
    }

    fn find(&self, value: Value<'_>, wrong: &mut Vec<Fault>) {
        if let Some(text) = value.as_text() {
            wrong.extend(self.within(text, &value.at()));
        } else if value.is_sequence() {
            value.items().into_iter().flatten().for_each(|item| self.find(item, wrong));
        } else if value.is_mapping() {
            for (key, entry) in value.entries().into_iter().flatten() {
                // The path of such a key would show our marks.
                wrong.extend(self.within(&key.value, &At { path: value.at().path, ..key.at }));
                self.find(entry, wrong);
            }
        }
    }

    fn within(&self, text: &str, at: &At) -> Vec<Fault> {
        let marked = text.split(MARK).skip(1).step_by(2);
        let unusable = marked.filter_map(|number| self.unusable.get(number.parse::<usize>().ok()?));
        unusable.map(|why| Fault { at: at.clone(), message: why.to_string() }).collect()
    }
}

fn usable(name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, Unusable> {
    if name.is_empty() {
        return Err(Unusable::Nameless);
    }
    let value = variable(name).ok_or_else(|| Unusable::Unset(name.to_owned()))?;
    if value.contains(['\n', '\r']) { Err(Unusable::LineBreak(name.to_owned())) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Expanded {
        Expanded::new(text, |name| match name {
            "DIR" => Some("/var/lib".to_owned()),
            "EVIL" => Some("x\nkeys: {}".to_owned()),
            _ => None,
        })
    }

    fn faults(text: &str) -> String {
        let expanded = expand(text);
        let (document, read) = tollgate_config::parse("node.yaml", &expanded.text);
        assert!(read.is_empty(), "{read}");
        expanded.faults(document.root(&read), &read).to_string()
    }

    #[test]
    fn what_is_set_stands_in_the_text_and_a_comment_needs_nothing() {
        let expanded = expand("data: ${env:DIR}/a # not ${env:NOPE}\n");
        assert!(expanded.text.starts_with("data: /var/lib/a # not "));
        assert_eq!(faults("data: ${env:DIR}/a # not ${env:NOPE}\n"), "");
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named_where_it_stands_and_its_value_is_not_shown() {
        let text = "data: ${env:NOPE}/x\nlisten: {tier: ${env:EVIL}, admin: '${env:A}${env:B}'}\n\
                    dns: [1.1.1.1:53, ${env:}]\n${env:KEY}: 1\nworkers: ${env:A 1\n";
        assert_eq!(
            faults(text),
            "node.yaml:1:7: data: the environment variable NOPE is not set, or not to text\n\
             node.yaml:2:16: listen.tier: the environment variable EVIL has a line break in its value\n\
             node.yaml:2:36: listen.admin: the environment variable A is not set, or not to text\n\
             node.yaml:2:36: listen.admin: the environment variable B is not set, or not to text\n\
             node.yaml:3:19: dns[1]: a variable is written as `${env:NAME}`\n\
             node.yaml:4:1: the environment variable KEY is not set, or not to text\n\
             node.yaml:5:10: workers: a variable is written as `${env:NAME}`"
        );
    }
}
