//! What a segment holds, and how it ends: whole, torn or damaged.
//!
//! Promises:
//! 1. What was known to be durable and cannot be read is damage; what was not is a torn tail. Never the other way.
//! 2. Any bytes can be scanned.
//! 3. What was reserved and never written costs nothing.
//!
//! A flipped bit above the last known durable point (in the last commit before a kill) looks like a torn tail and is
//! taken for one: nothing on the disk tells them apart.

use std::io;
use std::ops::Range;

use tollgate_runtime::Timestamp;

use crate::frame::{Frame, HEAD, MARK};
use crate::marks::Marks;
use crate::name::Name;
use crate::position::Position;
use crate::segment::{HEADER, Header, Segment};
use crate::window::Window;

/// How much is searched at once for marks.
const STRETCH: u64 = 64 << 10;
/// How many places are looked at together for the beginning of a mark.
const BLOCK: usize = 512;

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

/// Scans a segment. `known_end` is where the segment after it says that this one ended.
pub(crate) fn scan(segment: &Segment, known_end: Option<Position>, spacing: u64) -> io::Result<Scan> {
    let header = &segment.header;
    let mut scan = Scan {
        end: header.base,
        used: HEADER,
        records: 0,
        names: Vec::new(),
        marks: Marks::default(),
        last_arrival: None,
        tail: Tail::Clean,
    };
    let known = known_end.map(|end| if end <= header.base { 0 } else { header.offset(end) });
    let limit = known.unwrap_or(segment.capacity).min(segment.capacity);
    // Asked before anything is read: what was read may count as written.
    let written = if known_end.is_none() { segment.file.written()? } else { Vec::new() };
    let (mut window, mut commit_end) = (Window::new(&segment.file, limit), 0);
    while scan.used < limit {
        let Some((frame, length)) = window.frame(header.seed(), scan.used)? else { break };
        if let Frame::Commit { bytes, .. } = frame {
            commit_end = scan.used + u64::from(bytes);
        }
        scan.take(frame, length, header, spacing);
    }
    scan.tail = match known_end {
        Some(end) if scan.end < end => Tail::Damaged(end),
        Some(_) => Tail::Clean,
        None => unknown_end(&mut window, header, &written, scan.used..commit_end)?,
    };
    Ok(scan)
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

/// The log ended where `unread` begins, and the last commit where it ends, if that is further. A later commit that says
/// "durable beyond this point" proves that what cannot be read was once whole: commits are written one after another,
/// each only when the one before it is durable.
fn unknown_end(
    window: &mut Window<'_>,
    header: &Header,
    written: &[Range<u64>],
    unread: Range<u64>,
) -> io::Result<Tail> {
    Ok(match highest_claim(window, header, written, unread.start)? {
        Some(durable) if durable > header.position(unread.start) => Tail::Damaged(durable),
        _ if unread.is_empty() => Tail::Clean,
        _ => Tail::Torn(unread.end - unread.start),
    })
}

/// The highest position that a commit frame from `stop` on says to be durable. Their CRCs are seeded, so those of a
/// recycled segment's past do not count. Where they are nobody knows: all that was ever written there is searched.
pub(crate) fn highest_claim(
    window: &mut Window<'_>,
    header: &Header,
    written: &[Range<u64>],
    stop: u64,
) -> io::Result<Option<Position>> {
    let mut highest = None;
    for stretch in written {
        let mut at = stretch.start.max(stop);
        while let Some(offset) = next_mark(window, at, stretch.end)? {
            if let Some((Frame::Commit { durable, .. }, _)) = window.frame(header.seed(), offset)? {
                highest = highest.max(Some(durable));
            }
            at = offset + 1;
        }
    }
    Ok(highest)
}

/// Where the next frame from `at` on may begin whose body begins with the mark before `end`.
fn next_mark(window: &mut Window<'_>, mut at: u64, end: u64) -> io::Result<Option<u64>> {
    const SHORTEST: usize = HEAD + MARK.len();
    while at + SHORTEST as u64 <= end {
        let bytes = window.from(at, STRETCH.min(end - at))?;
        let searched = usize::try_from(end - at).unwrap_or(usize::MAX).min(bytes.len());
        if let Some(offset) = bytes.get(HEAD..searched).and_then(find_mark) {
            return Ok(Some(at + offset as u64));
        }
        at += (searched + 1).saturating_sub(SHORTEST).max(1) as u64;
    }
    Ok(None)
}

fn find_mark(bytes: &[u8]) -> Option<usize> {
    let [first, second, ..] = MARK;
    (0..bytes.len()).step_by(BLOCK).find_map(|begin| {
        let rest = bytes.get(begin..)?;
        let near = rest.get(..BLOCK + MARK.len() - 1).unwrap_or(rest);
        let pairs = near.iter().zip(near.get(1..)?);
        // Without a branch in it, so that the compiler looks at many bytes side by side.
        let seen = pairs.fold(false, |seen, (byte, next)| seen | ((*byte == first) & (*next == second)));
        let found = seen.then(|| near.windows(MARK.len()).position(|window| window == MARK)).flatten()?;
        Some(begin + found)
    })
}

#[cfg(test)]
mod tests;
