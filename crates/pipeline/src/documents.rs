//! One loaded set: the federation, its residency policy and its sampling policy, valid as a whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollgate_config::{Faults, Set};
use tollgate_federation::Federation;
use tollgate_residency::Policy;
use tollgate_sampling::PolicySet;

/// A valid set of documents.
#[derive(Debug)]
pub struct Documents {
    pub(crate) dir: PathBuf,
    pub(crate) set: Set,
    pub(crate) federation: Arc<Federation>,
    pub(crate) policy: Arc<Policy>,
}

impl Documents {
    /// Loads the set below `dir`.
    ///
    /// # Errors
    /// With every fault of every document.
    pub fn load(dir: &Path) -> Result<Self, Faults> {
        let (set, faults) = tollgate_config::load(dir);
        let federation = Federation::read(&set, &faults);
        let policy = federation.as_ref().and_then(|federation| Policy::read(&set, federation, &faults));
        let sampling = PolicySet::load(&set, &faults);
        match (federation, policy, sampling) {
            (Some(federation), Some(policy), Some(_)) if faults.is_empty() => {
                Ok(Self { dir: dir.to_owned(), set, federation: Arc::new(federation), policy: Arc::new(policy) })
            }
            _ => Err(faults),
        }
    }

    /// The federation.
    pub fn federation(&self) -> &Federation {
        &self.federation
    }

    /// The sampling policies, read anew for each sampler.
    pub(crate) fn sampling(&self) -> Result<PolicySet, Faults> {
        let faults = Faults::default();
        PolicySet::load(&self.set, &faults).ok_or(faults)
    }
}
