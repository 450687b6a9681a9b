//! What a destination refused for good: kept inside the region, bounded, for an operator to look at and send again.
//!
//! Promises:
//! 1. An item is in quarantine durably before the cursor passes it.
//! 2. The folder is bounded; when it is full the lane waits, so that nothing vanishes silently.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use tollgate_disk::Disk;
use tollgate_spool::Position;

use crate::load::Load;

/// The most bytes one consumer keeps aside.
const BOUND: u64 = 64 << 20;

/// The quarantine of one consumer: one protobuf request a file, named after its position in the log.
pub(crate) struct Quarantine {
    disk: Disk,
    dir: PathBuf,
    next: AtomicU64,
}

/// An item cannot be put aside.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuarantineError {
    /// There is no room.
    #[error("the quarantine holds {0} bytes and has no room: look at it and make some")]
    Full(u64),
    /// The disk refuses.
    #[error("the quarantine cannot be written: {0}")]
    Disk(#[from] io::Error),
}

impl Quarantine {
    pub(crate) fn new(disk: Disk, dir: PathBuf) -> Self {
        Self { disk, dir, next: AtomicU64::new(0) }
    }

    /// Puts an item aside, durably.
    pub(crate) fn keep<L: Load>(&self, from: Position, load: &L) -> Result<(), QuarantineError> {
        self.disk.make_dir(&self.dir)?;
        let held = self.held()?;
        if held + load.bytes() as u64 > BOUND {
            return Err(QuarantineError::Full(held));
        }
        // Positions are never used twice, and the number tells items of one parcel apart.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{:020}-{number}.binpb", from.value()));
        let mut request = Vec::with_capacity(load.bytes());
        load.write(&mut request);
        Ok(self.disk.replace(&path, &request)?)
    }

    fn held(&self) -> io::Result<u64> {
        let sizes = std::fs::read_dir(&self.dir)?.map(|entry| entry?.metadata().map(|metadata| metadata.len()));
        sizes.sum()
    }
}
