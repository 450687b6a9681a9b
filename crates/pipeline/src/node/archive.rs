//! Every set of documents that was ever in force here, by digest.
//!
//! Promises:
//! 1. A record is sealed by the meet of the policy at its arrival and the one in force now; the former is found here.
//! 2. A set that is not found, or is not what its digest says, lets nothing cross.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use tollgate_disk::Disk;

use crate::documents::Documents;

/// The folders of a set.
const FOLDERS: [&str; 2] = ["regions", "policies"];

/// Sets of documents on this machine.
pub(crate) struct Archive {
    dir: PathBuf,
}

impl Archive {
    /// Opens the archive and makes sure that the set in force is in it.
    pub(crate) fn open(disk: &Disk, dir: PathBuf, current: &Documents) -> io::Result<Self> {
        let archive = Self { dir };
        let digest = current.federation.digest();
        if archive.find(&digest).is_none() {
            let copy = archive.folder(&digest);
            FOLDERS.iter().try_for_each(|folder| keep(disk, &current.dir.join(folder), &copy.join(folder)))?;
            if archive.find(&digest).is_none() {
                return Err(io::Error::other("the documents changed while they were read"));
            }
        }
        Ok(archive)
    }

    /// The set of this digest.
    pub(crate) fn find(&self, digest: &[u8; 32]) -> Option<Documents> {
        let folder = self.folder(digest);
        if !folder.is_dir() {
            return None;
        }
        Documents::load(&folder).ok().filter(|documents| documents.federation.digest() == *digest)
    }

    fn folder(&self, digest: &[u8; 32]) -> PathBuf {
        self.dir.join(HEXLOWER.encode(digest))
    }
}

fn keep(disk: &Disk, folder: &Path, copy: &Path) -> io::Result<()> {
    disk.make_dir(copy)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().filter(|_| is_document(&path));
        name.map_or(Ok(()), |name| disk.replace(&copy.join(name), &fs::read(&path)?))?;
    }
    Ok(())
}

fn is_document(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "yaml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig;

    #[test]
    fn every_set_that_was_in_force_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let open = |documents: &Documents| Archive::open(&Disk::real(), dir.path().to_owned(), documents).unwrap();
        let first = rig::documents();
        open(&first);
        let (_changed, second) = rig::edited(|name, text| match name {
            "policies/residency.yaml" => text.replace("RISK-77", "RISK-78"),
            _ => text,
        });
        let archive = open(&second);
        for documents in [&first, &second] {
            let digest = documents.federation.digest();
            assert_eq!(archive.find(&digest).unwrap().federation.digest(), digest);
        }
        assert!(archive.find(&[9; 32]).is_none());
    }

    #[test]
    fn a_set_that_is_not_what_its_digest_says_is_none_until_it_is_kept_anew() {
        let dir = tempfile::tempdir().unwrap();
        let documents = rig::documents();
        let digest = documents.federation.digest();
        let archive = Archive::open(&Disk::real(), dir.path().to_owned(), &documents).unwrap();
        let policy = archive.folder(&digest).join("policies/residency.yaml");
        fs::write(&policy, fs::read_to_string(&policy).unwrap().replace("RISK-77", "RISK-78")).unwrap();
        assert!(archive.find(&digest).is_none());
        let archive = Archive::open(&Disk::real(), dir.path().to_owned(), &documents).unwrap();
        assert!(archive.find(&digest).is_some());
    }

    #[test]
    fn documents_that_change_while_they_are_read_are_not_started_on() {
        let (folder, documents) = rig::edited(|_, text| text);
        let policy = folder.path().join("policies/residency.yaml");
        fs::write(&policy, fs::read_to_string(&policy).unwrap().replace("RISK-77", "RISK-78")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        assert!(Archive::open(&Disk::real(), dir.path().to_owned(), &documents).is_err());
    }
}
