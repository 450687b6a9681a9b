//! Finds the members of the next tier: as the documents list them, or by DNS and the certificates that answer.
//!
//! Promises:
//! 1. A node's name comes from its certificate, never from DNS: an address is only a place to ask.
//! 2. A lookup that fails, or an address that does not answer, takes nobody out of the tier.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tollgate_federation::{NodeId, Nodes, Tier, TierId};
use tollgate_routing::Seen;
use tollgate_runtime::Shutdown;
use tollgate_transport::{Answer, Dns, Expected, ResolveError, TierTls};

use crate::send::hop::Hop;

/// Bounds of how long an answer is believed.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Whom a finder asks.
pub(crate) trait Ask: Send + Sync + 'static {
    /// What a name stands for now.
    fn addresses(&self, name: &str, port: u16) -> impl Future<Output = Result<Answer, ResolveError>> + Send;

    /// Which member of the tier answers there, if any.
    fn member(&self, tier: &TierId, address: SocketAddr) -> impl Future<Output = Option<NodeId>> + Send;
}

/// The real network.
pub(crate) struct Network {
    pub(crate) tls: TierTls,
    pub(crate) dns: Option<Dns>,
}

impl Ask for Network {
    async fn addresses(&self, name: &str, port: u16) -> Result<Answer, ResolveError> {
        match &self.dns {
            Some(dns) => dns.lookup(name, port).await,
            None => Err(ResolveError::Failed("this machine has no resolver configuration".to_owned())),
        }
    }

    async fn member(&self, tier: &TierId, address: SocketAddr) -> Option<NodeId> {
        let answered = self.tls.peer_identity(address, &Expected::Tier(tier.clone())).await;
        let unknown = |error: &_| tracing::debug!(%tier, %address, %error, "a resolved address is no member");
        answered.inspect_err(unknown).ok()
    }
}

/// Keeps the members of a hop up to date.
pub(crate) struct Finder<A> {
    pub(crate) tier: Tier,
    pub(crate) ask: A,
    pub(crate) hop: Arc<Hop>,
}

impl<A: Ask> Finder<A> {
    /// Looks until the process stops; once is enough for members that the documents list.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut known = BTreeMap::new();
        loop {
            let (seen, again) = match self.tier.nodes() {
                Nodes::Static(nodes) => {
                    let nodes = nodes.iter().map(|node| (node.name.to_string(), node.address.to_string()));
                    (Seen::Nodes(nodes.collect()), None)
                }
                Nodes::Dns { name } => {
                    let (seen, ttl) = tokio::select! {
                        // Cancel safe: a lookup that is not finished has told nothing.
                        () = shutdown.started() => return,
                        looked_up = self.look_up(name.as_str(), &mut known) => looked_up,
                    };
                    (seen, Some(ttl.clamp(SHORTEST, LONGEST)))
                }
            };
            self.hop.observe(seen);
            match again {
                Some(again) if shutdown.sleep(again).await => {}
                _ => return,
            }
        }
    }

    async fn look_up(&self, name: &str, known: &mut BTreeMap<SocketAddr, NodeId>) -> (Seen, Duration) {
        match self.ask.addresses(name, self.tier.port()).await {
            Ok(answer) if answer.addresses.is_empty() => (Seen::Empty, answer.ttl),
            Ok(answer) => {
                let unknown = self.identify(&answer.addresses, known).await;
                known.retain(|address, _| answer.addresses.contains(address));
                // Who does not answer now is asked again soon, so that a starting node does not wait for the record's end.
                let ttl = if unknown { SHORTEST } else { answer.ttl };
                let nodes: BTreeMap<_, _> =
                    known.iter().map(|(address, node)| (node.node().to_string(), address.to_string())).collect();
                (if nodes.is_empty() { Seen::Failed } else { Seen::Nodes(nodes) }, ttl)
            }
            // A headless service without any pod may have no name at all.
            Err(ResolveError::NoSuchName) => (Seen::Empty, SHORTEST),
            Err(error) => {
                tracing::warn!(tier = %self.tier.id(), %error, "cannot resolve; the last known members stay");
                (Seen::Failed, SHORTEST)
            }
        }
    }

    /// Asks every address for its certificate, because an address may have passed to another node; one that does not
    /// answer keeps the name it had. Whether some have none.
    async fn identify(&self, addresses: &[SocketAddr], known: &mut BTreeMap<SocketAddr, NodeId>) -> bool {
        for &address in addresses {
            if let Some(node) = self.ask.member(self.tier.id(), address).await {
                known.insert(address, node);
            }
        }
        addresses.iter().any(|address| !known.contains_key(address))
    }
}

#[cfg(test)]
mod tests;
