//! The file system as stores see it: real unless a test planted faults.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::fault::{Faults, Operation};
use crate::file::{DiskFile, strike};
use crate::lock::{DirLock, LockError};

/// A handle on the file system; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    faults: Option<Faults>,
}

impl Disk {
    /// The real file system.
    pub fn real() -> Self {
        Self::default()
    }

    /// The real file system with a handle to plant faults in it.
    pub fn with_faults() -> (Self, Faults) {
        let faults = Faults::default();
        (Self { faults: Some(faults.clone()) }, faults)
    }

    /// Makes a directory for its owner only, with its missing parents; one that exists is narrowed.
    pub fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.strike(Operation::Allocate)?;
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        if fs::metadata(dir)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        }
        Ok(())
    }

    /// Holds a directory by the file `LOCK` in it.
    pub fn lock(&self, dir: &Path) -> Result<DirLock, LockError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        DirLock::take(options.open(dir.join("LOCK"))?)
    }

    /// Makes a new file of `length` reserved bytes. Nothing is left behind if there is no room.
    pub fn create(&self, path: &Path, length: u64) -> io::Result<DiskFile> {
        let file = self.create_empty(path, OpenOptions::new().create_new(true))?;
        file.preallocate(length).inspect_err(|_| drop(fs::remove_file(path)))?;
        Ok(file)
    }

    /// Opens a file for reading and writing.
    pub fn open(&self, path: &Path) -> io::Result<DiskFile> {
        Ok(DiskFile::new(OpenOptions::new().read(true).write(true).open(path)?, self.faults.clone()))
    }

    /// Opens a file for reading.
    pub fn open_to_read(&self, path: &Path) -> io::Result<DiskFile> {
        Ok(DiskFile::new(File::open(path)?, self.faults.clone()))
    }

    /// Replaces a small file as a whole; when this returns, the new content survives a power loss.
    pub fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.replace_with(path, content, DiskFile::sync)?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }

    /// Replaces a small file as a whole; what a power loss leaves is the file system's choice, also an empty file.
    pub fn replace_unsynced(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.replace_with(path, content, |_| Ok(()))
    }

    /// Gives a file another name, replacing what had it.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.strike(Operation::Rename)?;
        fs::rename(from, to)
    }

    /// Keeps a file's content under a second name: a link, or a copy where the file system has no links.
    pub fn keep(&self, file: &Path, kept: &Path) -> io::Result<()> {
        self.strike(Operation::Rename)?;
        fs::hard_link(file, kept).or_else(|_| fs::copy(file, kept).map(drop))
    }

    /// Removes a file.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.strike(Operation::Rename)?;
        fs::remove_file(path)
    }

    /// Makes the names in a directory durable.
    pub fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.strike(Operation::Sync)?;
        File::open(dir)?.sync_all()
    }

    fn replace_with(
        &self,
        path: &Path,
        content: &[u8],
        settle: impl FnOnce(&DiskFile) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut name = OsString::from(path);
        name.push(".new");
        let temporary = Path::new(&name);
        let file = self.create_empty(temporary, OpenOptions::new().create(true).truncate(true))?;
        file.write_all_at(content, 0)?;
        settle(&file)?;
        self.rename(temporary, path)
    }

    fn create_empty(&self, path: &Path, options: &mut OpenOptions) -> io::Result<DiskFile> {
        self.strike(Operation::Allocate)?;
        Ok(DiskFile::new(options.read(true).write(true).mode(0o600).open(path)?, self.faults.clone()))
    }

    fn strike(&self, operation: Operation) -> io::Result<()> {
        strike(self.faults.as_ref(), operation)
    }
}

#[cfg(test)]
mod tests;
