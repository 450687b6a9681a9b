//! Loads the documents and the node file that a command works on.

use std::path::Path;

use tollgate_pipeline::{Documents, NodeFile};

use crate::cli::Set;
use crate::exit::Exit;

/// The whole set below its folder, or everything that is wrong with it.
pub(super) fn load(set: &Set) -> Result<Documents, Exit> {
    let folders = ["regions", "policies"];
    if !folders.iter().any(|folder| set.dir.join(folder).is_dir()) {
        let place = set.dir.display();
        return Err(Exit::Config(format!(
            "{place}: neither `regions/` nor `policies/` is here; --set says where they are"
        )));
    }
    Documents::load(&set.dir).map_err(Exit::config)
}

/// The set and a node file, or everything that is wrong with both.
pub(super) fn load_with(set: &Set, node_file: &Path) -> Result<(Documents, NodeFile), Exit> {
    match (load(set), NodeFile::load(node_file, &set.dir).map_err(Exit::config)) {
        (Ok(documents), Ok(file)) => Ok((documents, file)),
        (Err(Exit::Config(one)), Err(Exit::Config(two))) => Err(Exit::Config(format!("{one}\n{two}"))),
        (Err(fault), _) | (_, Err(fault)) => Err(fault),
    }
}
