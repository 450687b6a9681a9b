//! The documents of a federation, read from a folder.
//!
//! Promises:
//! 1. Every `*.yaml` directly in `regions/` and `policies/` is read, and nothing else; other names are faults, so that no
//!    document is left out in silence.
//! 2. Nothing in the set depends on the process that reads it: `${...}` is a fault.
//!
//! Not here: node files, which may name the environment (`parse`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::document::{Document, Kind};
use crate::fault::{At, Faults};
use crate::parse::{MAX_BYTES, build};

const FOLDERS: [&str; 2] = ["regions", "policies"];

/// All documents of a federation.
#[derive(Debug, Default)]
pub struct Set {
    documents: BTreeMap<String, Document>,
}

impl Set {
    /// Makes a set of texts by name, under the rules of `load`.
    pub fn from_texts<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> (Self, Faults) {
        let faults = Faults::new();
        let mut set = Self::default();
        for (name, text) in texts {
            set.add(name, text, &faults);
        }
        (set, faults)
    }

    /// The documents by name.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.values()
    }

    /// The document of a name such as `policies/residency.yaml`.
    pub fn get(&self, name: &str) -> Option<&Document> {
        self.documents.get(name)
    }

    /// The document of a name that must be there.
    pub fn require(&self, name: &str, faults: &Faults) -> Option<&Document> {
        let document = self.get(name);
        if document.is_none() {
            faults.report(&At::document(name), "the document is missing");
        }
        document
    }

    fn add(&mut self, name: &str, text: &str, faults: &Faults) {
        let mut document = build(name, text, faults);
        refuse_variables(&mut document, faults);
        self.documents.insert(name.to_owned(), document);
    }
}

/// Loads the set below `folder`; the faults start the list its readers add to.
pub fn load(folder: &Path) -> (Set, Faults) {
    load_but(folder, None)
}

/// Loads the set below `folder` with another text for one of its documents, which need not be there.
pub fn load_with(folder: &Path, name: &str, text: &str) -> (Set, Faults) {
    let (mut set, faults) = load_but(folder, Some(name));
    set.add(name, text, &faults);
    (set, faults)
}

fn load_but(folder: &Path, left_out: Option<&str>) -> (Set, Faults) {
    let faults = Faults::new();
    let mut set = Set::default();
    for name in FOLDERS {
        if let Err(error) = load_folder((&folder.join(name), name), left_out, &mut set, &faults) {
            faults.report(&At::document(name), format_args!("the folder cannot be read: {}", error.kind()));
        }
    }
    (set, faults)
}

fn load_folder(
    (path, folder): (&Path, &str),
    left_out: Option<&str>,
    set: &mut Set,
    faults: &Faults,
) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Hidden entries belong to editors and to the links of a mounted ConfigMap; folders hold golden cases.
        if file.starts_with('.') || (path.is_dir() && !file.ends_with(".yaml")) {
            continue;
        }
        let name = format!("{folder}/{file}");
        if left_out == Some(name.as_str()) {
            continue;
        }
        if !file.ends_with(".yaml") {
            faults.report(&At::document(&name), "is not read: the name of a document ends in .yaml");
            continue;
        }
        match read_text(&path) {
            Ok(text) => set.add(&name, &text, faults),
            Err(error) => {
                faults.report(&At::document(&name), format_args!("cannot be read: {error}"));
                // It is there: nobody is to call it missing.
                set.documents.insert(name.clone(), Document::broken(&name));
            }
        }
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<String, Unreadable> {
    let found = fs::metadata(path)?;
    if !found.is_file() {
        return Err(Unreadable::NoFile); // reading from a pipe could wait for ever
    }
    if found.len() > MAX_BYTES as u64 {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
    }
    Ok(fs::read_to_string(path)?)
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("it is not a regular file")]
    NoFile,
    #[error("{}", .0.kind())]
    Io(#[from] io::Error),
}

/// What decides over a border stands in the set itself, never in a process's environment. Readers then find nothing there, so
/// that a variable is one fault.
fn refuse_variables(document: &mut Document, faults: &Faults) {
    const MESSAGE: &str = "${...} is allowed in node files only";
    for id in document.ids() {
        match &document.node(id).kind {
            Kind::Scalar { text, .. } if text.contains("${") => {
                faults.report(&document.at(id), MESSAGE);
                document.node_mut(id).kind = Kind::Broken;
            }
            Kind::Mapping(entries) => {
                for (key, entry) in entries.iter().filter(|(key, _)| key.contains("${")) {
                    faults.report(&document.at_key(id, key, entry.key), MESSAGE);
                }
                if let Kind::Mapping(entries) = &mut document.node_mut(id).kind {
                    entries.retain(|key, _| !key.contains("${"));
                }
            }
            _ => {}
        }
    }
}
