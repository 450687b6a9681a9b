//! Looks for planted values where they must not be.
//!
//! Promises:
//! 1. A planted value is found raw, in any letter case, in hexadecimal and in base64 at each of its three alignments,
//!    with either alphabet; a number also as protobuf and fixed-width integers write it.
//! 2. A file is streamed: its size costs time, not memory, and a value across two reads is found. Only the zeros at its
//!    end are passed over.
//! 3. A search that could not look is an error, never "nothing found"; the report says how much was looked at.
//!
//! Not here: which values are planted (`traffic`).

mod encodings;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;

pub use encodings::Encoding;
use encodings::encodings;

/// How much of a file is read at a time.
const BLOCK: usize = 1 << 20;

/// A unique value that must not leave its region.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Canary {
    /// Where it was planted.
    pub region: String,
    /// What it stands for, such as `user.email`.
    pub kind: &'static str,
    /// The part of the value that is unique.
    pub needle: String,
}

/// One planted value in one file, where it was seen first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which of the searched values, by its position.
    pub canary: usize,
    /// How it was written.
    pub encoding: Encoding,
    /// Where.
    pub place: PathBuf,
    /// The byte at which it starts.
    pub offset: u64,
}

/// What was searched and what was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Files that were read to their end.
    pub files: u64,
    /// Bytes in them, but for zeros at their end.
    pub bytes: u64,
    /// The first place of each value in each file.
    pub hits: Vec<Hit>,
}

/// A search could not look everywhere.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The values cannot be searched for together.
    #[error("cannot prepare the search: {0}")]
    Prepare(#[from] aho_corasick::BuildError),
    /// A file or folder cannot be read.
    #[error("cannot search {path}: {source}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// All planted values in all their encodings, searched for in one pass.
pub struct Search {
    automaton: AhoCorasick,
    /// For each pattern, the value and the encoding it stands for.
    patterns: Vec<(usize, Encoding)>,
}

impl Search {
    /// Prepares the search for these values.
    ///
    /// # Errors
    /// When there are too many of them.
    pub fn new<'a>(canaries: impl IntoIterator<Item = &'a Canary>) -> Result<Self, SearchError> {
        let (mut patterns, mut texts) = (Vec::new(), Vec::new());
        for (number, canary) in canaries.into_iter().enumerate() {
            for (encoding, text) in encodings(&canary.needle) {
                patterns.push((number, encoding));
                texts.push(text);
            }
        }
        // Both cases of hexadecimal and of the value itself are one pattern each. For base64 it is more than asked.
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(texts)?;
        Ok(Self { automaton, patterns })
    }

    /// Searches all regular files below the folders.
    ///
    /// # Errors
    /// When a folder is missing or something in it cannot be read.
    pub fn folders<P: AsRef<Path>>(&self, folders: &[P]) -> Result<Report, SearchError> {
        let mut report = Report::default();
        for folder in folders {
            self.folder(folder.as_ref(), &mut report)?;
        }
        Ok(report)
    }

    /// Searches what `reader` yields; `place` is what the hits call it.
    ///
    /// # Errors
    /// When it cannot be read to its end.
    pub fn read(&self, place: &Path, reader: impl Read, report: &mut Report) -> io::Result<()> {
        let mut counting = Counting { reader, bytes: 0 };
        let mut first = BTreeMap::new();
        for hit in self.automaton.stream_find_iter(&mut counting) {
            let hit = hit?;
            if let Some(pattern) = self.patterns.get(hit.pattern().as_usize()) {
                first.entry(pattern).or_insert(hit.start());
            }
        }
        report.files += 1;
        report.bytes += counting.bytes;
        report.hits.extend(first.into_iter().map(|(&(canary, encoding), offset)| Hit {
            canary,
            encoding,
            place: place.to_owned(),
            offset: offset as u64,
        }));
        Ok(())
    }

    fn folder(&self, folder: &Path, report: &mut Report) -> Result<(), SearchError> {
        let unreadable = |source| SearchError::Unreadable { path: folder.to_owned(), source };
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_dir() {
                self.folder(&entry.path(), report)?;
            } else if kind.is_file() {
                self.file(&entry.path(), report)?;
            }
        }
        Ok(())
    }

    fn file(&self, path: &Path, report: &mut Report) -> Result<(), SearchError> {
        let unreadable = |source| SearchError::Unreadable { path: path.to_owned(), source };
        let file = match File::open(path) {
            // A process that is still running rotates its files: this one is gone, and its bytes with it.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(unreadable)?,
        };
        let written = written(&file).map_err(unreadable)?;
        self.read(path, BufReader::with_capacity(BLOCK, file.take(written)), report).map_err(unreadable)
    }
}

/// The length of a file without its tail of zeros: a preallocated log is mostly that, and it hides nothing.
fn written(file: &File) -> io::Result<u64> {
    let (length, zeros) = (file.metadata()?.len(), vec![0; BLOCK]);
    let (mut end, mut block) = (length, zeros.clone());
    while let Some(start) = end.checked_sub(BLOCK as u64) {
        let read = file.read_at(&mut block, start)?;
        if read < BLOCK || block != zeros {
            break;
        }
        end = start;
    }
    // The last bytes of a number may be zeros.
    Ok(length.min(end + size_of::<u64>() as u64))
}

impl Report {
    /// How many different values were found.
    pub fn found(&self) -> usize {
        let mut canaries: Vec<usize> = self.hits.iter().map(|hit| hit.canary).collect();
        canaries.sort_unstable();
        canaries.dedup();
        canaries.len()
    }
}

impl fmt::Display for Hit {
    /// Where it is and how it is written, without the value.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: byte {}: value {} as {}",
            self.place.display(),
            self.offset,
            self.canary,
            self.encoding.as_str()
        )
    }
}

struct Counting<R> {
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
