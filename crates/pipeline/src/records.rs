//! What the records of a node's logs mean: the spool stores kind and index and looks into neither.

use tollgate_federation::{NodeId, Role};
use tollgate_otlp::{Fault, Index};
use tollgate_spool::{Position, ReadError, Record};

/// A request as received; its index is the walk's.
pub(crate) const RECEIVED: u8 = 1;
/// Spans of kept traces; its index says first up to where the log they came from is swept.
pub(crate) const KEPT: u8 = 2;
/// Verdicts, journalled before the first span they let through.
pub(crate) const VERDICTS: u8 = 3;

/// Bytes of a position in front of the index of a kept record.
const SWEPT_TO: usize = 8;

/// The index of the request that this record holds; `None` for records that hold none.
///
/// A fault is a loss: the checksum held, so another release wrote it, and its items cannot be told apart.
pub(crate) fn payload_index(record: &Record) -> Result<Option<Index>, Fault> {
    let index = match record.kind {
        RECEIVED => record.index.as_ref(),
        KEPT => record.index.get(SWEPT_TO..).unwrap_or_default(),
        _ => return Ok(None),
    };
    Index::decode(index, record.payload.len())
        .inspect_err(|error| tracing::error!(%error, "a record of the spool has no usable index"))
        .map(Some)
}

/// Up to where the source log was swept when this kept record was written.
pub(crate) fn swept_to(record: &Record) -> Option<Position> {
    let bytes = (record.kind == KEPT).then(|| record.index.first_chunk::<SWEPT_TO>())??;
    Some(Position::new(u64::from_le_bytes(*bytes)))
}

/// The index of a kept record.
pub(crate) fn kept_index(swept_to: Position, index: &Index) -> Vec<u8> {
    let mut bytes = swept_to.value().to_le_bytes().to_vec();
    index.encode(&mut bytes);
    bytes
}

/// Whether a collector of this region sent it: only those may send to a gateway without a link.
pub(crate) fn is_from_own_collector(record: &Record) -> bool {
    record.peer.as_str().parse::<NodeId>().is_ok_and(|peer| peer.role() == Role::Collector)
}

/// Where to go on behind records that are gone for good; `None` when trying again may help.
pub(crate) fn resume(error: &ReadError) -> Option<Position> {
    match error {
        ReadError::Expired { resume, .. } | ReadError::Corrupt { resume, .. } => Some(*resume),
        ReadError::NoRecordThere(_) | ReadError::Io(_) | ReadError::Closed => None,
    }
}
