//! What the records of a node's logs mean: the spool stores kind and index and looks into neither.

use tollgate_federation::{Listener, NodeId, Role};
use tollgate_otlp::{Fault, Index};
use tollgate_residency::Proved;
use tollgate_spool::{Name, Position, ReadError, Record};

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

/// As whom a collector writes down the services that send to it, by listener; nobody proves which of them it was.
const GRPC_SERVICE: &str = "service/otlp_grpc";
const HTTP_SERVICE: &str = "service/otlp_http";

/// A collector that proved to have sent a record, and by which listener it says that it came there.
pub(crate) struct FromCollector {
    pub(crate) node: NodeId,
    pub(crate) listener: Option<Listener>,
}

impl FromCollector {
    /// Who a record came from, if from a collector. To a gateway only those of its own region send without a link, and none
    /// over one.
    pub(crate) fn of(peer: &str) -> Option<Self> {
        let sent = |node: &str, listener| Some(Self { node: node.parse().ok()?, listener });
        let told = || peer.rsplit_once('/').and_then(|(node, listener)| sent(node, listener.parse().ok()));
        sent(peer, None).or_else(|| told().filter(|sent| sent.listener.is_some())).filter(Self::is_collector)
    }

    /// What rules may rest on.
    pub(crate) fn proved(&self) -> Proved<'_> {
        Proved { cluster: self.node.cluster(), listener: self.listener }
    }

    fn is_collector(&self) -> bool {
        self.node.role() == Role::Collector
    }

    /// The name to write down for it. What says no listener is written as it always was.
    pub(crate) fn name(node: &NodeId, listener: Option<Listener>) -> Name {
        Name::from(listener.map_or_else(|| node.to_string(), |listener| format!("{node}/{listener}")))
    }
}

/// The name that a collector writes down for a service that sent to one of its listeners.
pub(crate) fn service_at(listener: Listener) -> Name {
    match listener {
        Listener::OtlpGrpc => Name::from(GRPC_SERVICE),
        Listener::OtlpHttp => Name::from(HTTP_SERVICE),
    }
}

/// To which listener of this collector a service sent a record; none if that was before this was written down.
pub(crate) fn listener_of(record: &Record) -> Option<Listener> {
    listener_in(record.peer.as_str())
}

fn listener_in(peer: &str) -> Option<Listener> {
    match peer {
        GRPC_SERVICE => Some(Listener::OtlpGrpc),
        HTTP_SERVICE => Some(Listener::OtlpHttp),
        _ => None,
    }
}

/// Where to go on behind records that are gone for good; `None` when trying again may help.
pub(crate) fn resume(error: &ReadError) -> Option<Position> {
    match error {
        ReadError::Expired { resume, .. } | ReadError::Corrupt { resume, .. } => Some(*resume),
        ReadError::NoRecordThere(_) | ReadError::Io(_) | ReadError::Closed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_A: &str = "eu-west/collector/eu-west-a-0";

    /// Guarantees: what is written down of a sender reads back; of another node, or of what is no listener, nothing is told.
    #[test]
    fn a_collector_and_its_listener_read_back_from_a_record() {
        for listener in [None, Some(Listener::OtlpGrpc), Some(Listener::OtlpHttp)] {
            let node: NodeId = OF_A.parse().unwrap();
            let sent = FromCollector::of(FromCollector::name(&node, listener).as_str()).unwrap();
            assert_eq!((&sent.node, sent.listener), (&node, listener));
            assert_eq!(sent.proved(), Proved { cluster: Some("eu-west-a"), listener });
        }
        for other in
            ["eu-west/collector/eu-west-a-0/grpc", "eu-west/gateway/0/otlp_grpc", "eu-west/gateway/0", "service", ""]
        {
            assert!(FromCollector::of(other).is_none(), "{other}");
        }
    }

    /// Guarantees: a collector tells by which listener a record came, and nothing of one of before that was written down.
    #[test]
    fn the_listener_of_a_service_reads_back_from_a_record() {
        for listener in Listener::ALL {
            assert_eq!(listener_in(service_at(listener).as_str()), Some(listener));
        }
        for before in ["service", OF_A, "service/grpc", ""] {
            assert_eq!(listener_in(before), None);
        }
    }
}
