//! Destroys a root: recorded, overwritten, removed, in this order.
//!
//! Promises:
//! 1. Nothing is overwritten that was not recorded before, nor removed that was not overwritten. After a crash the next
//!    run goes on from there, and the names in the record stay.
//! 2. The record only grows, a JSON object a line, and holds public names of keys, never their bytes.
//!
//! What it cannot do: reach copies, backups, snapshots, or blocks that a drive or file system has moved away.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tollgate_disk::{Disk, open_regular};
use tollgate_redaction::Epoch;
use tollgate_runtime::Timestamp;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::file_name;
use crate::folder::{KeyFolder, LONGEST};
use crate::state::State;

/// The file in a key's folder that says what was destroyed when.
pub const RECORD: &str = "destroyed.jsonl";

/// What a root is overwritten with.
const ZERO: u8 = b'0';

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
        let mut file = open(&path).map_err(self.failed("open", &path))?;
        let record = self.record();
        let recorded = self.recorded(epoch).map_err(self.failed("read", &record))?;
        let is_zeros = root.is_none() && is_zeros(&mut file).map_err(self.failed("read", &path))?;
        let root = match recorded {
            Some(before) if before == root || is_zeros => before,
            _ => {
                let line = self.line(epoch, root.as_deref(), derived, now);
                append(&record, &line).map_err(self.failed("write", &record))?;
                Disk::real().sync_dir(self.dir()).map_err(self.failed("sync", self.dir()))?;
                root
            }
        };
        overwrite(&mut file).map_err(self.failed("overwrite", &path))?;
        fs::remove_file(&path).map_err(self.failed("remove", &path))?;
        Disk::real().sync_dir(self.dir()).map_err(self.failed("sync", self.dir()))?;
        Ok(Destroyed { epoch, root })
    }

    /// Where it is written what was destroyed when.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.dir().join(RECORD)
    }

    /// The public name under which the end of this epoch's root is recorded already, if it is.
    fn recorded(&self, epoch: Epoch) -> io::Result<Option<Option<String>>> {
        let record = match fs::read(self.record()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            record => record?,
        };
        let of = covers(epoch);
        // What a crash cut off is no line.
        let mut lines =
            record.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let last = lines.rfind(|line| line.get("epoch") == Some(&of));
        Ok(last.map(|line| line.get("root_id").and_then(Value::as_str).map(str::to_owned)))
    }

    fn line(&self, epoch: Epoch, root: Option<&str>, derived: &Value, now: Timestamp) -> String {
        let second = Epoch::at(now.nanos(), std::time::Duration::ZERO);
        let line = json!({
            "time": file_name::start_text(second).start,
            "event": "root_destroyed",
            "key": self.name(),
            "epoch": covers(epoch),
            "root_id": root,
            "derived": derived,
        });
        format!("{line}\n")
    }
}

/// An epoch as the record has it.
fn covers(epoch: Epoch) -> Value {
    let covers = file_name::start_text(epoch);
    json!({"from": covers.start, "until": covers.end, "length": file_name::length_text(epoch.length())})
}

fn open(path: &Path) -> io::Result<File> {
    // Others keep what they had: until it is gone an exposed root is still none.
    let mode = fs::metadata(path)?.permissions().mode() | 0o600;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    open_regular(OpenOptions::new().read(true).write(true), path)
}

/// Whether it was overwritten already.
fn is_zeros(file: &mut File) -> io::Result<bool> {
    let mut text = Zeroizing::new([0; LONGEST]);
    let read = file.read(text.as_mut_slice())?;
    Ok(text.iter().take(read).all(|byte| *byte == ZERO))
}

fn overwrite(file: &mut File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    file.rewind()?;
    file.write_all(&vec![ZERO; length])?;
    file.sync_all()
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let end = if last == *b"\n" { "" } else { "\n" };
    file.write_all(format!("{end}{line}").as_bytes())?;
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

    #[test]
    fn a_root_whose_end_cannot_be_recorded_stays_as_it_is() {
        let (_dir, key) = folder();
        let epoch = key.begin(&[MONTH], Timestamp::from_nanos(NOW)).unwrap()[0];
        fs::create_dir(key.record()).unwrap();
        let (later, id) = (Timestamp::from_nanos(NOW).saturating_add(2 * MONTH), key.read(epoch).unwrap().id());
        assert!(matches!(key.destroy(epoch, &json!([]), later), Err(KeyError::Failed { .. })));
        assert_eq!(key.read(epoch).unwrap().id(), id);
        fs::remove_dir(key.record()).unwrap();
        assert_eq!(key.destroy(epoch, &json!([]), later).unwrap().root, Some(id));
    }

    /// Guarantees: wherever a crash comes, one whole line holds the names, and nothing is left.
    #[test]
    fn what_was_recorded_before_a_crash_is_finished_and_keeps_its_names() {
        for is_overwritten in [false, true] {
            let (_dir, key) = folder();
            let epoch = key.begin(&[MONTH], Timestamp::from_nanos(NOW)).unwrap()[0];
            let (later, id) = (Timestamp::from_nanos(NOW).saturating_add(2 * MONTH), key.read(epoch).unwrap().id());
            let derived = json!([{"key_id": "abc"}]);
            let line = key.line(epoch, Some(&id), &derived, later);
            fs::write(key.record(), line).unwrap();
            if is_overwritten {
                overwrite(&mut open(&key.path(epoch).unwrap()).unwrap()).unwrap();
            }
            assert_eq!(key.destroy(epoch, &json!([]), later).unwrap().root, Some(id.clone()));
            let record = fs::read_to_string(key.record()).unwrap();
            assert!(record.lines().count() == 1 && record.contains(&id) && record.contains("abc"), "{record}");
            assert!(key.epochs().unwrap().is_empty());
        }
    }

    #[test]
    fn a_line_that_a_crash_cut_off_spoils_no_other() {
        let (_dir, key) = folder();
        let epoch = key.begin(&[MONTH], Timestamp::from_nanos(NOW)).unwrap()[0];
        fs::write(key.record(), "{\"time\":").unwrap();
        key.destroy(epoch, &json!([]), Timestamp::from_nanos(NOW).saturating_add(2 * MONTH)).unwrap();
        let record = fs::read_to_string(key.record()).unwrap();
        assert!(serde_json::from_str::<Value>(record.lines().nth(1).unwrap()).is_ok(), "{record}");
    }
}
