//! One process holds a directory.

use std::fs::{File, TryLockError};
use std::io;

use thiserror::Error;

/// A held directory; dropping it, or the end of the process, lets it go.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// Why a directory could not be held.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another handle holds it, here or in another process.
    #[error("the directory is held by another process")]
    Held,
    /// The lock file cannot be made or locked.
    #[error("cannot lock the directory: {0}")]
    Io(#[from] io::Error),
}

impl DirLock {
    pub(crate) fn take(file: File) -> Result<Self, LockError> {
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}
