//! A segment's file, read forward piece by piece.
//!
//! Promises:
//! 1. Memory is that of a piece or of the largest frame, whichever is more; a length is believed only within the limit.
//! 2. Nothing is read twice while offsets ascend.

use std::io;

use tollgate_disk::DiskFile;

use crate::frame::{self, Frame, HEAD, Seed};

/// How much is read at once, unless a frame is larger.
const PIECE: u64 = 256 << 10;

/// A part of a file in memory.
pub(crate) struct Window<'a> {
    file: &'a DiskFile,
    /// Where to stop reading; within the file.
    limit: u64,
    /// Where in the file `bytes` begin.
    begin: u64,
    bytes: Vec<u8>,
    /// So many of them are the file's; the rest is room for more.
    held: usize,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a DiskFile, limit: u64) -> Self {
        Self { file, limit, begin: 0, bytes: Vec::new(), held: 0 }
    }

    /// What lies from `offset` on: at least `length` bytes, unless the limit comes before.
    pub(crate) fn from(&mut self, offset: u64, length: u64) -> io::Result<&[u8]> {
        let wanted = length.min(self.limit.saturating_sub(offset));
        if offset < self.begin || self.begin + (self.held as u64) < offset + wanted {
            self.load(offset, wanted)?;
        }
        let begin = usize::try_from(offset - self.begin).unwrap_or(usize::MAX);
        Ok(self.bytes.get(begin..self.held).unwrap_or_default())
    }

    /// The frame at `offset` and its length, if there is one.
    pub(crate) fn frame(&mut self, seed: Seed, offset: u64) -> io::Result<Option<(Frame<'_>, usize)>> {
        let length = match frame::length(self.from(offset, HEAD as u64)?) {
            Ok(length) if length as u64 <= self.limit.saturating_sub(offset) => length,
            _ => return Ok(None),
        };
        Ok(frame::read(self.from(offset, length as u64)?, seed, offset).ok())
    }

    /// Holds a piece from `offset` on; at least `wanted` bytes, which lie before the limit.
    fn load(&mut self, offset: u64, wanted: u64) -> io::Result<()> {
        let passed = offset.checked_sub(self.begin).and_then(|passed| usize::try_from(passed).ok());
        let kept =
            passed.filter(|passed| *passed <= self.held).map_or(self.held..self.held, |passed| passed..self.held);
        (self.begin, self.held) = (offset, kept.len());
        self.bytes.copy_within(kept, 0);
        let length = usize::try_from(wanted.max(PIECE).min(self.limit.saturating_sub(offset)));
        let length = length.map_err(io::Error::other)?.max(self.held);
        self.bytes.resize(length.max(self.bytes.len()), 0);
        let missing = self.bytes.get_mut(self.held..length).unwrap_or_default();
        self.file.read_exact_at(missing, offset + self.held as u64)?;
        self.held = length;
        Ok(())
    }
}
