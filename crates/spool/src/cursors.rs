//! The cursor files: how far every consumer is.
//!
//! Promises:
//! 1. A file is replaced as a whole; the newest whole one counts.
//! 2. Two files: one replaced often and never synced, one synced before any segment is recycled. So a power loss that
//!    spoils the first costs at most what was acknowledged since the second.
//! 3. A little room is kept for the synced one: on a full disk nothing is let go before it is written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use thiserror::Error;
use tollgate_disk::Disk;

use crate::backlog::Progress;
use crate::frame::Reader;
use crate::name::Name;
use crate::position::Position;
use crate::segment::VERSION;

const MAGIC: [u8; 8] = *b"tollcurs";
const LATEST: &str = "cursors";
const SYNCED: &str = "cursors.synced";
const ROOM: &str = "cursors.room";
/// The least room that is kept: a block of most file systems.
const LEAST_ROOM: u64 = 4096;

/// The progress of all consumers.
pub(crate) type AllProgress = BTreeMap<Name, Progress>;

/// Writes and reads the cursor files of one log.
#[derive(Debug)]
pub(crate) struct CursorFiles {
    disk: Disk,
    dir: PathBuf,
    /// Number of the last snapshot; the higher one is the newer one.
    sequence: u64,
    room: Room,
}

/// Whether room for a snapshot is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Kept,
    Missing,
}

/// What the cursor files held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) progress: AllProgress,
    /// There are files, but none of them is whole.
    pub(crate) lost: bool,
}

/// The files were written by a release that this one does not know.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("cursor file has format version {0}")]
pub(crate) struct UnknownVersion(pub(crate) u32);

impl CursorFiles {
    pub(crate) fn open(disk: &Disk, dir: &Path) -> Result<(Self, Restored), UnknownVersion> {
        let (sequence, restored) = load(dir)?;
        Ok((Self { disk: disk.clone(), dir: dir.to_owned(), sequence, room: Room::Missing }, restored))
    }

    /// Replaces the file that a power loss may spoil.
    pub(crate) fn save(&mut self, progress: &AllProgress) -> io::Result<()> {
        self.sequence += 1;
        self.disk.replace_unsynced(&self.dir.join(LATEST), &encode(self.sequence, progress))
    }

    /// Replaces the file that a power loss does not spoil.
    pub(crate) fn save_synced(&mut self, progress: &AllProgress) -> io::Result<()> {
        self.sequence += 1;
        self.disk.replace(&self.dir.join(SYNCED), &encode(self.sequence, progress))
    }

    /// Keeps room for a snapshot of twice this size. Where there is none, the next call may find some.
    pub(crate) fn keep_room(&mut self, progress: &AllProgress) {
        if self.room == Room::Missing {
            let path = self.dir.join(ROOM);
            let room = LEAST_ROOM.max(2 * encode(self.sequence, progress).len() as u64);
            let kept = if path.exists() { Ok(()) } else { self.disk.create(&path, room).map(drop) };
            self.room = if kept.is_ok() { Room::Kept } else { Room::Missing };
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.room == Room::Kept
    }

    /// Gives the room up; says whether there was any.
    pub(crate) fn give_room(&mut self) -> bool {
        let kept = std::mem::replace(&mut self.room, Room::Missing) == Room::Kept;
        kept && self.disk.remove(&self.dir.join(ROOM)).is_ok()
    }
}

/// The newest whole snapshot in `dir`, and its number.
pub(crate) fn load(dir: &Path) -> Result<(u64, Restored), UnknownVersion> {
    let mut newest = (0, Restored { progress: AllProgress::new(), lost: false });
    for name in [LATEST, SYNCED] {
        let Ok(bytes) = std::fs::read(dir.join(name)) else { continue };
        match decode(&bytes)? {
            Some((sequence, progress)) if sequence > newest.0 => {
                newest = (sequence, Restored { progress, lost: false })
            }
            Some(_) => {}
            None => newest.1.lost |= newest.0 == 0,
        }
    }
    Ok(newest)
}

fn encode(sequence: u64, progress: &AllProgress) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    for (name, progress) in progress {
        put(&mut out, name.as_str().as_bytes());
        out.extend_from_slice(&progress.floor.value().to_le_bytes());
        put(&mut out, &progress.journal);
        out.extend_from_slice(&length(progress.lanes.len()));
        for (lane, position) in &progress.lanes {
            put(&mut out, lane.as_str().as_bytes());
            out.extend_from_slice(&position.value().to_le_bytes());
        }
    }
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// `None` if the bytes are not a whole cursor file.
fn decode(bytes: &[u8]) -> Result<Option<(u64, AllProgress)>, UnknownVersion> {
    let Some((covered, crc)) = bytes.split_last_chunk::<4>() else { return Ok(None) };
    let mut reader = Reader(covered);
    let intact = reader.take() == Some(MAGIC) && crc32c::crc32c(covered) == u32::from_le_bytes(*crc);
    match reader.u32().filter(|_| intact) {
        None => Ok(None),
        Some(VERSION) => Ok(snapshot(&mut reader)),
        Some(version) => Err(UnknownVersion(version)),
    }
}

fn snapshot(reader: &mut Reader<'_>) -> Option<(u64, AllProgress)> {
    let sequence = reader.u64()?;
    let mut all = AllProgress::new();
    while !reader.0.is_empty() {
        let name = name(reader)?;
        let floor = Position::new(reader.u64()?);
        let size = reader.u32()?;
        let journal = Bytes::copy_from_slice(reader.bytes(size)?);
        let mut lanes = BTreeMap::new();
        for _ in 0..reader.u32()? {
            lanes.insert(self::name(reader)?, Position::new(reader.u64()?));
        }
        all.insert(name, Progress { floor, lanes, journal });
    }
    Some((sequence, all))
}

fn name(reader: &mut Reader<'_>) -> Option<Name> {
    let size = reader.u32()?;
    str::from_utf8(reader.bytes(size)?).ok().map(Name::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(floor: u64) -> AllProgress {
        let lanes = [("a".into(), Position::new(floor)), ("b".into(), Position::new(floor + 9))].into();
        [("link-1".into(), Progress { floor: Position::new(floor), lanes, journal: Bytes::from_static(b"epochs") })]
            .into()
    }

    #[test]
    fn the_newest_whole_file_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (mut files, restored) = CursorFiles::open(&Disk::real(), dir.path()).unwrap();
        assert_eq!(restored, Restored { progress: AllProgress::new(), lost: false });
        files.save_synced(&progress(1)).unwrap();
        files.save(&progress(2)).unwrap();
        let restored = |dir: &Path| CursorFiles::open(&Disk::real(), dir).unwrap().1;
        assert_eq!(restored(dir.path()).progress, progress(2));
        std::fs::write(dir.path().join(LATEST), b"").unwrap();
        assert_eq!(restored(dir.path()).progress, progress(1), "a power loss may leave an empty file");
        std::fs::write(dir.path().join(SYNCED), b"").unwrap();
        assert!(restored(dir.path()).lost);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_shows() {
        let bytes = encode(4, &progress(7));
        assert_eq!(decode(&bytes), Ok(Some((4, progress(7)))));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), Ok(None));
        }
        assert!((0..bytes.len()).all(|length| decode(&bytes[..length]) == Ok(None)));
    }
}
