//! A file that is written and read at given offsets.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::buffer::spare_capacity;
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};

use crate::fault::{Fault, Faults, Operation, crashed};

/// More pieces than this a single `pwritev(2)` does not take (`IOV_MAX` of Linux).
const MOST_PIECES: usize = 1024;

/// An open file; writing needs no exclusive access, the caller keeps writers apart.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    faults: Option<Faults>,
}

impl DiskFile {
    pub(crate) fn new(file: File, faults: Option<Faults>) -> Self {
        Self { file, faults }
    }

    /// The file's length in bytes.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Reserves room up to `length` bytes; new bytes read as zero.
    pub fn preallocate(&self, length: u64) -> io::Result<()> {
        self.strike(Operation::Allocate)?;
        if length == 0 {
            return Ok(()); // the call refuses to reserve nothing
        }
        match fallocate(&self.file, FallocateFlags::empty(), 0, length) {
            // A file system without reservation: then a full disk is met when writing.
            Err(Errno::OPNOTSUPP) => self.file.set_len(length),
            other => Ok(other?),
        }
    }

    /// Cuts the file off after `length` bytes.
    pub fn cut(&self, length: u64) -> io::Result<()> {
        self.strike(Operation::Rename)?;
        self.file.set_len(length)
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_vectored_at(&mut [IoSlice::new(bytes)], offset)
    }

    /// Writes all pieces one after another at `offset`: one call for up to 1024 pieces, unless the system takes less.
    pub fn write_all_vectored_at(&self, mut pieces: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        IoSlice::advance_slices(&mut pieces, 0);
        while !pieces.is_empty() {
            let now = pieces.get(..MOST_PIECES).unwrap_or(pieces);
            let written = match self.write_some(now, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset += written as u64;
            IoSlice::advance_slices(&mut pieces, written);
        }
        Ok(())
    }

    /// Fills `buffer` from `offset`; shorter files are an error.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.strike(Operation::Read)?;
        if let Some(faults) = &self.faults {
            faults.count_read(buffer.len());
        }
        self.file.read_exact_at(buffer, offset)
    }

    /// The `length` bytes from `offset` on, into memory that is not cleared before; shorter files are an error.
    pub fn read_at(&self, length: usize, offset: u64) -> io::Result<Vec<u8>> {
        self.strike(Operation::Read)?;
        if let Some(faults) = &self.faults {
            faults.count_read(length);
        }
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let after = offset + bytes.len() as u64;
            match pread(&self.file, spare_capacity(&mut bytes), after) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Reads what of the bytes from `offset` on is in memory already, and returns how many those are: never waits for the
    /// disk. Zero also where the file system cannot tell.
    pub fn read_cached(&self, buffer: &mut [u8], offset: u64) -> usize {
        let cached = self.faults.as_ref().map_or(buffer.len(), |faults| faults.cached().min(buffer.len()));
        let Some(buffer) = buffer.get_mut(..cached) else { return 0 };
        preadv2(&self.file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT).unwrap_or(0)
    }

    /// The stretches that may hold anything but zeros, ascending: what was only reserved is left out where the file
    /// system tells. What was reserved and then read may count.
    pub fn written(&self) -> io::Result<Vec<Range<u64>>> {
        let (mut stretches, mut after) = (Vec::new(), 0);
        loop {
            let begin = match seek(&self.file, SeekFrom::Data(after)) {
                Ok(begin) => begin,
                Err(Errno::NXIO) => return Ok(stretches),
                Err(Errno::INVAL | Errno::OPNOTSUPP) => {
                    let all = 0..self.length()?;
                    return Ok(vec![all]);
                }
                Err(error) => return Err(error.into()),
            };
            after = seek(&self.file, SeekFrom::Hole(begin))?;
            stretches.push(begin..after);
        }
    }

    /// Makes what was written durable (`fdatasync(2)`).
    ///
    /// After a failure the system may have forgotten what it could not write, and the next call may succeed without it:
    /// never retry on the same file.
    pub fn sync(&self) -> io::Result<()> {
        self.strike(Operation::Sync)?;
        self.file.sync_data()
    }

    fn write_some(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let Some(faults) = &self.faults else { return Ok(rustix::io::pwritev(&self.file, pieces, offset)?) };
        let written = match faults.strike(Operation::Write)? {
            None | Some(Fault::Fail(_)) => rustix::io::pwritev(&self.file, pieces, offset)?,
            Some(Fault::Short(length)) => {
                let bytes = joined(pieces);
                let length = length.clamp(1, bytes.len());
                self.file.write_at(bytes.get(..length).unwrap_or(&bytes), offset)?
            }
            Some(Fault::Crash(torn)) => {
                for (begin, bytes) in torn.surviving(&joined(pieces)) {
                    self.file.write_all_at(bytes, offset + begin as u64)?;
                }
                return Err(crashed());
            }
        };
        faults.count_written(written);
        Ok(written)
    }

    fn strike(&self, operation: Operation) -> io::Result<()> {
        strike(self.faults.as_ref(), operation)
    }
}

/// Runs the planted fault, if any, of an operation that can only work or fail.
pub(crate) fn strike(faults: Option<&Faults>, operation: Operation) -> io::Result<()> {
    match faults.map(|faults| faults.strike(operation)).transpose()?.flatten() {
        Some(Fault::Crash(_)) => Err(crashed()),
        _ => Ok(()),
    }
}

fn joined(pieces: &[IoSlice<'_>]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| piece.iter().copied()).collect()
}
