//! Admits a request: who sent it, what may come from there, and whether every byte of it is what it seems.
//!
//! Promises:
//! 1. What a peer may do follows from the identity it proved and from the documents alone.
//! 2. A request is walked whole, once, with every limit; the walk's index is stored with it.
//! 3. A manifest that speaks of another request is refused with it.
//! 4. What came over a link was sealed by a policy that is known here and lets through no more than ours; what was not
//!    waits at its sender.
//! 5. One bad item is left out and reported in the receipt; the rest is taken.

pub(crate) mod attendance;
pub(crate) mod recognition;

use std::sync::Arc;

use tollgate_federation::{Federation, LinkId, Listener, Manifest, NodeId, Origin, Role, Signal, Via};
use tollgate_otlp::{Limits, Walked, walk_logs, walk_metrics, walk_traces};
use tollgate_runtime::Permit;
use tollgate_spool::{Entry, Name};
use tollgate_transport::{Inbound, Peer, Receipt, Transport};

use crate::node::in_force::{Edition, InForce};
use crate::receive::refusal::Refusal;
use crate::records::{FromCollector, RECEIVED, service_at};
use recognition::{Recognition, Recognized};

/// Decides what may enter this node.
pub(crate) struct Admission {
    pub(crate) me: NodeId,
    pub(crate) in_force: InForce,
    pub(crate) recognition: Recognition,
    /// The origin of what this region's own services send.
    pub(crate) home: Origin,
    pub(crate) limits: Limits,
}

/// A request that may be stored.
pub(crate) struct Admitted {
    pub(crate) signal: Signal,
    pub(crate) transport: Transport,
    pub(crate) entry: Entry,
    pub(crate) receipt: Receipt,
    pub(crate) items: u64,
    pub(crate) permit: Permit,
}

impl Admission {
    /// Checks the peer, then the origin, then every byte.
    pub(crate) fn admit(&self, inbound: Inbound) -> Result<Admitted, Refusal> {
        let Inbound { signal, transport, payload, peer, manifest, permit } = inbound;
        let edition = self.in_force.edition();
        let Source { origin, peer, items: stated } =
            self.source(&edition, (signal, transport), &peer, manifest.as_ref())?;
        let walked = walk(signal, &payload, &self.limits)?;
        agrees(stated, &walked)?;
        let mut index = Vec::with_capacity(payload.len() / 32);
        walked.index.encode(&mut index);
        let receipt = walked.rejected.map_or_else(Receipt::default, |rejected| Receipt {
            rejected: u64::from(rejected.items),
            message: rejected.to_string(),
        });
        let entry = Entry {
            kind: RECEIVED,
            signal: Name::from(signal.as_str()),
            origin: Name::from(origin.to_string()),
            peer,
            policy: edition.documents.federation.digest(), // in force at arrival: what it is sealed by, met with a later one
            payload,
            index: index.into(),
        };
        Ok(Admitted { signal, transport, entry, receipt, items: walked.index.items() as u64, permit })
    }

    /// Where the data comes from: our own regime for our own services and collectors, the manifest's for a link that carries it.
    fn source(
        &self,
        edition: &Arc<Edition>,
        (signal, transport): (Signal, Transport),
        peer: &Peer,
        manifest: Option<&Manifest>,
    ) -> Result<Source, Refusal> {
        let federation = &*edition.documents.federation;
        let peer = match (self.me.role(), peer) {
            (Role::Collector, _) => {
                let peer = service_at(listener_of(transport));
                return Ok(Source { origin: self.home.clone(), peer, items: None });
            }
            (Role::Gateway | Role::Central, Peer::Plain(_)) => return Err(Refusal::NoIdentity),
            (Role::Gateway | Role::Central, Peer::Node(peer)) => peer,
        };
        let via = federation.admits(&self.me, peer)?;
        let manifest = manifest.ok_or(Refusal::NoManifest)?;
        if manifest.node != *peer {
            let (named, proved) = (Box::new(manifest.node.clone()), Box::new(peer.clone()));
            return Err(Refusal::ForeignManifest { named, proved });
        }
        let origin = match via {
            Via::OwnCollector { .. } => self.home.clone(),
            Via::OwnGateway if manifest.origin == self.home => self.home.clone(),
            Via::Link(link) if !carries(federation, link, signal) => {
                return Err(Refusal::SignalNotCarried { signal, peer: Box::new(peer.clone()) });
            }
            Via::Link(link) if federation.lets_over(link, signal, &manifest.origin) => manifest.origin.clone(),
            Via::OwnGateway | Via::Link(_) => {
                let (origin, peer) = (manifest.origin.clone(), Box::new(peer.clone()));
                return Err(Refusal::OriginNotCarried { origin, peer });
            }
        };
        if manifest.signal != signal {
            return Err(Refusal::ForeignSignal { stated: manifest.signal, found: signal });
        }
        if let Via::Link(link) = via {
            self.recognize(edition, link, peer, manifest)?;
        }
        // Of a collector that proved to be ours we take by which of its listeners it received; of others it says nothing.
        let listener = manifest.listener.filter(|_| matches!(via, Via::OwnCollector { .. }));
        Ok(Source { origin, peer: FromCollector::name(peer, listener), items: Some(manifest.items) })
    }

    fn recognize(
        &self,
        edition: &Arc<Edition>,
        link: LinkId,
        peer: &NodeId,
        manifest: &Manifest,
    ) -> Result<(), Refusal> {
        let peer = || Box::new(peer.clone());
        match self.recognition.of(edition, link, manifest) {
            Recognized::Within => Ok(()),
            Recognized::Wider => Err(Refusal::WiderPolicy { peer: peer() }),
            Recognized::Unknown => Err(Refusal::UnknownPolicy { peer: peer() }),
        }
    }
}

/// Each listener of a collector takes one transport.
fn listener_of(transport: Transport) -> Listener {
    match transport {
        Transport::Grpc => Listener::OtlpGrpc,
        Transport::Http => Listener::OtlpHttp,
    }
}

fn carries(federation: &Federation, link: LinkId, signal: Signal) -> bool {
    federation.link(link).is_some_and(|link| link.signals().contains(signal))
}

/// Where a request comes from.
struct Source {
    origin: Origin,
    peer: Name,
    /// How many items its manifest counts.
    items: Option<u32>,
}

/// A manifest that counts otherwise is not of this request.
fn agrees(stated: Option<u32>, walked: &Walked) -> Result<(), Refusal> {
    let taken = u32::try_from(walked.index.items()).unwrap_or(u32::MAX);
    let found = taken.saturating_add(walked.rejected.map_or(0, |rejected| rejected.items));
    match stated {
        Some(stated) if stated != found => Err(Refusal::Miscounted { stated, found }),
        Some(_) | None => Ok(()),
    }
}

/// Walks a request of the given signal.
pub(crate) fn walk(signal: Signal, payload: &[u8], limits: &Limits) -> Result<Walked, Refusal> {
    match signal {
        Signal::Traces => walk_traces(payload, limits),
        Signal::Metrics => walk_metrics(payload, limits),
        Signal::Logs => walk_logs(payload, limits),
    }
    .map_err(Refusal::Malformed)
}

#[cfg(test)]
mod tests;
