//! Keys and secrets by name, from where the node file says they lie.
//!
//! Promises:
//! 1. A key that cannot be read is absent, never guessed; what needs it does not cross.
//! 2. Bytes of keys are wiped when they are dropped and appear in no log, error or debug output.

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::HEXLOWER_PERMISSIVE;
use tollgate_redaction::{Keys, RootKey};
use zeroize::Zeroizing;

use crate::node::node_file::Source;

/// Bytes of a root key.
const ROOT_BYTES: usize = 32;

/// A key or secret cannot be used. Never carries its content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read {name}: {source}")]
    Unreadable {
        /// The name in the documents.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The environment variable is not set.
    #[error("the environment variable for {name} is not set")]
    Unset {
        /// The name in the documents.
        name: String,
    },
    /// Others than its owner may read the file.
    #[error("the file of key {name} can be read by others: its mode must be 0400 or 0600")]
    Exposed {
        /// The name in the documents.
        name: String,
    },
    /// It is not a key.
    #[error("key {name} is not 64 hexadecimal digits")]
    NotAKey {
        /// The name in the documents.
        name: String,
    },
    /// The node file does not name it.
    #[error("the node file does not say where {name} lies")]
    Unknown {
        /// The name in the documents.
        name: String,
    },
}

/// The root keys of this process.
pub(crate) struct KeyRing(BTreeMap<String, Zeroizing<[u8; ROOT_BYTES]>>);

impl KeyRing {
    /// Reads every key the node file names.
    pub(crate) fn load(sources: &BTreeMap<String, Source>) -> Result<Self, SecretError> {
        let keys = sources.iter().map(|(name, source)| Ok((name.clone(), root(name, source)?)));
        keys.collect::<Result<_, _>>().map(Self)
    }
}

impl Keys for KeyRing {
    fn root(&self, name: &str, _epoch: u64) -> Option<RootKey> {
        self.0.get(name).map(|key| RootKey::new(**key))
    }
}

fn root(name: &str, source: &Source) -> Result<Zeroizing<[u8; ROOT_BYTES]>, SecretError> {
    if let Source::File(path) = source {
        refuse_exposed(name, path)?;
    }
    let text = read(name, source)?;
    let not_a_key = || SecretError::NotAKey { name: name.to_owned() };
    let mut key = Zeroizing::new([0; ROOT_BYTES]);
    let digits = text.trim().as_bytes();
    if digits.len() != 2 * ROOT_BYTES {
        return Err(not_a_key());
    }
    HEXLOWER_PERMISSIVE.decode_mut(digits, &mut *key).map_err(|_| not_a_key())?;
    Ok(key)
}

/// A named secret, as text without surrounding white space.
pub(crate) fn secret(sources: &BTreeMap<String, Source>, name: &str) -> Result<Zeroizing<String>, SecretError> {
    let source = sources.get(name).ok_or_else(|| SecretError::Unknown { name: name.to_owned() })?;
    Ok(Zeroizing::new(read(name, source)?.trim().to_owned()))
}

fn read(name: &str, source: &Source) -> Result<Zeroizing<String>, SecretError> {
    match source {
        Source::File(path) => std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| SecretError::Unreadable { name: name.to_owned(), source }),
        Source::Env(variable) => {
            std::env::var(variable).map(Zeroizing::new).map_err(|_| SecretError::Unset { name: name.to_owned() })
        }
    }
}

fn refuse_exposed(name: &str, path: &Path) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata =
        std::fs::metadata(path).map_err(|source| SecretError::Unreadable { name: name.to_owned(), source })?;
    if metadata.permissions().mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(SecretError::Exposed { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, Source::File(path))
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let (_dir, source) = file(&"ab".repeat(32), 0o644);
        assert!(matches!(root("user", &source), Err(SecretError::Exposed { .. })));
        let (_dir, source) = file(&"Ab".repeat(32), 0o400);
        assert_eq!(*root("user", &source).unwrap(), [0xab; 32]);
    }

    #[test]
    fn errors_never_show_what_the_file_holds() {
        for content in ["short", &"zz".repeat(32)] {
            let (_dir, source) = file(content, 0o600);
            let error = root("user", &source).unwrap_err();
            assert!(matches!(error, SecretError::NotAKey { .. }) && !error.to_string().contains(content));
        }
    }
}
