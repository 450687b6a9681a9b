//! One loaded set: the federation, its residency policy and its sampling policy, valid as a whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollgate_config::{At, Faults, Set};
use tollgate_federation::{Federation, FederationDraft};
use tollgate_residency::Policy;
use tollgate_sampling::PolicySet;

/// The policies there are. A rule in any other file would hold nowhere.
const POLICIES: [&str; 4] =
    ["policies/catalogue.yaml", "policies/catalogue-own.yaml", "policies/residency.yaml", SAMPLING];
/// The one for tail sampling.
pub(crate) const SAMPLING: &str = "policies/sampling.yaml";

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
        let federation = FederationDraft::read(&set, &faults);
        let policy = Policy::read(&set, &federation, &faults);
        let sampling = PolicySet::load(&set, &faults);
        refuse_unread(&set, &faults);
        match (federation.whole(), policy, sampling) {
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

    /// Whether the sampling policies say something else than those of another set.
    pub(crate) fn samples_otherwise(&self, than: &Self) -> bool {
        match (self.set.get(SAMPLING), than.set.get(SAMPLING)) {
            (Some(own), Some(other)) => !own.differences(other).is_empty(),
            (own, other) => own.is_some() != other.is_some(),
        }
    }
}

/// A document that nobody reads is not left out in silence: it may hold a deny.
fn refuse_unread(set: &Set, faults: &Faults) {
    let policies = set.documents().map(tollgate_config::Document::name).filter(|name| name.starts_with("policies/"));
    for name in policies.filter(|name| !POLICIES.contains(name)) {
        faults.report(&At::document(name), format_args!("is not read: the policies are {}", POLICIES.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn rules_in_a_file_that_nobody_reads_are_a_fault() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let copy = tempfile::tempdir().unwrap();
        for folder in ["regions", "policies"] {
            fs::create_dir(copy.path().join(folder)).unwrap();
            for entry in fs::read_dir(example.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    continue;
                }
                fs::copy(&path, copy.path().join(folder).join(path.file_name().unwrap())).unwrap();
            }
        }
        assert!(Documents::load(copy.path()).is_ok());
        fs::write(copy.path().join("policies/residency-uk.yaml"), "rules: []\n").unwrap();
        let faults = Documents::load(copy.path()).unwrap_err().to_string();
        assert!(faults.contains("policies/residency-uk.yaml") && faults.contains("is not read"), "{faults}");
    }
}
