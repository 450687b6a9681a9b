//! What a segment holds, and how it ends: whole, torn or damaged.
//!
//! Promises:
//! 1. What was known to be durable and cannot be read is damage; what was not is a torn tail. Never the other way.
//! 2. Any bytes can be scanned.
//!
//! A flipped bit above the last known durable point (in the last commit before a kill) looks like a torn tail and is
//! taken for one: nothing on the disk tells them apart.

use tollgate_runtime::Timestamp;

use crate::frame::{self, Frame, MARK};
use crate::marks::Marks;
use crate::name::Name;
use crate::position::Position;
use crate::segment::{HEADER, Header};

/// The content of one segment.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The end of its last whole record.
    pub(crate) end: Position,
    /// Bytes from the file's beginning to the end of its last whole frame.
    pub(crate) used: u64,
    pub(crate) records: u64,
    pub(crate) names: Vec<Name>,
    pub(crate) marks: Marks,
    pub(crate) last_arrival: Option<Timestamp>,
    pub(crate) tail: Tail,
}

/// What comes after the last whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Clean,
    /// So many bytes of a commit that was not durable.
    Torn(u64),
    /// Damage; the log was durable at least up to here.
    Damaged(Position),
}

/// Scans a segment from its file's bytes. `known_end` is where the segment after it says that this one ended.
pub(crate) fn scan(bytes: &[u8], header: &Header, known_end: Option<Position>, spacing: u64) -> Scan {
    let mut scan = Scan {
        end: header.base,
        used: HEADER,
        records: 0,
        names: Vec::new(),
        marks: Marks::default(),
        last_arrival: None,
        tail: Tail::Clean,
    };
    let limit = known_end.map_or(bytes.len() as u64, |end| if end <= header.base { 0 } else { header.offset(end) });
    let mut commit_end = 0;
    while scan.used < limit {
        let Ok((frame, length)) = frame::read(from(bytes, scan.used), header.seed(), scan.used) else { break };
        if let Frame::Commit { bytes, .. } = frame {
            commit_end = scan.used + u64::from(bytes);
        }
        scan.take(frame, length, header, spacing);
    }
    scan.tail = match known_end {
        Some(end) if scan.end < end => Tail::Damaged(end),
        Some(_) => Tail::Clean,
        None => unknown_end(bytes, header, scan.used, commit_end),
    };
    scan
}

impl Scan {
    fn take(&mut self, frame: Frame<'_>, length: usize, header: &Header, spacing: u64) {
        self.used += length as u64;
        match frame {
            Frame::Commit { .. } => {}
            Frame::Name(name) => self.names.push(Name::new(name)),
            Frame::Record(record) => {
                self.marks.note(self.end, record.arrival, spacing);
                self.end = header.position(self.used);
                self.records += 1;
                self.last_arrival = Some(record.arrival);
            }
        }
    }
}

/// The log ended somewhere here. A later commit that says "durable beyond this point" proves that what cannot be read
/// at `stop` was once whole: commits are written one after another, each only when the one before it is durable.
fn unknown_end(bytes: &[u8], header: &Header, stop: u64, commit_end: u64) -> Tail {
    match durable_claims(bytes, header, stop).max() {
        Some(durable) if durable > header.position(stop) => Tail::Damaged(durable),
        _ if commit_end > stop => Tail::Torn(commit_end - stop),
        _ => Tail::Clean,
    }
}

/// What the commit frames after `stop` say; their CRCs are seeded, so those of a recycled segment's past do not count.
pub(crate) fn durable_claims<'a>(
    bytes: &'a [u8],
    header: &'a Header,
    stop: u64,
) -> impl Iterator<Item = Position> + 'a {
    let first = usize::try_from(stop).unwrap_or(usize::MAX).saturating_add(frame::HEAD);
    let rest = bytes.get(first..).unwrap_or_default();
    rest.windows(MARK.len())
        .enumerate()
        .filter(|(_, window)| window.first() == MARK.first() && *window == MARK)
        .filter_map(move |(at, _)| {
            let offset = stop + at as u64;
            match frame::read(from(bytes, offset), header.seed(), offset) {
                Ok((Frame::Commit { durable, .. }, _)) => Some(durable),
                _ => None,
            }
        })
}

fn from(bytes: &[u8], offset: u64) -> &[u8] {
    usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
