//! What goes into the log and what comes out of it.

use bytes::Bytes;
use tollgate_runtime::Timestamp;

use crate::frame;
use crate::name::Name;
use crate::position::Position;

/// One admitted request on its way into the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the payload is; the log's owner gives it its meaning.
    pub kind: u8,
    /// The signal.
    pub signal: Name,
    /// The regimes the data comes from.
    pub origin: Name,
    /// Who sent it.
    pub peer: Name,
    /// Digest of the policy in force when it arrived.
    pub policy: [u8; 32],
    /// The request as received.
    pub payload: Bytes,
    /// Where things lie in the payload.
    pub index: Bytes,
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it begins: the end of the record before it.
    pub position: Position,
    /// Where the next one begins.
    pub end: Position,
    /// As in [`Entry`].
    pub kind: u8,
    /// As in [`Entry`].
    pub signal: Name,
    /// As in [`Entry`].
    pub origin: Name,
    /// As in [`Entry`].
    pub peer: Name,
    /// As in [`Entry`].
    pub policy: [u8; 32],
    /// When it was written; never before the record before it.
    pub arrival: Timestamp,
    /// As in [`Entry`].
    pub payload: Bytes,
    /// As in [`Entry`].
    pub index: Bytes,
}

impl Entry {
    /// The most bytes it can take in a segment: with a definition of each of its names.
    pub(crate) fn footprint(&self) -> u64 {
        let names = [&self.signal, &self.origin, &self.peer];
        let definitions: u64 = names.iter().map(|name| frame::name_length(name)).sum();
        definitions + frame::record_length(self)
    }
}

impl Record {
    /// Bytes of memory it holds, roughly.
    pub(crate) fn weight(&self) -> u64 {
        (self.payload.len() + self.index.len() + size_of::<Self>()) as u64
    }
}
