//! One key: a folder, and in it a file for each epoch.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use tollgate_disk::{PrivateError, check_private_folder, open_private};
use tollgate_redaction::{Epoch, RootKey};
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::file_name::{self, SUFFIX};

/// Bytes of a root.
pub(crate) const ROOT_BYTES: usize = 32;
/// More than this is no root, whatever it is.
pub(crate) const LONGEST: usize = 2 * ROOT_BYTES + 16;

/// One key by name, and where its roots lie. Nothing is read before it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFolder {
    name: String,
    dir: PathBuf,
}

impl KeyFolder {
    /// Takes the name that policies use, and the folder.
    pub fn new(name: impl Into<String>, dir: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), dir: dir.into() }
    }

    /// Returns the name that policies use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the epochs that have a file, those of one length in order, whatever is in the files.
    ///
    /// # Errors
    /// When the folder cannot be read, is not its owner's alone or holds a root that is not named after an epoch.
    pub fn epochs(&self) -> Result<Vec<Epoch>, KeyError> {
        let (epochs, odd) = self.names()?;
        odd.into_iter().next().map_or(Ok(epochs), Err)
    }

    /// Returns the same, and beside it the files that are not named after an epoch, each as a fault.
    ///
    /// # Errors
    /// When the folder cannot be read or is not its owner's alone.
    pub fn names(&self) -> Result<(Vec<Epoch>, Vec<KeyError>), KeyError> {
        check_private_folder(&self.dir).map_err(|error| self.private(&self.dir, error))?;
        let unreadable = |source| self.unreadable(&self.dir, source);
        let (mut epochs, mut odd) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(&self.dir).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let name = name.to_string_lossy();
            match file_name::epoch(&name) {
                Some(epoch) => epochs.push(epoch),
                // A leading dot hides what is still being made.
                None if name.ends_with(SUFFIX) && !name.starts_with('.') => {
                    odd.push(KeyError::NoEpoch { key: self.name.clone(), path: self.dir.join(&*name) });
                }
                None => {}
            }
        }
        epochs.sort();
        Ok((epochs, odd))
    }

    /// Reads the root of an epoch.
    ///
    /// # Errors
    /// When it is not there, others can read it, or it is no root.
    pub fn read(&self, epoch: Epoch) -> Result<RootKey, KeyError> {
        let path = self.path(epoch)?;
        let file = open_private(&path).map_err(|error| self.private(&path, error))?;
        let text = text(file).map_err(|source| self.unreadable(&path, source))?;
        let (digits, mut root) = (text.trim_ascii(), Zeroizing::new([0; ROOT_BYTES]));
        let key = || self.name.clone();
        if digits.len() != 2 * ROOT_BYTES || HEXLOWER_PERMISSIVE.decode_mut(digits, &mut *root).is_err() {
            return Err(KeyError::NotARoot { key: key(), path });
        }
        if is_placeholder(&root) { Err(KeyError::Placeholder { key: key(), path }) } else { Ok(RootKey::from(&*root)) }
    }

    /// Where the root of an epoch lies, or would.
    pub(crate) fn path(&self, epoch: Epoch) -> Result<PathBuf, KeyError> {
        Ok(self.dir.join(file_name::of(epoch).ok_or(KeyError::Clock)?))
    }

    pub(crate) fn failed(&self, what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
        let (key, path) = (self.name.clone(), path.to_owned());
        move |source| KeyError::Failed { what, key, path, source }
    }

    fn unreadable(&self, path: &Path, source: io::Error) -> KeyError {
        let (key, path) = (self.name.clone(), path.to_owned());
        match source.kind() {
            io::ErrorKind::NotADirectory => KeyError::NoFolder { key, path },
            _ => KeyError::Unreadable { key, path, source },
        }
    }

    fn private(&self, path: &Path, error: PrivateError) -> KeyError {
        match error {
            PrivateError::Io(source) => self.unreadable(path, source),
            source => KeyError::Exposed { key: self.name.clone(), path: path.to_owned(), source },
        }
    }
}

/// What a file holds, as far as a root is long. Room is made at once: a buffer that grows leaves copies behind.
fn text(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(2 * LONGEST));
    file.take(LONGEST as u64).read_to_end(&mut text)?;
    Ok(text)
}

/// Whether the bytes repeat, count, or are of a few kinds only. No random key is taken for one: the odds are below 2⁻¹⁰⁰.
pub(crate) fn is_placeholder(key: &[u8; ROOT_BYTES]) -> bool {
    const FEW: usize = 8;
    let (front, back) = key.split_at(ROOT_BYTES / 2);
    let mut steps = key.iter().zip(key.iter().skip(1)).map(|(one, next)| next.wrapping_sub(*one));
    let first = steps.next();
    let is_new = |(place, byte): &(usize, &u8)| !key.iter().take(*place).any(|earlier| earlier == *byte);
    front == back || steps.all(|step| Some(step) == first) || key.iter().enumerate().filter(is_new).count() <= FEW
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    /// 1 December 2026.
    pub(crate) const NOW: u64 = 1_796_126_400_000_000_000;
    pub(crate) const MONTH: Duration = Duration::from_secs(30 * 86_400);
    const KEY: &str = "9f86D081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    pub(crate) fn folder() -> (tempfile::TempDir, KeyFolder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new("user", dir.path().join("user"));
        (dir, folder)
    }

    pub(crate) fn put(folder: &KeyFolder, name: &str, content: &str, mode: u32) {
        fs::create_dir_all(folder.dir()).unwrap();
        let path = folder.dir().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    fn put_now(content: &str, mode: u32) -> (tempfile::TempDir, Result<RootKey, KeyError>) {
        let (dir, folder) = folder();
        put(&folder, "20261103T000000Z-30d.root", content, mode);
        let read = folder.read(Epoch::at(NOW, MONTH));
        (dir, read)
    }

    #[test]
    fn a_root_is_read_from_a_private_file_and_refused_from_another() {
        for mode in [0o400, 0o600] {
            put_now(&format!("{KEY}\n"), mode).1.unwrap();
        }
        let said = put_now(KEY, 0o640).1.unwrap_err().to_string();
        assert!(said.starts_with("key user in ") && said.contains("20261103T000000Z-30d.root can be read"), "{said}");
        assert!(said.contains("its mode is 0640 and must be 0400 or 0600"), "{said}");
    }

    #[test]
    fn errors_never_show_what_the_file_holds() {
        for content in ["short", &"zz".repeat(32), &KEY.repeat(2), ""] {
            let error = put_now(content, 0o600).1.unwrap_err();
            assert!(matches!(error, KeyError::NotARoot { .. }) && !error.may_pass(), "{error}");
            assert!(content.is_empty() || !error.to_string().contains(content));
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
            let error = put_now(&content, 0o600).1.unwrap_err();
            assert!(matches!(error, KeyError::Placeholder { .. }) && !error.may_pass(), "{content}");
            assert!(!error.to_string().contains(&content));
        }
    }

    #[test]
    fn epochs_are_those_that_files_are_named_after() {
        let (_dir, folder) = folder();
        assert!(matches!(folder.epochs(), Err(KeyError::Unreadable { .. })));
        put(&folder, "20261203T000000Z-30d.root", KEY, 0o400);
        put(&folder, "20261103T000000Z-30d.root", KEY, 0o400);
        put(&folder, ".20261103T000000Z-30d.root", KEY, 0o400);
        put(&folder, "README", "", 0o644);
        let first = Epoch::at(NOW, MONTH);
        assert_eq!(folder.epochs().unwrap(), [first, first.next()]);
        put(&folder, "user.root", KEY, 0o400);
        assert!(matches!(folder.epochs(), Err(KeyError::NoEpoch { path, .. }) if path.ends_with("user.root")));
    }

    #[test]
    fn odd_files_are_told_beside_the_epochs() {
        let (_dir, folder) = folder();
        // No epoch of 30 days begins then.
        for name in ["20200106T000000Z-30d.root", "user.root", "20261103T000000Z-30d.root"] {
            put(&folder, name, KEY, 0o400);
        }
        let (epochs, odd) = folder.names().unwrap();
        assert_eq!((epochs, odd.len()), (vec![Epoch::at(NOW, MONTH)], 2));
        assert!(odd.iter().all(|fault| matches!(fault, KeyError::NoEpoch { .. })));
    }

    #[test]
    fn one_file_or_a_folder_that_others_can_change_is_no_key() {
        let (dir, key) = folder();
        fs::write(key.dir(), KEY).unwrap();
        let said = key.epochs().unwrap_err().to_string();
        assert!(said.contains("is no folder") && said.contains("`tollgate keys new`"), "{said}");
        let open = KeyFolder::new("user", dir.path());
        fs::set_permissions(dir.path(), Permissions::from_mode(0o770)).unwrap();
        let said = open.epochs().unwrap_err().to_string();
        assert!(said.contains("can be changed by others: the mode of the folder is 0770"), "{said}");
    }
}
