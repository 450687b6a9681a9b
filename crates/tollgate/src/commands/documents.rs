//! Loads the documents that a command works on.

use tollgate_pipeline::Documents;

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
