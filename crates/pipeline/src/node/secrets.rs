//! Keys and secrets by name, from where the node file says they lie.
//!
//! Promises:
//! 1. A key that cannot be read is absent, never guessed; what needs it does not cross.
//! 2. Bytes of keys are wiped when they are dropped and appear in no log, error or debug output.
//! 3. Every key and secret that cannot be used is reported at once.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use tollgate_disk::{PrivateError, may_pass, open_private};
use tollgate_redaction::{Epoch, Keys, RootKey};
use zeroize::Zeroizing;

use crate::node::node_file::Source;

/// Bytes of a root key.
const ROOT_BYTES: usize = 32;

/// What a node file gives a name to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A root key.
    Key(String),
    /// A secret, such as a backend's token.
    Secret(String),
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(name) => write!(f, "key {name}"),
            Self::Secret(name) => write!(f, "secret {name}"),
        }
    }
}

/// A key or secret cannot be used. Never carries its content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read {what} from {path}: {source}")]
    Unreadable {
        /// Its name in the documents.
        what: Named,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The environment variable is not set.
    #[error("the environment variable {variable} for {what} is not set, or not to text")]
    Unset {
        /// Its name in the documents.
        what: Named,
        /// The variable.
        variable: String,
    },
    /// Others than its owner may read the file.
    #[error("{what} in {path} {source}")]
    Exposed {
        /// Its name in the documents.
        what: Named,
        /// The file.
        path: PathBuf,
        /// How.
        source: PrivateError,
    },
    /// It is not a key.
    #[error("{what} is not 64 hexadecimal digits")]
    NotAKey {
        /// Its name in the documents.
        what: Named,
    },
    /// It is a key that somebody typed and anybody guesses: its pseudonyms would hide nobody.
    #[error("{what} is a placeholder and no random key; make one with `openssl rand -hex 32`")]
    Placeholder {
        /// Its name in the documents.
        what: Named,
    },
    /// There is nothing in it.
    #[error("{what} is empty")]
    Empty {
        /// Its name in the documents.
        what: Named,
    },
    /// The node file does not name it.
    #[error("the node file does not say where {what} lies")]
    Unknown {
        /// Its name in the documents.
        what: Named,
    },
}

impl SecretError {
    /// Whether a later attempt may succeed although nobody has changed a file.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if may_pass(source))
    }
}

/// The root keys of this process.
pub(crate) struct KeyRing(BTreeMap<String, Zeroizing<[u8; ROOT_BYTES]>>);

impl KeyRing {
    /// Reads every key the node file names.
    pub(crate) fn load(sources: &BTreeMap<String, Source>) -> Result<Self, Vec<SecretError>> {
        all(sources, |name, source| root(Named::Key(name), source)).map(Self)
    }

    /// Whether a key of this name is here.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl Keys for KeyRing {
    fn root(&self, name: &str, _: Epoch) -> Option<RootKey> {
        self.0.get(name).map(|key| RootKey::new(**key))
    }
}

/// The secrets of this process.
pub(crate) struct Secrets(BTreeMap<String, Zeroizing<String>>);

impl Secrets {
    /// Reads every secret the node file names.
    pub(crate) fn load(sources: &BTreeMap<String, Source>) -> Result<Self, Vec<SecretError>> {
        all(sources, |name, source| text(Named::Secret(name), source)).map(Self)
    }

    /// A secret, as text without surrounding white space.
    pub(crate) fn find(&self, name: &str) -> Result<Zeroizing<String>, SecretError> {
        self.0.get(name).cloned().ok_or_else(|| SecretError::Unknown { what: Named::Secret(name.to_owned()) })
    }
}

fn all<T>(
    sources: &BTreeMap<String, Source>,
    load: impl Fn(String, &Source) -> Result<T, SecretError>,
) -> Result<BTreeMap<String, T>, Vec<SecretError>> {
    let (mut loaded, mut faults) = (BTreeMap::new(), Vec::new());
    for (name, source) in sources {
        match load(name.clone(), source) {
            Ok(value) => drop(loaded.insert(name.clone(), value)),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(loaded) } else { Err(faults) }
}

fn root(what: Named, source: &Source) -> Result<Zeroizing<[u8; ROOT_BYTES]>, SecretError> {
    let text = text(what.clone(), source)?;
    let mut key = Zeroizing::new([0; ROOT_BYTES]);
    let digits = text.as_bytes();
    if digits.len() != 2 * ROOT_BYTES || HEXLOWER_PERMISSIVE.decode_mut(digits, &mut *key).is_err() {
        return Err(SecretError::NotAKey { what });
    }
    if is_placeholder(&key) { Err(SecretError::Placeholder { what }) } else { Ok(key) }
}

/// Whether the bytes repeat, count, or are of a few kinds only. No random key is taken for one: the odds are below 2⁻¹⁰⁰.
fn is_placeholder(key: &[u8; ROOT_BYTES]) -> bool {
    const FEW: usize = 8;
    let (front, back) = key.split_at(ROOT_BYTES / 2);
    let mut steps = key.iter().zip(key.iter().skip(1)).map(|(one, next)| next.wrapping_sub(*one));
    let first = steps.next();
    let is_new = |(place, byte): &(usize, &u8)| !key.iter().take(*place).any(|earlier| earlier == *byte);
    front == back || steps.all(|step| Some(step) == first) || key.iter().enumerate().filter(is_new).count() <= FEW
}

fn text(what: Named, source: &Source) -> Result<Zeroizing<String>, SecretError> {
    let text = match source {
        Source::File(path) => read_private(&what, path)?,
        Source::Env(variable) => {
            let unset = |_| SecretError::Unset { what: what.clone(), variable: variable.clone() };
            Zeroizing::new(std::env::var(variable).map_err(unset)?)
        }
    };
    let text = Zeroizing::new(text.trim().to_owned());
    if text.is_empty() { Err(SecretError::Empty { what }) } else { Ok(text) }
}

fn read_private(what: &Named, path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { what: what.clone(), path: path.to_owned(), source };
    let mut file = open_private(path).map_err(|error| match error {
        PrivateError::Io(source) => unreadable(source),
        source @ PrivateError::Exposed { .. } => {
            SecretError::Exposed { what: what.clone(), path: path.to_owned(), source }
        }
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
        let path = dir.path().join("key");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, Source::File(path))
    }

    const KEY: &str = "9f86D081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn user() -> Named {
        Named::Key("user".to_owned())
    }

    #[test]
    fn a_key_or_secret_that_others_can_read_is_refused() {
        let (_dir, source) = file(KEY, 0o644);
        assert!(matches!(root(user(), &source), Err(SecretError::Exposed { .. })));
        let said = text(Named::Secret("vendor".to_owned()), &source).unwrap_err().to_string();
        assert!(said.starts_with("secret vendor in ") && said.contains("its mode is 0644"), "{said}");
        let (_dir, source) = file(KEY, 0o400);
        assert_eq!(root(user(), &source).unwrap()[..4], [0x9f, 0x86, 0xd0, 0x81]);
    }

    #[test]
    fn errors_never_show_what_the_file_holds() {
        for content in ["short", &"zz".repeat(32)] {
            let (_dir, source) = file(content, 0o600);
            let error = root(user(), &source).unwrap_err();
            assert!(matches!(error, SecretError::NotAKey { .. }) && !error.to_string().contains(content));
        }
    }

    #[test]
    fn a_key_that_anybody_guesses_is_refused() {
        let counting: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let down: String = (0..32).rev().map(|byte| format!("{byte:02X}")).collect();
        let words =
            ["0".repeat(64), "f".repeat(64), "5a".repeat(32), "0123456789abcdef".repeat(4), "deadbeef".repeat(8)];
        let thirds = "c0ffee".repeat(11)[..64].to_owned();
        let mostly = "0".repeat(62) + "01";
        for content in words.into_iter().chain([counting, down, thirds, mostly]) {
            let (_dir, source) = file(&content, 0o600);
            let error = root(user(), &source).unwrap_err();
            assert!(matches!(error, SecretError::Placeholder { .. }) && !error.may_pass(), "{content}");
            assert!(!error.to_string().contains(&content));
        }
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let (_dir, short) = file("short", 0o600);
        let (_other, open) = file("token", 0o640);
        let (_third, empty) = file(" \n", 0o600);
        let sources = [("a", short), ("b", open), ("c", empty), ("d", Source::File("/nowhere".into()))];
        let sources = sources.map(|(name, source)| (name.to_owned(), source)).into();
        let faults = KeyRing::load(&sources).err().unwrap();
        assert!(faults.len() == 4 && faults.iter().all(|fault| !fault.may_pass()), "{faults:?}");
    }
}
