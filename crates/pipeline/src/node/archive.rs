//! Every set of documents that was ever in force here, by digest, and which came last.
//!
//! Promises:
//! 1. A record is sealed by the meet of the policy at its arrival and the one in force now; the former is found here.
//! 2. A set that is not found, or is not what its digest says, lets nothing cross.
//! 3. A set is kept, durably, before it comes into force; which ones were in force before it outlives a restart.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use tollgate_disk::Disk;

use crate::documents::Documents;
use crate::node::in_force::{Borders, Edition};

/// The folders of a set.
const FOLDERS: [&str; 2] = ["regions", "policies"];
/// The file that names the set in force and those before it, the latest first, one digest a line.
const IN_FORCE: &str = "in-force";
/// So many sets before the one in force are known: a change that leaves a link alone must not make its last one forgotten.
const BEFORE: usize = 3;
/// So many sets are kept in memory: reading one takes as long as starting on it.
const AT_HAND: usize = 4;

/// Sets of documents on this machine.
pub(crate) struct Archive {
    disk: Disk,
    dir: PathBuf,
    /// The one just asked for last.
    at_hand: Mutex<VecDeque<Arc<Documents>>>,
}

impl Archive {
    pub(crate) fn new(disk: &Disk, dir: PathBuf) -> Self {
        Self { disk: disk.clone(), dir, at_hand: Mutex::default() }
    }

    /// Keeps a set that is to come into force, and says which ones it comes after.
    pub(crate) fn adopt(&self, documents: &Arc<Documents>) -> io::Result<Edition> {
        let digest = documents.federation.digest();
        self.keep(documents)?;
        let last = self.last();
        let before: Vec<_> = last.iter().filter(|one| **one != digest).take(BEFORE).collect();
        let previous = before.iter().filter_map(|before| self.find(before)).collect();
        if last.first() != Some(&digest) {
            let lines = std::iter::once(&digest).chain(before).map(|digest| HEXLOWER.encode(digest) + "\n");
            self.disk.replace(&self.dir.join(IN_FORCE), lines.collect::<String>().as_bytes())?;
        }
        Ok(Edition { documents: Arc::clone(documents), previous, borders: Borders::Open })
    }

    /// The set of this digest.
    pub(crate) fn find(&self, digest: &[u8; 32]) -> Option<Arc<Documents>> {
        let of_digest = |documents: &Documents| documents.federation.digest() == *digest;
        let found = self.lock().iter().find(|documents| of_digest(documents)).cloned();
        found.or_else(|| {
            let kept = Documents::load(&self.folder(digest)).ok().filter(of_digest)?;
            let kept = Arc::new(kept);
            self.put_at_hand(&kept);
            Some(kept)
        })
    }

    /// The set that was in force last, with what it names found in this folder.
    pub(crate) fn latest(&self, dir: &Path) -> Option<Documents> {
        let digest = *self.last().first()?;
        let kept = Documents::load(&self.folder(&digest)).ok()?;
        (kept.federation.digest() == digest).then(|| Documents { dir: dir.to_owned(), ..kept })
    }

    /// Copies a set into the archive, unless it is there.
    fn keep(&self, documents: &Arc<Documents>) -> io::Result<()> {
        let copy = self.folder(&documents.federation.digest());
        let is_whole =
            || Documents::load(&copy).is_ok_and(|kept| kept.federation.digest() == documents.federation.digest());
        if !is_whole() {
            FOLDERS.iter().try_for_each(|folder| keep(&self.disk, &documents.dir.join(folder), &copy.join(folder)))?;
            if !is_whole() {
                return Err(io::Error::other("the documents changed while they were read"));
            }
        }
        self.put_at_hand(documents);
        Ok(())
    }

    /// The digests of the set in force and of those before it, as the last process left them.
    fn last(&self) -> Vec<[u8; 32]> {
        let text = fs::read_to_string(self.dir.join(IN_FORCE)).unwrap_or_default();
        text.lines().filter_map(|line| HEXLOWER.decode(line.as_bytes()).ok()?.try_into().ok()).collect()
    }

    fn put_at_hand(&self, documents: &Arc<Documents>) {
        let digest = documents.federation.digest();
        let mut at_hand = self.lock();
        at_hand.retain(|other| other.federation.digest() != digest);
        at_hand.push_back(Arc::clone(documents));
        if at_hand.len() > AT_HAND {
            at_hand.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Documents>>> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, digest: &[u8; 32]) -> PathBuf {
        self.dir.join(HEXLOWER.encode(digest))
    }
}

/// Makes the copy of a folder have its documents and no other: one that an earlier attempt left there would stay in every
/// later one.
fn keep(disk: &Disk, folder: &Path, copy: &Path) -> io::Result<()> {
    disk.make_dir(copy)?;
    let names = names_of_documents(folder)?;
    names.iter().try_for_each(|name| disk.replace(&copy.join(name), &fs::read(folder.join(name))?))?;
    names_of_documents(copy)?.difference(&names).try_for_each(|name| disk.remove(&copy.join(name)))
}

fn names_of_documents(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_document = path.is_file() && path.extension().is_some_and(|extension| extension == "yaml");
        names.extend(path.file_name().filter(|_| is_document).map(OsStr::to_owned));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig;

    /// The example, with another risk accepted.
    fn changed() -> (tempfile::TempDir, Arc<Documents>) {
        rig::edited(|name, text| match name {
            "policies/residency.yaml" => text.replace("RISK-77", "RISK-78"),
            _ => text,
        })
    }

    fn archive(dir: &tempfile::TempDir) -> Archive {
        Archive::new(&Disk::real(), dir.path().join("documents"))
    }

    #[test]
    fn every_set_that_was_in_force_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = rig::documents();
        archive(&dir).adopt(&first).unwrap();
        let (_changed, second) = changed();
        archive(&dir).adopt(&second).unwrap();
        for documents in [&first, &second] {
            let digest = documents.federation.digest();
            assert_eq!(archive(&dir).find(&digest).unwrap().federation.digest(), digest);
        }
        assert!(archive(&dir).find(&[9; 32]).is_none());
    }

    /// Guarantees: after any number of starts on one set, the set before it is still known as the one before it.
    #[test]
    fn the_set_before_the_one_in_force_outlives_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let (first, (_changed, second)) = (rig::documents(), changed());
        let previous = |documents: &Arc<Documents>| {
            let edition = archive(&dir).adopt(documents).unwrap();
            edition.previous.first().map(|previous| previous.federation.digest())
        };
        assert_eq!((previous(&first), previous(&first)), (None, None));
        let digests = (Some(first.federation.digest()), Some(second.federation.digest()));
        assert_eq!([previous(&second), previous(&second)], [digests.0; 2]);
        assert_eq!([previous(&first), previous(&first)], [digests.1; 2], "and back again");
    }

    #[test]
    fn a_set_that_is_not_what_its_digest_says_is_none_until_it_is_kept_anew() {
        let dir = tempfile::tempdir().unwrap();
        let documents = rig::documents();
        let digest = documents.federation.digest();
        archive(&dir).adopt(&documents).unwrap();
        let policy = archive(&dir).folder(&digest).join("policies/residency.yaml");
        fs::write(&policy, fs::read_to_string(&policy).unwrap().replace("RISK-77", "RISK-78")).unwrap();
        assert!(archive(&dir).find(&digest).is_none());
        archive(&dir).adopt(&documents).unwrap();
        assert!(archive(&dir).find(&digest).is_some());
    }

    #[test]
    fn documents_that_change_while_they_are_read_are_not_started_on() {
        let (folder, documents) = rig::edited(|_, text| text);
        let policy = folder.path().join("policies/residency.yaml");
        fs::write(&policy, fs::read_to_string(&policy).unwrap().replace("RISK-77", "RISK-78")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        assert!(archive(&dir).adopt(&documents).is_err());
    }

    /// Scenario: a document is written while a set is copied, and taken away again.
    /// Guarantees: the set that it never belonged to can still come into force, on this machine and after a restart.
    #[test]
    fn a_document_that_came_and_went_while_a_set_was_kept_does_not_stay_in_it() {
        let (folder, documents) = rig::edited(|_, text| text);
        let own = folder.path().join("policies/catalogue-own.yaml");
        fs::write(&own, "attributes:\n  shop.till: op\n").unwrap();
        let dir = tempfile::tempdir().unwrap();
        assert!(archive(&dir).adopt(&documents).is_err(), "it is not the set that was read");
        fs::remove_file(&own).unwrap();
        archive(&dir).adopt(&documents).unwrap();
        assert!(archive(&dir).find(&documents.federation.digest()).is_some());
    }
}
