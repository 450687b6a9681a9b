//! Destroys a root: overwritten, recorded, removed, in this order.
//!
//! Promises:
//! 1. Nothing is removed that was not overwritten and recorded before. A crash leaves at most a file of zeros, which no node
//!    takes for a root and which is destroyed again.
//! 2. The record only grows, a JSON object a line, and holds public names of keys, never their bytes.
//!
//! What it cannot do: reach copies, backups, snapshots, or blocks that a drive or file system has moved away.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tollgate_disk::Disk;
use tollgate_redaction::Epoch;
use tollgate_runtime::Timestamp;

use crate::error::KeyError;
use crate::file_name;
use crate::folder::KeyFolder;
use crate::state::State;

/// The file in a key's folder that says what was destroyed when.
pub const RECORD: &str = "destroyed.jsonl";

/// A root that is no more.
#[derive(Debug)]
pub struct Destroyed {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its public name; none if it could not be read.
    pub root: Option<String>,
}

impl KeyFolder {
    /// Destroys the root of an epoch; `derived` are the public names of what was derived from it, for the record.
    ///
    /// # Errors
    /// When what arrives now is named with it, or the machine refuses.
    pub fn destroy(&self, epoch: Epoch, derived: &Value, now: Timestamp) -> Result<Destroyed, KeyError> {
        let path = self.path(epoch)?;
        if State::of(epoch, std::time::Duration::ZERO, now) == State::Live {
            return Err(KeyError::InUse { key: self.name().to_owned(), path });
        }
        // One that cannot be read has to go too.
        let root = self.read(epoch).ok().map(|root| root.id());
        overwrite(&path).map_err(self.failed("overwrite", &path))?;
        let record = self.dir().join(RECORD);
        let line = self.line(epoch, root.as_deref(), derived, now);
        append(&record, &line).map_err(self.failed("write", &record))?;
        fs::remove_file(&path).map_err(self.failed("remove", &path))?;
        Disk::real().sync_dir(self.dir()).map_err(self.failed("sync", self.dir()))?;
        Ok(Destroyed { epoch, root })
    }

    /// Where it is written what was destroyed when.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.dir().join(RECORD)
    }

    fn line(&self, epoch: Epoch, root: Option<&str>, derived: &Value, now: Timestamp) -> String {
        let (covers, second) = (file_name::start_text(epoch), Epoch::at(now.nanos(), std::time::Duration::ZERO));
        let line = json!({
            "time": file_name::start_text(second).start,
            "event": "root_destroyed",
            "key": self.name(),
            "epoch": {"from": covers.start, "until": covers.end, "length": file_name::length_text(epoch.length())},
            "root_id": root,
            "derived": derived,
        });
        format!("{line}\n")
    }
}

fn overwrite(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    file.write_all(&vec![b'0'; length])?;
    file.sync_all()
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::tests::{MONTH, NOW, folder, put};

    #[test]
    fn what_is_destroyed_is_gone_and_recorded_by_its_public_names() {
        let (_dir, key) = folder();
        let made = Timestamp::from_nanos(NOW);
        let epoch = key.begin(&[MONTH], made).unwrap()[0];
        let path = key.path(epoch).unwrap();
        let (id, text) = (key.read(epoch).unwrap().id(), fs::read_to_string(&path).unwrap());
        let kept = dir_with_link(&path);
        assert!(matches!(key.destroy(epoch, &json!([]), made), Err(KeyError::InUse { .. })));
        let later = made.saturating_add(2 * MONTH);
        let derived = json!([{"key_id": "abc"}]);
        assert_eq!(key.destroy(epoch, &derived, later).unwrap().root.as_deref(), Some(&*id));
        assert!(!path.exists() && matches!(key.read(epoch), Err(KeyError::Unreadable { .. })));
        assert_eq!(fs::read_to_string(kept.path().join("link")).unwrap(), "0".repeat(65), "its blocks are overwritten");
        let record = fs::read_to_string(key.record()).unwrap();
        assert!(!record.contains(text.trim()) && record.lines().count() == 1, "{record}");
        let line: Value = serde_json::from_str(&record).unwrap();
        assert_eq!((&line["root_id"], &line["derived"], &line["key"]), (&json!(id), &derived, &json!("user")));
        assert_eq!(
            line["epoch"],
            json!({"from": "2026-11-03T00:00:00Z", "until": "2026-12-03T00:00:00Z", "length": "30d"})
        );
        assert_eq!(line["time"], "2027-01-30T12:00:00Z");
    }

    fn dir_with_link(path: &Path) -> tempfile::TempDir {
        let dir = tempfile::tempdir_in(path.parent().unwrap().parent().unwrap()).unwrap();
        fs::hard_link(path, dir.path().join("link")).unwrap();
        dir
    }

    #[test]
    fn what_a_crash_left_overwritten_is_destroyed_again() {
        let (_dir, key) = folder();
        put(&key, "20261103T000000Z-30d.root", &"0".repeat(65), 0o600);
        let epoch = Epoch::at(NOW, MONTH);
        assert!(matches!(key.read(epoch), Err(KeyError::Placeholder { .. } | KeyError::NotARoot { .. })));
        let later = Timestamp::from_nanos(NOW).saturating_add(2 * MONTH);
        assert_eq!(key.destroy(epoch, &json!([]), later).unwrap().root, None);
        assert!(key.epochs().unwrap().is_empty());
        assert!(key.destroy(epoch, &json!([]), later).is_err(), "there is nothing any more");
        assert_eq!(fs::read_to_string(key.record()).unwrap().lines().count(), 1);
    }
}
