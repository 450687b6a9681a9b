//! Lays out one commit: what is written with one call and made durable with one sync.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::ops::Range;

use bytes::Bytes;
use tollgate_disk::DiskFile;
use tollgate_runtime::Timestamp;

use crate::frame::{self, COMMIT};
use crate::name::Name;
use crate::position::Position;
use crate::record::{Entry, Record};
use crate::segment::Header;

/// Payloads up to this size are copied together; larger ones are written from where they are.
const COPIED: usize = 4096;

/// The numbers of a segment's names.
pub(crate) type NameTable = HashMap<Name, u32>;

/// A commit ready to be written at `begin` of its segment.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) records: Vec<Record>,
    pub(crate) new_names: Vec<Name>,
    begin: u64,
    /// Offset behind it.
    pub(crate) end: u64,
    /// Its first frame: it comes first and is made last.
    first: Vec<u8>,
    small: Vec<u8>,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Small(Range<usize>),
    Large(Bytes),
}

/// Where a commit goes and what it says.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) header: &'a Header,
    pub(crate) offset: u64,
    /// The end of the log, where its first record begins.
    pub(crate) position: Position,
    /// Up to where the log is durable already.
    pub(crate) durable: Position,
    pub(crate) arrival: Timestamp,
}

/// How many pieces of a gathered write an entry takes.
pub(crate) fn pieces(entry: &Entry) -> usize {
    if is_small(entry) { 0 } else { 3 }
}

fn is_small(entry: &Entry) -> bool {
    entry.payload.len() + entry.index.len() <= COPIED
}

impl Commit {
    pub(crate) fn lay_out<'e>(
        entries: impl Iterator<Item = &'e Entry>,
        names: &mut NameTable,
        place: &Place<'_>,
    ) -> Self {
        let mut commit = Self {
            records: Vec::new(),
            new_names: Vec::new(),
            begin: place.offset,
            end: place.offset + COMMIT as u64,
            first: Vec::with_capacity(COMMIT),
            small: Vec::new(),
            pieces: Vec::new(),
        };
        let mut position = place.position;
        for entry in entries {
            commit.push(entry, names, place, &mut position);
        }
        commit.cut_piece();
        let bytes = commit.end - commit.begin;
        frame::write_commit(&mut commit.first, place.header.seed(), place.offset, place.durable, bytes);
        commit
    }

    /// Writes it, with one call unless the system takes less.
    pub(crate) fn write(&self, file: &DiskFile) -> io::Result<()> {
        let mut slices = vec![IoSlice::new(&self.first)];
        slices.extend(self.pieces.iter().map(|piece| match piece {
            Piece::Small(range) => IoSlice::new(self.small.get(range.clone()).unwrap_or_default()),
            Piece::Large(bytes) => IoSlice::new(bytes),
        }));
        file.write_all_vectored_at(&mut slices, self.begin)
    }

    fn push(&mut self, entry: &Entry, names: &mut NameTable, place: &Place<'_>, position: &mut Position) {
        let seed = place.header.seed();
        let numbers = [&entry.signal, &entry.origin, &entry.peer].map(|name| self.number(name, names, place));
        frame::write_record(&mut self.small, seed, self.end, entry, numbers, place.arrival);
        self.end += frame::record_length(entry);
        if is_small(entry) {
            self.small.extend_from_slice(&entry.payload);
            self.small.extend_from_slice(&entry.index);
        } else {
            self.cut_piece();
            let large = [&entry.payload, &entry.index].into_iter().filter(|bytes| !bytes.is_empty());
            self.pieces.extend(large.cloned().map(Piece::Large));
        }
        let end = place.header.position(self.end);
        self.records.push(record(entry, *position, end, place.arrival));
        *position = end;
    }

    /// The name's number in this segment; one that has none yet is defined before it is used.
    fn number(&mut self, name: &Name, names: &mut NameTable, place: &Place<'_>) -> u32 {
        if let Some(number) = names.get(name) {
            return *number;
        }
        frame::write_name(&mut self.small, place.header.seed(), self.end, name);
        self.end += frame::name_length(name);
        let number = u32::try_from(names.len()).unwrap_or(u32::MAX);
        names.insert(name.clone(), number);
        self.new_names.push(name.clone());
        number
    }

    /// Ends the current run of small bytes.
    fn cut_piece(&mut self) {
        let begin = self.pieces.iter().rev().find_map(|piece| match piece {
            Piece::Small(range) => Some(range.end),
            Piece::Large(_) => None,
        });
        let range = begin.unwrap_or_default()..self.small.len();
        if !range.is_empty() {
            self.pieces.push(Piece::Small(range));
        }
    }
}

fn record(entry: &Entry, position: Position, end: Position, arrival: Timestamp) -> Record {
    Record {
        position,
        end,
        kind: entry.kind,
        signal: entry.signal.clone(),
        origin: entry.origin.clone(),
        peer: entry.peer.clone(),
        policy: entry.policy,
        arrival,
        payload: entry.payload.clone(),
        index: entry.index.clone(),
    }
}
