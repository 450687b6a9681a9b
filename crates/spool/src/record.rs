//! What goes into the log and what comes out of it. `Debug` shows no payload, so that none reaches a log by accident.

use std::fmt;

use bytes::Bytes;
use tollgate_runtime::Timestamp;

use crate::frame;
use crate::name::Name;
use crate::position::Position;

/// One admitted request on its way into the log.
#[derive(Clone)]
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
#[derive(Clone, PartialEq, Eq)]
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

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, signal, origin, peer, payload, .. } = self;
        let bytes = payload.len();
        write!(f, "entry of kind {kind}: {signal} of {origin} from {peer}, {bytes} bytes")
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, kind, signal, origin, peer, payload, .. } = self;
        let (at, bytes) = (position.value(), payload.len());
        write!(f, "record of kind {kind} at {at}: {signal} of {origin} from {peer}, {bytes} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_payload() {
        let (payload, index) = (Bytes::from_static(b"jane"), Bytes::from_static(b"doe"));
        let [signal, origin, peer] = ["traces", "EEA", "service"].map(Name::from);
        let entry = Entry { kind: 1, signal, origin, peer, policy: [0; 32], payload, index };
        let shown = format!("{entry:?}");
        assert!(shown.contains("4 bytes") && !shown.contains("jane") && !shown.contains("doe"), "{shown}");
    }
}
