//! One thing that is wrong, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// A fault with its place: `file:line: what`, or `file: what` where no line is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    file: PathBuf,
    line: Option<usize>,
    what: String,
}

impl Finding {
    pub(crate) fn of_file(file: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self { file: file.as_ref().to_owned(), line: None, what: what.into() }
    }

    pub(crate) fn at(file: impl AsRef<Path>, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.as_ref().to_owned(), line: Some(line), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.file.display(), self.what),
            None => write!(formatter, "{}: {}", self.file.display(), self.what),
        }
    }
}
