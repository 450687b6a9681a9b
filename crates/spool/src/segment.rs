//! One file of the log: a header, then frames. Made once, used again under the next number.
//!
//! Promises:
//! 1. A file with a segment's name has that segment's header; both are durable before the first record in it.
//! 2. The header says where the log ended before it, so that whatever lies after that in the file before is no record.

use std::io;
use std::path::{Path, PathBuf};

use tollgate_disk::{Disk, DiskFile};
use tollgate_runtime::Timestamp;

use crate::frame::{Reader, Seed};
use crate::position::Position;

/// Bytes of a segment before its first frame.
pub(crate) const HEADER: u64 = HEADER_SIZE as u64;
const HEADER_SIZE: usize = 64;
const MAGIC: [u8; 8] = *b"tollgate";
/// Version of the format of segments and cursor files.
pub(crate) const VERSION: u32 = 1;

const LIVE: (&str, &str) = ("segment-", ".log");
const SPARE: (&str, &str) = ("spare-", ".log");

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The log it belongs to.
    pub(crate) log: [u8; 16],
    pub(crate) number: u64,
    /// Position of its first byte.
    pub(crate) base: Position,
    /// Where the log ended in the segment before it; less than `base` only after a loss.
    pub(crate) previous_end: Position,
    /// The last arrival stamp before it.
    pub(crate) stamp: Timestamp,
}

/// Why a header could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// Written by a release that this one does not know.
    Version(u32),
    /// Not a header.
    Damaged,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        let fields = MAGIC.into_iter().chain(VERSION.to_le_bytes()).chain(self.log);
        let numbers = [self.number, self.base.value(), self.previous_end.value(), self.stamp.nanos()];
        let fields = fields.chain(numbers.into_iter().flat_map(u64::to_le_bytes));
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        if let Some((covered, crc)) = bytes.split_last_chunk_mut::<4>() {
            *crc = crc32c::crc32c(covered).to_le_bytes();
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let bytes = bytes.get(..HEADER_SIZE).ok_or(BadHeader::Damaged)?;
        let (covered, crc) = bytes.split_last_chunk::<4>().ok_or(BadHeader::Damaged)?;
        let mut reader = Reader(covered);
        let intact = reader.take() == Some(MAGIC) && crc32c::crc32c(covered) == u32::from_le_bytes(*crc);
        let version = reader.u32().filter(|_| intact).ok_or(BadHeader::Damaged)?;
        if version != VERSION {
            return Err(BadHeader::Version(version));
        }
        Self::fields(&mut reader).ok_or(BadHeader::Damaged)
    }

    fn fields(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            log: reader.take()?,
            number: reader.u64()?,
            base: Position::new(reader.u64()?),
            previous_end: Position::new(reader.u64()?),
            stamp: Timestamp::from_nanos(reader.u64()?),
        })
    }

    pub(crate) fn seed(&self) -> Seed {
        Seed::new(self.log, self.number)
    }

    pub(crate) fn offset(&self, position: Position) -> u64 {
        position.since(self.base).max(HEADER)
    }

    pub(crate) fn position(&self, offset: u64) -> Position {
        // Nothing lies between the base and the first frame.
        if offset <= HEADER { self.base } else { self.base.forward(offset) }
    }
}

/// A segment and its open file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) file: DiskFile,
    pub(crate) path: PathBuf,
    /// Bytes it takes on the disk.
    pub(crate) capacity: u64,
}

impl Segment {
    /// Turns `spare`, made if it is not there, into the segment that `header` describes.
    pub(crate) fn begin(disk: &Disk, spare: &Path, header: Header, capacity: u64) -> io::Result<Self> {
        let file = if spare.exists() { disk.open(spare)? } else { disk.create(spare, capacity)? };
        file.preallocate(capacity)?;
        file.write_all_at(&header.encode(), 0)?;
        file.sync()?;
        let path = spare.with_file_name(live_name(header.number));
        disk.rename(spare, &path)?;
        disk.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(Self { header, file, path, capacity })
    }

    /// Takes the segment from its open file.
    pub(crate) fn load(file: DiskFile, path: PathBuf) -> io::Result<Result<Self, BadHeader>> {
        let capacity = file.length()?;
        let mut bytes = [0; HEADER_SIZE];
        if capacity < HEADER {
            return Ok(Err(BadHeader::Damaged));
        }
        file.read_exact_at(&mut bytes, 0)?;
        Ok(Header::decode(&bytes).map(|header| Self { header, file, path, capacity }))
    }
}

pub(crate) fn live_name(number: u64) -> String {
    format!("{}{number:016x}{}", LIVE.0, LIVE.1)
}

pub(crate) fn spare_name(number: u64) -> String {
    format!("{}{number:016x}{}", SPARE.0, SPARE.1)
}

/// The number in a live segment's file name.
pub(crate) fn live_number(name: &str) -> Option<u64> {
    number(name, LIVE)
}

/// The number in a spare segment's file name.
pub(crate) fn spare_number(name: &str) -> Option<u64> {
    number(name, SPARE)
}

fn number(name: &str, (before, after): (&str, &str)) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix(before)?.strip_suffix(after)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let (base, previous_end) = (Position::new(700), Position::new(600));
        Header { log: [3; 16], number: 9, base, previous_end, stamp: Timestamp::from_nanos(5) }
    }

    #[test]
    fn header_reads_back_and_every_flipped_bit_shows() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes), Ok(header()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped), Err(BadHeader::Damaged));
        }
    }

    #[test]
    fn header_of_another_release_names_its_version() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(BadHeader::Version(2)));
    }

    #[test]
    fn names_carry_the_number() {
        assert_eq!(live_number(&live_name(0xAB)), Some(0xAB));
        assert_eq!(spare_number(&spare_name(7)), Some(7));
        assert_eq!((live_number(&spare_name(7)), live_number("cursors")), (None, None));
    }
}
