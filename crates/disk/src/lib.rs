//! The few things a store needs of a file system, each made so that its failure can be rehearsed.
//!
//! Promises:
//! 1. A small file is replaced as a whole or not at all.
//! 2. Everything made here is for its owner only: directories 0700, files 0600.
//! 3. One process at a time holds a directory.
//! 4. A file with a secret in it is not opened where others can read it.
//! 5. Every operation on a file's content or name can be made to fail, fall short, wait or crash in a test.
//!
//! Not here: what the files mean (`tollgate_spool`, `tollgate_audit`).

mod disk;
mod fault;
mod file;
mod lock;
mod private;

pub use disk::Disk;
pub use fault::{Fault, Faults, Gate, Operation, Torn};
pub use file::DiskFile;
pub use lock::{DirLock, LockError};
pub use private::{PrivateError, check_private_folder, may_pass, open_private, open_regular};
