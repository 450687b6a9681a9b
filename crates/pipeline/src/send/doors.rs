//! Every door of a node is built here, and nowhere else: to a link only for `Sealed`, inside the region only for `Local`.
//! `cargo xtask check` counts them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tollgate_federation::{Compression, HostPort, Link, LinkId, LocalPlace, Manifest, NodeId, TierId};
use tollgate_redaction::Sealed;
use tollgate_transport::{
    Channel, Expected, Exporter, Headers, LinkSender, Local, LocalSender, Options, Peering, Receipt, SendError,
    TierTls, Words,
};

use crate::send::delivery::Door;
use crate::send::hop::Hop;

/// How long a node of the next tier may take to say `Ok`.
const TIER_TIMEOUT: Duration = Duration::from_secs(15);

/// A door to the nodes of a tier in another region.
pub(crate) struct LinkDoor {
    link: LinkId,
    nodes: TierNodes<LinkSender>,
}

impl LinkDoor {
    pub(crate) fn new(link: &Link, tier: TierId, tls: TierTls, hop: Arc<Hop>) -> Self {
        let compression = link.compression();
        Self { link: link.id(), nodes: TierNodes { tier, tls, hop, compression, senders: Mutex::default() } }
    }
}

impl Door for LinkDoor {
    type Load = Sealed;

    async fn send(&self, node: &Arc<str>, load: &Sealed, manifest: &Manifest) -> Result<Receipt, SendError> {
        let sender = self.nodes.sender(node, |exporter| LinkSender::new(exporter, self.link))?;
        sender.send(load, manifest).await
    }
}

/// A door to a backend under another regime, declared as a link.
pub(crate) struct LinkBackendDoor {
    sender: LinkSender,
}

impl LinkBackendDoor {
    pub(crate) fn new(exporter: Exporter, link: LinkId) -> Self {
        Self { sender: LinkSender::new(exporter, link) }
    }
}

impl Door for LinkBackendDoor {
    type Load = Sealed;

    async fn send(&self, _: &Arc<str>, load: &Sealed, manifest: &Manifest) -> Result<Receipt, SendError> {
        self.sender.send(load, manifest).await
    }
}

/// A door to the nodes of a tier inside the region.
pub(crate) struct LocalTierDoor {
    place: LocalPlace,
    nodes: TierNodes<LocalSender>,
}

impl LocalTierDoor {
    pub(crate) fn new(place: LocalPlace, tier: TierId, tls: TierTls, hop: Arc<Hop>) -> Self {
        Self { place, nodes: TierNodes { tier, tls, hop, compression: Compression::None, senders: Mutex::default() } }
    }
}

impl Door for LocalTierDoor {
    type Load = Local;

    async fn send(&self, node: &Arc<str>, load: &Local, manifest: &Manifest) -> Result<Receipt, SendError> {
        let sender = self.nodes.sender(node, |exporter| LocalSender::new(exporter, self.place.clone()))?;
        sender.send(manifest.signal, load, Some(manifest)).await
    }
}

/// A door to a backend inside the region.
pub(crate) struct BackendDoor {
    sender: LocalSender,
}

impl BackendDoor {
    pub(crate) fn new(exporter: Exporter, place: LocalPlace) -> Self {
        Self { sender: LocalSender::new(exporter, place) }
    }
}

impl Door for BackendDoor {
    type Load = Local;

    async fn send(&self, _: &Arc<str>, load: &Local, manifest: &Manifest) -> Result<Receipt, SendError> {
        self.sender.send(manifest.signal, load, None).await
    }
}

/// The nodes of a tier, each with a channel that is made when it is first needed and when the node has moved.
struct TierNodes<S> {
    tier: TierId,
    tls: TierTls,
    hop: Arc<Hop>,
    compression: Compression,
    senders: Mutex<BTreeMap<Arc<str>, (String, S)>>,
}

impl<S: Clone> TierNodes<S> {
    fn sender(&self, node: &Arc<str>, build: impl FnOnce(Exporter) -> S) -> Result<S, SendError> {
        let unreachable = |reason: &str| SendError::Unreachable { reason: Words::ours(reason) };
        let address = self.hop.address(node).ok_or_else(|| unreachable("the node has no known address"))?;
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, sender)) = senders.get(node)
            && *known == address
        {
            return Ok(sender.clone());
        }
        let exporter = self.exporter(node, &address).ok_or_else(|| unreachable("the node's address is not one"))?;
        let sender = build(exporter);
        senders.insert(Arc::clone(node), (address, sender.clone()));
        Ok(sender)
    }

    fn exporter(&self, node: &str, address: &str) -> Option<Exporter> {
        let node = NodeId::new(self.tier.region().clone(), self.tier.role(), node.parse().ok()?).ok()?;
        let address: HostPort = address.parse().ok()?;
        let peering = Peering::Tier { tls: self.tls.clone(), expected: Expected::Node(node) };
        let options = Options { headers: Headers::default(), compression: self.compression, timeout: TIER_TIMEOUT };
        Some(Exporter::grpc(Channel::new(address, peering), options))
    }
}
