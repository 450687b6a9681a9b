//! What a destination refused for good: kept inside the region, bounded, for an operator to look at and send again.
//!
//! Promises:
//! 1. An item is in quarantine durably before the cursor passes it, and no other ever takes its place.
//! 2. The folder is bounded; when it is full the lane waits, so that nothing vanishes silently.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tollgate_disk::Disk;
use tollgate_spool::Position;

use crate::load::Load;

/// The most bytes one consumer keeps aside.
const BOUND: u64 = 64 << 20;

/// The quarantine of one consumer: one protobuf request a file, named after its position in the log.
pub(crate) struct Quarantine(Arc<Folder>);

struct Folder {
    disk: Disk,
    dir: PathBuf,
    /// Held while a file is added, so that the bound counts them all.
    next: Mutex<u64>,
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
        Self(Arc::new(Folder { disk, dir, next: Mutex::new(0) }))
    }

    /// Puts an item aside, durably.
    pub(crate) async fn keep<L: Load>(&self, from: Position, load: &L) -> Result<(), QuarantineError> {
        let mut request = Vec::with_capacity(load.bytes());
        load.write(&mut request);
        let folder = Arc::clone(&self.0);
        // A sync takes milliseconds: it must not hold up the other lanes of this worker.
        let keeping = tokio::task::spawn_blocking(move || folder.keep(from, &request));
        keeping.await.map_err(io::Error::other)?
    }
}

impl Folder {
    fn keep(&self, from: Position, request: &[u8]) -> Result<(), QuarantineError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        self.disk.make_dir(&self.dir)?;
        let held = self.held()?;
        if held + request.len() as u64 > BOUND {
            return Err(QuarantineError::Full(held));
        }
        // Several lanes have parcels from one position, and an earlier process has counted from zero too.
        let path = loop {
            let path = self.dir.join(format!("{:020}-{next}.binpb", from.value()));
            *next += 1;
            if !path.exists() {
                break path;
            }
        };
        Ok(self.disk.replace(&path, request)?)
    }

    fn held(&self) -> io::Result<u64> {
        let sizes = std::fs::read_dir(&self.dir)?.map(|entry| entry?.metadata().map(|metadata| metadata.len()));
        sizes.sum()
    }
}
