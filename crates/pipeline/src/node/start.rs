//! What a node starts on: the documents that are there, or where those are refused the last ones that were in force here.
//!
//! Promises:
//! 1. A node that was never in force with anything starts on nothing that is not valid.
//! 2. What is started on because the documents were refused serves the region's own paths; nothing goes or comes over a link
//!    until a valid set is in force.

use std::path::Path;
use std::sync::Arc;

use tollgate_disk::Disk;

use crate::documents::Documents;
use crate::node::archive::Archive;
use crate::node::node_file::NodeFile;

/// A set of documents to start on.
#[derive(Debug)]
pub struct Start {
    pub(crate) documents: Arc<Documents>,
    /// What was wrong with the documents that are there, if these are not they.
    pub(crate) refused: Option<String>,
}

impl Start {
    /// Starts on the documents that are there.
    #[must_use]
    pub fn on(documents: Documents) -> Self {
        Self { documents: Arc::new(documents), refused: None }
    }

    /// Starts on the last documents that were in force here, because those in `dir` are refused; `None` where none were kept, or
    /// those are not whole.
    #[must_use]
    pub fn on_kept(file: &NodeFile, dir: &Path, why: &str) -> Option<Self> {
        let kept = Archive::new(&Disk::real(), file.archive()).latest(dir)?;
        Some(Self { documents: Arc::new(kept), refused: Some(why.to_owned()) })
    }
}
