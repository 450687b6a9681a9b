//! Reads records back from a segment's file.

use std::io;

use bytes::Bytes;
use tollgate_runtime::{Buffers, Timestamp};

use crate::frame::{self, Frame, RecordHead, Unreadable};
use crate::name::Name;
use crate::position::Position;
use crate::recent::Chunk;
use crate::record::Record;
use crate::scan::{Scan, Tail, scan};
use crate::segment::Segment;
use crate::state::OnDisk;

/// Less than this is not worth a read of its own.
const SMALLEST_READ: u64 = 64 << 10;

/// Why a durable part of a segment gave no record.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    Io(io::Error),
    /// Readable up to here.
    Damaged(Position),
    /// The segment is whole, but no record begins at the position asked for.
    NoRecordThere,
}

/// Reads about `max_bytes` without waiting for the disk; `None` if that gives no record.
pub(crate) fn read_cached(part: &OnDisk, max_bytes: u64, until: Option<Position>, buffers: &Buffers) -> Option<Chunk> {
    let header = &part.segment.header;
    let (begin, end) = (header.offset(part.from), header.offset(part.end));
    let length = usize::try_from(max_bytes.max(SMALLEST_READ).min(end - begin)).ok()?;
    let mut buffer = buffers.stale(length);
    let read = part.segment.file.read_cached(buffer.get_mut(..length)?, begin);
    let bytes = buffers.lend(buffer).slice(..read);
    let mut parser = Parser::new(part, bytes, until, max_bytes);
    // Whatever is wrong behind the last record shows when somebody asks for what stands there.
    let _ = parser.run();
    (!parser.chunk.records.is_empty()).then_some(parser.chunk)
}

/// Reads at least one record and about `max_bytes`. Blocks.
pub(crate) fn read(part: &OnDisk, max_bytes: u64, until: Option<Position>) -> Result<Chunk, ReadFailure> {
    let header = &part.segment.header;
    let (begin, end) = (header.offset(part.from), header.offset(part.end));
    let mut length = max_bytes.max(SMALLEST_READ).min(end - begin);
    loop {
        let size = usize::try_from(length).map_err(io::Error::other).map_err(ReadFailure::Io)?;
        let bytes = part.segment.file.read_at(size, begin).map_err(ReadFailure::Io)?;
        let mut parser = Parser::new(part, bytes.into(), until, max_bytes);
        match parser.run() {
            _ if !parser.chunk.records.is_empty() => return Ok(parser.chunk),
            // A length that only damage can claim is not worth reading for.
            Err(Unreadable::Short(needed)) if needed as u64 > length && needed as u64 <= end - begin => {
                length = needed as u64;
            }
            _ => return Err(diagnose(part)),
        }
    }
}

struct Parser<'a> {
    part: &'a OnDisk,
    bytes: Bytes,
    /// Bytes parsed.
    done: usize,
    until: Option<Position>,
    max_bytes: u64,
    chunk: Chunk,
}

impl<'a> Parser<'a> {
    fn new(part: &'a OnDisk, bytes: Bytes, until: Option<Position>, max_bytes: u64) -> Self {
        Self { part, bytes, done: 0, until, max_bytes, chunk: Chunk { records: Vec::new(), end: part.from } }
    }

    fn run(&mut self) -> Result<(), Unreadable> {
        let header = self.part.segment.header;
        let (begin, seed) = (header.offset(self.part.from), header.seed());
        let mut weight = 0;
        while weight < self.max_bytes.max(1)
            && self.done < self.bytes.len()
            && self.until.is_none_or(|until| self.chunk.end < until)
        {
            let rest = self.bytes.slice(self.done..);
            let (frame, length) =
                frame::read(&rest, seed, begin + self.done as u64).map_err(|reason| match reason {
                    Unreadable::Short(needed) => Unreadable::Short(needed.saturating_add(self.done)),
                    Unreadable::Damaged => Unreadable::Damaged,
                })?;
            self.done += length;
            if let Frame::Record(head) = frame {
                let end = header.position(begin + self.done as u64);
                let record = self.record(&head, &rest, end).ok_or(Unreadable::Damaged)?;
                weight += record.weight();
                self.chunk.end = end;
                self.chunk.records.push(record);
            }
        }
        Ok(())
    }

    fn record(&self, head: &RecordHead, frame: &Bytes, end: Position) -> Option<Record> {
        let name = |number: u32| self.part.names.get(usize::try_from(number).ok()?).cloned();
        let [signal, origin, peer]: [Option<Name>; 3] = head.names.map(name);
        Some(Record {
            position: self.chunk.end,
            end,
            kind: head.kind,
            signal: signal?,
            origin: origin?,
            peer: peer?,
            policy: head.policy,
            arrival: head.arrival,
            payload: frame.slice(head.payload.clone()),
            index: frame.slice(head.index.clone()),
        })
    }
}

/// Reads the whole segment to learn where it is damaged, or that only the position was wrong.
fn diagnose(part: &OnDisk) -> ReadFailure {
    match scan(&part.segment, Some(part.end), u64::MAX) {
        Ok(Scan { tail: Tail::Damaged(_), end, .. }) => ReadFailure::Damaged(end),
        Ok(_) => ReadFailure::NoRecordThere,
        Err(error) => ReadFailure::Io(error),
    }
}

/// When the record at `from` arrived.
pub(crate) fn arrival(segment: &Segment, from: Position, end: Position) -> io::Result<Option<Timestamp>> {
    let header = &segment.header;
    let (mut offset, end) = (header.offset(from), header.offset(end));
    let mut length = SMALLEST_READ.min(end.saturating_sub(offset));
    while length > 0 {
        let bytes = segment.file.read_at(usize::try_from(length).map_err(io::Error::other)?, offset)?;
        match frame::read(&bytes, header.seed(), offset) {
            Ok((Frame::Record(record), _)) => return Ok(Some(record.arrival)),
            Ok((Frame::Commit { .. } | Frame::Name(_), frame)) => {
                offset += frame as u64;
                length = SMALLEST_READ.min(end.saturating_sub(offset));
            }
            Err(Unreadable::Short(needed)) if needed as u64 > length && needed as u64 <= end - offset => {
                length = needed as u64;
            }
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}
