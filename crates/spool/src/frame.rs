//! The bytes of a segment after its header: frames, each with a CRC-32C of its own.
//!
//! ```text
//! frame  = crc u32 | body length u32 | tag u8 | body                       (integers are little-endian)
//! commit = MARK | durable u64 | bytes u32      begins a commit of so many bytes; all before `durable` is durable
//! name   = UTF-8                               the next number of the segment's name table
//! record = kind u8 | signal u32 | origin u32 | peer u32 | policy [32] | arrival u64 | payload length u32 | payload | index
//! ```
//!
//! Promises:
//! 1. The CRC is seeded with log, segment and offset: what a recycled segment held before never reads as valid.
//! 2. Any bytes can be read: a length is believed only within what was given.

use std::ops::Range;

use tollgate_runtime::Timestamp;

use crate::name::Name;
use crate::position::Position;
use crate::record::Entry;

/// Bytes of a frame before its body.
pub(crate) const HEAD: usize = 9;
/// Bytes of a commit frame.
pub(crate) const COMMIT: usize = HEAD + MARK.len() + 12;
/// Begins the body of a commit frame, to find one again after damage.
pub(crate) const MARK: [u8; 7] = *b"\xC5commit";
/// Bytes of a record's body before its payload.
const FIXED: usize = 1 + 3 * 4 + 32 + 8 + 4;

const TAG_COMMIT: u8 = 1;
const TAG_NAME: u8 = 2;
const TAG_RECORD: u8 = 3;

/// Seeds the CRCs of one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn new(log: [u8; 16], segment: u64) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(&log), &segment.to_le_bytes()))
    }

    fn at(self, offset: u64) -> u32 {
        crc32c::crc32c_append(self.0, &offset.to_le_bytes())
    }
}

/// A frame in the bytes it was read from; ranges count from the frame's first byte.
#[derive(Debug)]
pub(crate) enum Frame<'a> {
    Commit { durable: Position, bytes: u32 },
    Name(&'a str),
    Record(RecordHead),
}

#[derive(Debug)]
pub(crate) struct RecordHead {
    pub(crate) kind: u8,
    /// Numbers of signal, origin and peer in the segment's name table.
    pub(crate) names: [u32; 3],
    pub(crate) policy: [u8; 32],
    pub(crate) arrival: Timestamp,
    pub(crate) payload: Range<usize>,
    pub(crate) index: Range<usize>,
}

/// Why no frame could be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The bytes given end before the frame, which claims to have this many.
    Short(usize),
    /// These bytes are not a frame of this segment at this offset.
    Damaged,
}

/// How long the frame at the beginning of `bytes` claims to be.
pub(crate) fn length(bytes: &[u8]) -> Result<usize, Unreadable> {
    let mut head = Reader(bytes.get(..HEAD).ok_or(Unreadable::Short(HEAD))?);
    let (_crc, body) = (head.u32(), head.u32());
    body.and_then(|body| usize::try_from(body).ok()?.checked_add(HEAD)).ok_or(Unreadable::Damaged)
}

/// Reads the frame at the beginning of `bytes`, which lie at `offset` of the segment; also says how long it is.
pub(crate) fn read(bytes: &[u8], seed: Seed, offset: u64) -> Result<(Frame<'_>, usize), Unreadable> {
    let end = length(bytes)?;
    let mut head = Reader(bytes);
    let (Some(crc), Some(_), Some(tag)) = (head.u32(), head.u32(), head.u8()) else {
        return Err(Unreadable::Short(HEAD));
    };
    let frame = bytes.get(..end).ok_or(Unreadable::Short(end))?;
    let (_, covered) = frame.split_at_checked(4).ok_or(Unreadable::Damaged)?;
    if crc32c::crc32c_append(seed.at(offset), covered) != crc {
        return Err(Unreadable::Damaged);
    }
    let body = frame.get(HEAD..).unwrap_or_default();
    parse(tag, body, end).map(|frame| (frame, end)).ok_or(Unreadable::Damaged)
}

fn parse(tag: u8, body: &[u8], end: usize) -> Option<Frame<'_>> {
    let mut reader = Reader(body);
    match tag {
        TAG_COMMIT => {
            (reader.take()? == MARK).then_some(())?;
            Some(Frame::Commit { durable: Position::new(reader.u64()?), bytes: reader.u32()? })
        }
        TAG_NAME => str::from_utf8(body).ok().map(Frame::Name),
        TAG_RECORD => {
            let (kind, names) = (reader.u8()?, [reader.u32()?, reader.u32()?, reader.u32()?]);
            let (policy, arrival) = (reader.take()?, Timestamp::from_nanos(reader.u64()?));
            let payload = HEAD + FIXED..usize::try_from(reader.u32()?).ok()?.checked_add(HEAD + FIXED)?;
            let index = payload.end..end;
            (payload.end <= end).then_some(Frame::Record(RecordHead { kind, names, policy, arrival, payload, index }))
        }
        _ => None,
    }
}

/// Appends a commit frame for a commit of `bytes` bytes, itself included.
pub(crate) fn write_commit(out: &mut Vec<u8>, seed: Seed, offset: u64, durable: Position, bytes: u64) {
    let begin = out.len();
    out.extend_from_slice(&[0; HEAD]);
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&durable.value().to_le_bytes());
    out.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes());
    finish(out, begin, TAG_COMMIT, seed.at(offset), &[]);
}

/// Appends a name frame.
pub(crate) fn write_name(out: &mut Vec<u8>, seed: Seed, offset: u64, name: &Name) {
    let begin = out.len();
    out.extend_from_slice(&[0; HEAD]);
    out.extend_from_slice(name.as_str().as_bytes());
    finish(out, begin, TAG_NAME, seed.at(offset), &[]);
}

/// Appends what of a record frame comes before payload and index; these must follow it in the segment.
pub(crate) fn write_record(
    out: &mut Vec<u8>,
    seed: Seed,
    offset: u64,
    entry: &Entry,
    named: [u32; 3],
    arrival: Timestamp,
) {
    let begin = out.len();
    out.extend_from_slice(&[0; HEAD]);
    out.push(entry.kind);
    for number in named {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&entry.policy);
    out.extend_from_slice(&arrival.nanos().to_le_bytes());
    out.extend_from_slice(&length_field(entry.payload.len()));
    finish(out, begin, TAG_RECORD, seed.at(offset), &[&entry.payload, &entry.index]);
}

/// Bytes of the frame that defines a name.
pub(crate) fn name_length(name: &Name) -> u64 {
    (HEAD + name.as_str().len()) as u64
}

/// Bytes of an entry's frame.
pub(crate) fn record_length(entry: &Entry) -> u64 {
    (HEAD + FIXED) as u64 + entry.payload.len() as u64 + entry.index.len() as u64
}

/// Fills in the head of the frame that begins at `begin` of `out` and goes on with `tail`.
fn finish(out: &mut [u8], begin: usize, tag: u8, seed: u32, tail: &[&[u8]]) {
    let Some(frame) = out.get_mut(begin..) else { return };
    let length = frame.len() - HEAD + tail.iter().map(|part| part.len()).sum::<usize>();
    let Some((head, _)) = frame.split_first_chunk_mut::<HEAD>() else { return };
    head[4..8].copy_from_slice(&length_field(length));
    head[8] = tag;
    let crc = tail.iter().fold(crc32c::crc32c_append(seed, &frame[4..]), |crc, part| crc32c::crc32c_append(crc, part));
    if let Some(field) = frame.first_chunk_mut() {
        *field = crc.to_le_bytes();
    }
}

/// A segment, and so all that is in it, is smaller than 4 GiB: `SpoolConfig` is refused otherwise.
fn length_field(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// Takes fields off the front of bytes, none beyond their end.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    pub(crate) fn bytes(&mut self, length: u32) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(field)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
