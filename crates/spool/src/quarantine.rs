//! Where damaged segments are kept, so that a person can look at them.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tollgate_disk::Disk;

use crate::position::Position;

const DIR: &str = "quarantine";
/// More copies than this are not kept: they hold personal data, and the disk is finite.
const MOST: usize = 16;

/// Part of a segment that can no longer be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Number of the segment.
    pub segment: u64,
    /// The first position that cannot be read.
    pub from: Position,
    /// Bytes of log lost.
    pub bytes: u64,
}

/// The folder of damaged segments.
#[derive(Debug)]
pub(crate) struct Quarantine {
    disk: Disk,
    dir: PathBuf,
}

impl Quarantine {
    pub(crate) fn new(disk: &Disk, log: &Path) -> Self {
        Self { disk: disk.clone(), dir: log.join(DIR) }
    }

    /// Says loudly what was lost and keeps the file at `path`, if there is room; says whether it is kept. It must not be
    /// used again for other records.
    pub(crate) fn admit(&self, path: &Path, lost: Quarantined) -> bool {
        let Quarantined { segment, from, bytes } = lost;
        tracing::error!(segment, %from, bytes, "spool segment is damaged below the durable point, records are lost");
        let kept = self.keep(path);
        match &kept {
            Ok(true) => tracing::error!(segment, "the damaged segment is kept in quarantine"),
            Ok(false) => tracing::error!(segment, "the damaged segment is not kept: quarantine is full"),
            Err(error) => tracing::error!(segment, %error, "the damaged segment could not be kept in quarantine"),
        }
        kept.unwrap_or(false)
    }

    fn keep(&self, path: &Path) -> io::Result<bool> {
        self.disk.make_dir(&self.dir)?;
        let kept = self.dir.join(path.file_name().unwrap_or(OsStr::new("segment")));
        if kept.exists() {
            return Ok(true);
        }
        let room = std::fs::read_dir(&self.dir)?.count() < MOST;
        if room {
            self.disk.keep(path, &kept)?;
        }
        Ok(room)
    }
}
