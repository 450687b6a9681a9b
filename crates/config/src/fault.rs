//! What is wrong with the documents, and where.
//!
//! Promises:
//! 1. Faults are listed by file, line and column, each once, whatever the order of their discovery.
//! 2. At most a thousand are kept, and the list says so: nobody reads more, and hostile text must not fill the memory.
//! 3. Reporting needs only a shared reference, so readers can be nested freely.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MAX_FAULTS: usize = 1_000;

/// A position in a document; lines and columns count from one, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The document's name, relative to the set's folder.
    pub file: Arc<str>,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The path of keys and item numbers from the document's root; empty at the root.
    pub path: String,
}

impl At {
    /// The beginning of a document, for what is wrong with it as a whole.
    pub fn document(file: &str) -> Self {
        Self { file: file.into(), line: 1, column: 1, path: String::new() }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, ": {}", self.path) }
    }
}

/// A value and where it stands, for faults that are found after reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: At,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub at: At,
    /// What, in lower case and without values that may be secret.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// All that is wrong with a set of documents.
#[derive(Debug, Default)]
pub struct Faults {
    // A mutex and not a cell: a list of faults is an error, and errors cross threads.
    list: Mutex<Vec<Fault>>,
}

impl Faults {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault.
    pub fn report(&self, at: &At, message: impl fmt::Display) {
        let mut list = self.lock();
        if list.len() < MAX_FAULTS {
            list.push(Fault { at: at.clone(), message: message.to_string() });
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// How many distinct faults there are.
    pub fn len(&self) -> usize {
        self.sorted().len()
    }

    /// The faults by position, each once.
    pub fn iter(&self) -> impl Iterator<Item = Fault> + use<> {
        self.sorted().into_iter()
    }

    fn sorted(&self) -> Vec<Fault> {
        let mut list = self.lock().clone();
        list.sort();
        list.dedup();
        list
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.iter().enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        if self.lock().len() == MAX_FAULTS {
            write!(f, "\nno more than {MAX_FAULTS} are listed, and there may be more")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, column: usize) -> At {
        At { file: "a.yaml".into(), line, column, path: "x.y".to_owned() }
    }

    #[test]
    fn faults_are_listed_by_position_each_once() {
        let faults = Faults::new();
        faults.report(&at(10, 2), "late");
        faults.report(&at(9, 7), "early");
        faults.report(&at(10, 2), "late");
        assert_eq!(faults.len(), 2);
        assert_eq!(faults.to_string(), "a.yaml:9:7: x.y: early\na.yaml:10:2: x.y: late");
    }

    #[test]
    fn the_list_is_bounded() {
        let faults = Faults::new();
        (0..2 * MAX_FAULTS).for_each(|line| faults.report(&at(line, 1), "again"));
        assert_eq!(faults.len(), MAX_FAULTS);
        assert!(faults.to_string().ends_with("again\nno more than 1000 are listed, and there may be more"));
    }

    #[test]
    fn a_fault_of_a_whole_document_has_no_path() {
        let faults = Faults::new();
        faults.report(&At::document("b.yaml"), "missing");
        assert_eq!(faults.to_string(), "b.yaml:1:1: missing");
    }
}
