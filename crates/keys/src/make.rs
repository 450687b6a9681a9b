//! Makes roots: random, whole or not at all, and never over one that is there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use data_encoding::HEXLOWER;
use tollgate_disk::Disk;
use tollgate_redaction::Epoch;
use tollgate_runtime::Timestamp;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::folder::{KeyFolder, ROOT_BYTES};

/// The most roots of one length of epochs that are made ahead.
pub const MOST_AHEAD: usize = 1000;
/// A root is read, never written.
const MODE: u32 = 0o400;

impl KeyFolder {
    /// Makes the folder and in it the root of the epoch that is now, for each length of epochs. Returns what was made.
    ///
    /// # Errors
    /// When there is a root already, or the machine refuses.
    pub fn begin(&self, lengths: &[Duration], now: Timestamp) -> Result<Vec<Epoch>, KeyError> {
        Disk::real().make_dir(self.dir()).map_err(self.failed("make the folder", self.dir()))?;
        if !self.epochs()?.is_empty() {
            return Err(KeyError::AlreadyThere { key: self.name().to_owned(), path: self.dir().to_owned() });
        }
        self.fill(lengths.iter().map(|length| Epoch::at(now.nanos(), *length)))
    }

    /// Makes the roots that are missing of the epoch that is now, the next one, and all that begin so soon. Returns what
    /// was made: nothing the second time.
    ///
    /// # Errors
    /// When there is no root to go on from, too many would be made, or the machine refuses.
    pub fn rotate(&self, lengths: &[Duration], now: Timestamp, ahead: Duration) -> Result<Vec<Epoch>, KeyError> {
        if self.epochs()?.is_empty() {
            return Err(KeyError::NoRoots { key: self.name().to_owned(), path: self.dir().to_owned() });
        }
        let mut needed = Vec::new();
        for length in lengths {
            let (first, last) =
                (Epoch::at(now.nanos(), *length), Epoch::at(now.saturating_add(ahead).nanos(), *length));
            if last.number() - first.number() > MOST_AHEAD as u64 {
                let length = crate::length_text(*length);
                return Err(KeyError::TooMany { key: self.name().to_owned(), length });
            }
            let last = last.max(first.next());
            needed.extend(std::iter::successors(Some(first), |epoch| (*epoch < last).then(|| epoch.next())));
        }
        self.fill(needed.into_iter())
    }

    fn fill(&self, epochs: impl Iterator<Item = Epoch>) -> Result<Vec<Epoch>, KeyError> {
        let mut made = Vec::new();
        for epoch in epochs {
            if self.make(epoch)? {
                made.push(epoch);
            }
        }
        if !made.is_empty() {
            Disk::real().sync_dir(self.dir()).map_err(self.failed("sync", self.dir()))?;
        }
        Ok(made)
    }

    /// Makes one root, if there is none; says whether.
    fn make(&self, epoch: Epoch) -> Result<bool, KeyError> {
        let path = self.path(epoch)?;
        if path.symlink_metadata().is_ok() {
            return Ok(false);
        }
        let mut root = Zeroizing::new([0; ROOT_BYTES]);
        getrandom::fill(root.as_mut_slice()).map_err(KeyError::Random)?;
        let mut text = Zeroizing::new([b'\n'; 2 * ROOT_BYTES + 1]);
        if let Some(digits) = text.get_mut(..2 * ROOT_BYTES) {
            HEXLOWER.encode_mut(root.as_slice(), digits);
        }
        let unique = getrandom::u64().map_err(KeyError::Random)?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(path.file_name().unwrap_or_default());
        hidden.push(format!(".{unique:016x}"));
        let hidden = self.dir().join(hidden);
        let written = write(&hidden, text.as_slice());
        // A link never replaces: of two who make one root at a time, one finds the other's.
        let linked = written.and_then(|()| match fs::hard_link(&hidden, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|()| true),
        });
        let removed = fs::remove_file(&hidden);
        let linked = linked.map_err(self.failed("make", &path))?;
        removed.map_err(self.failed("remove", &hidden))?;
        Ok(linked)
    }
}

fn write(path: &std::path::Path, text: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::folder::tests::{MONTH, NOW, folder, put};

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> Timestamp {
        Timestamp::from_nanos(NOW)
    }

    #[test]
    fn the_first_root_is_private_random_and_made_once() {
        let (_dir, key) = folder();
        assert!(matches!(key.rotate(&[MONTH], now(), DAY), Err(KeyError::Unreadable { .. })));
        assert_eq!(key.begin(&[MONTH], now()).unwrap(), [Epoch::at(NOW, MONTH)]);
        let path = key.dir().join("20261103T000000Z-30d.root");
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(key.dir()), mode(&path)), (0o700, 0o400));
        let before = fs::read(&path).unwrap();
        assert!(matches!(key.begin(&[MONTH], now()), Err(KeyError::AlreadyThere { .. })));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read_dir(key.dir()).unwrap().count(), 1, "nothing else is left");
        let (_other, other) = folder();
        other.begin(&[MONTH], now()).unwrap();
        assert_ne!(fs::read(other.dir().join("20261103T000000Z-30d.root")).unwrap(), before);
    }

    #[test]
    fn rotating_makes_what_is_missing_and_the_second_time_nothing() {
        let (_dir, key) = folder();
        key.begin(&[MONTH], now()).unwrap();
        let month = Epoch::at(NOW, MONTH);
        assert_eq!(key.rotate(&[MONTH], now(), DAY).unwrap(), [month.next()]);
        assert_eq!(key.rotate(&[MONTH], now(), DAY).unwrap(), []);
        // Another length needs roots of its own.
        let made = key.rotate(&[MONTH, DAY], now(), 3 * DAY).unwrap();
        assert_eq!(made.len(), 4, "{made:?}");
        let later = now().saturating_add(MONTH);
        assert_eq!(key.rotate(&[MONTH], later, DAY).unwrap(), [month.next().next()]);
        let texts: BTreeSet<_> =
            key.epochs().unwrap().into_iter().map(|epoch| fs::read(key.path(epoch).unwrap()).unwrap()).collect();
        assert_eq!(texts.len(), 7, "no two are equal");
        let error = key.rotate(&[Duration::from_secs(1)], now(), DAY).unwrap_err();
        assert!(matches!(error, KeyError::TooMany { .. }) && error.to_string().contains("epochs of 1s"), "{error}");
    }

    #[test]
    fn an_empty_folder_is_not_rotated_and_nothing_is_made_over_what_is_there() {
        let (_dir, key) = folder();
        put(&key, "README", "", 0o600);
        assert!(matches!(key.rotate(&[MONTH], now(), DAY), Err(KeyError::NoRoots { .. })));
        put(&key, "20261103T000000Z-30d.root", "mine", 0o600);
        assert_eq!(key.rotate(&[MONTH], now(), DAY).unwrap(), [Epoch::at(NOW, MONTH).next()]);
        assert_eq!(fs::read(key.dir().join("20261103T000000Z-30d.root")).unwrap(), b"mine");
    }

    #[test]
    fn of_many_who_rotate_at_once_every_root_is_made_by_one() {
        let (_dir, key) = folder();
        key.begin(&[MONTH], now()).unwrap();
        let made: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| key.rotate(&[DAY], now(), 9 * DAY).unwrap().len())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((made, key.epochs().unwrap().len()), (10, 11));
        assert!(key.epochs().unwrap().into_iter().all(|epoch| key.read(epoch).is_ok()));
    }
}
