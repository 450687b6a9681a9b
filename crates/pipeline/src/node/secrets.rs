//! Secrets by name, from where the node file says they lie.
//!
//! Promises:
//! 1. Their bytes are wiped when they are dropped and appear in no log, error or debug output.
//! 2. Every secret that cannot be used is reported at once.
//!
//! Not here: root keys (`tollgate_keys`).

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use tollgate_disk::{PrivateError, may_pass, open_private};
use zeroize::Zeroizing;

use crate::node::node_file::Source;

/// A secret cannot be used. Never carries its content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read secret {name} from {path}: {source}")]
    Unreadable {
        /// Its name in the documents.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The environment variable is not set.
    #[error("the environment variable {variable} for secret {name} is not set, or not to text")]
    Unset {
        /// Its name in the documents.
        name: String,
        /// The variable.
        variable: String,
    },
    /// Others than its owner may read the file.
    #[error("secret {name} in {path} {source}")]
    Exposed {
        /// Its name in the documents.
        name: String,
        /// The file.
        path: PathBuf,
        /// How.
        source: PrivateError,
    },
    /// There is nothing in it.
    #[error("secret {name} is empty")]
    Empty {
        /// Its name in the documents.
        name: String,
    },
    /// The node file does not name it.
    #[error("the node file does not say where secret {name} lies")]
    Unknown {
        /// Its name in the documents.
        name: String,
    },
}

impl SecretError {
    /// Whether a later attempt may succeed although nobody has changed a file.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if may_pass(source))
    }
}

/// The secrets of this process.
pub(crate) struct Secrets(BTreeMap<String, Zeroizing<String>>);

impl Secrets {
    /// Reads every secret the node file names.
    pub(crate) fn load(sources: &BTreeMap<String, Source>) -> Result<Self, Vec<SecretError>> {
        let (mut loaded, mut faults) = (BTreeMap::new(), Vec::new());
        for (name, source) in sources {
            match text(name, source) {
                Ok(value) => drop(loaded.insert(name.clone(), value)),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Self(loaded)) } else { Err(faults) }
    }

    /// A secret, as text without surrounding white space.
    pub(crate) fn find(&self, name: &str) -> Result<Zeroizing<String>, SecretError> {
        self.0.get(name).cloned().ok_or_else(|| SecretError::Unknown { name: name.to_owned() })
    }
}

fn text(name: &str, source: &Source) -> Result<Zeroizing<String>, SecretError> {
    let name = || name.to_owned();
    let text = match source {
        Source::File(path) => read_private(name(), path)?,
        Source::Env(variable) => {
            let unset = |_| SecretError::Unset { name: name(), variable: variable.clone() };
            Zeroizing::new(std::env::var(variable).map_err(unset)?)
        }
    };
    let text = Zeroizing::new(text.trim().to_owned());
    if text.is_empty() { Err(SecretError::Empty { name: name() }) } else { Ok(text) }
}

fn read_private(name: String, path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { name: name.clone(), path: path.to_owned(), source };
    let mut file = open_private(path).map_err(|error| match error {
        PrivateError::Io(source) => unreadable(source),
        source => SecretError::Exposed { name: name.clone(), path: path.to_owned(), source },
    })?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, Source::File(path))
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused_and_never_shown() {
        let (_dir, source) = file("hunter2", 0o644);
        let said = text("vendor", &source).unwrap_err().to_string();
        assert!(said.starts_with("secret vendor in ") && said.contains("its mode is 0644"), "{said}");
        assert!(!said.contains("hunter2"));
        let (_dir, source) = file(" hunter2\n", 0o400);
        assert_eq!(*text("vendor", &source).unwrap(), "hunter2");
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let (_other, open) = file("token", 0o640);
        let (_third, empty) = file(" \n", 0o600);
        let sources = [("b", open), ("c", empty), ("d", Source::File("/nowhere".into()))];
        let sources = sources.map(|(name, source)| (name.to_owned(), source)).into();
        let faults = Secrets::load(&sources).err().unwrap();
        assert!(faults.len() == 3 && faults.iter().all(|fault| !fault.may_pass()), "{faults:?}");
    }
}
