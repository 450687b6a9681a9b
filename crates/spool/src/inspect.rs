//! Looks at a log from outside, also while a process has it open. Never at a payload.

use std::io;
use std::path::Path;

use thiserror::Error;
use tollgate_disk::Disk;
use tollgate_runtime::Timestamp;

use crate::backlog::Progress;
use crate::cursors::{UnknownVersion, load};
use crate::name::Name;
use crate::position::Position;
use crate::reading::arrival;
use crate::scan::scan;
use crate::segment::{BadHeader, Segment, live_number, spare_number};

/// What lies in a log's directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Segments with records, oldest first.
    pub segments: Vec<SegmentSeen>,
    /// Segments whose header cannot be read.
    pub unreadable: Vec<u64>,
    /// Segments that wait to be used again.
    pub spares: usize,
    /// Damaged segments that were kept.
    pub quarantined: usize,
    /// Every consumer with a cursor.
    pub consumers: Vec<ConsumerSeen>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSeen {
    /// Its number.
    pub number: u64,
    /// Where it begins.
    pub base: Position,
    /// The end of its last record.
    pub end: Position,
    /// Disk it takes.
    pub file_bytes: u64,
    /// Arrival of its first record, if it has one.
    pub first_arrival: Option<Timestamp>,
}

/// One consumer, as its cursor file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSeen {
    /// Its name.
    pub name: String,
    /// Nothing before this is kept for it.
    pub floor: Position,
    /// Bytes of the journal kept with its cursors.
    pub journal_bytes: usize,
    /// Its lanes.
    pub lanes: Vec<LaneSeen>,
}

/// One lane, as its cursor file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneSeen {
    /// Its name.
    pub name: String,
    /// Its cursor.
    pub position: Position,
    /// Bytes of log after it.
    pub lag: u64,
    /// Arrival of the oldest record it has not passed.
    pub waiting_since: Option<Timestamp>,
}

/// Why a directory cannot be inspected.
#[derive(Debug, Error)]
pub enum InspectError {
    /// A file was written by a release that this one does not know.
    #[error("the log has format version {0}, which this release does not read")]
    Version(u32),
    /// The directory cannot be read.
    #[error("the directory cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl From<UnknownVersion> for InspectError {
    fn from(UnknownVersion(version): UnknownVersion) -> Self {
        Self::Version(version)
    }
}

/// Inspects the log in `dir`. Takes no lock and changes nothing; what a running process changes meanwhile may be
/// missing.
pub fn inspect(dir: &Path) -> Result<Inspection, InspectError> {
    let mut seen = Inspection::default();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        files.extend(live_number(name).map(|number| (number, entry.path())));
        seen.spares += usize::from(spare_number(name).is_some());
    }
    files.sort_unstable();
    seen.quarantined = std::fs::read_dir(dir.join("quarantine")).map_or(0, Iterator::count);
    let mut segments = Vec::new();
    for (number, path) in files {
        // Recycled since the directory was listed.
        let Ok(file) = Disk::real().open_to_read(&path) else { continue };
        match Segment::load(file, path)? {
            Ok(segment) => segments.push(segment),
            Err(BadHeader::Version(version)) => return Err(InspectError::Version(version)),
            Err(BadHeader::Damaged) => seen.unreadable.push(number),
        }
    }
    let ends = ends(&segments)?;
    let parts: Vec<(Segment, Position)> = segments.into_iter().zip(ends).collect();
    for (segment, end) in &parts {
        seen.segments.push(segment_seen(segment, *end)?);
    }
    for (name, progress) in load(dir)?.1.progress {
        seen.consumers.push(consumer_seen(&name, &progress, &parts)?);
    }
    Ok(seen)
}

/// Where each segment ends: the next one says so, and the last one has to be scanned.
fn ends(segments: &[Segment]) -> io::Result<Vec<Position>> {
    let mut ends: Vec<Position> = segments.iter().skip(1).map(|segment| segment.header.previous_end).collect();
    if let Some(last) = segments.last() {
        ends.push(scan(last, None, u64::MAX)?.end);
    }
    Ok(ends)
}

fn segment_seen(segment: &Segment, end: Position) -> io::Result<SegmentSeen> {
    let (number, base) = (segment.header.number, segment.header.base);
    let first_arrival = arrival(segment, base, end)?;
    Ok(SegmentSeen { number, base, end, file_bytes: segment.capacity, first_arrival })
}

fn consumer_seen(name: &Name, progress: &Progress, parts: &[(Segment, Position)]) -> io::Result<ConsumerSeen> {
    let end = parts.last().map_or(Position::ZERO, |(_, end)| *end);
    let mut lanes = Vec::new();
    for (name, position) in &progress.lanes {
        let waiting_since = match parts.iter().find(|(_, end)| end > position) {
            Some((segment, end)) => arrival(segment, segment.header.base.max(*position), *end)?,
            None => None,
        };
        lanes.push(LaneSeen { name: name.to_string(), position: *position, lag: end.since(*position), waiting_since });
    }
    Ok(ConsumerSeen { name: name.to_string(), floor: progress.floor, journal_bytes: progress.journal.len(), lanes })
}
