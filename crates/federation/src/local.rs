//! The proof that a place lies inside the asking node's region and regime.
//!
//! Promises:
//! 1. Only a `Federation` makes a `LocalPlace`, and only for a place that no border separates from the node.
//!
//! Not here: the sender that takes nothing else (`tollgate_transport`).

use crate::federation::{Federation, NodeIn};
use crate::node::{NodeId, TierId};
use crate::place::PlaceId;

/// A place inside a node's own region and regime. Private fields: a call that would send unsealed data over a border
/// has no such value to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPlace {
    from: TierId,
    to: PlaceId,
}

impl LocalPlace {
    /// The tier that may send there unsealed.
    pub fn from(&self) -> &TierId {
        &self.from
    }

    /// The place.
    pub fn to(&self) -> &PlaceId {
        &self.to
    }
}

impl Federation {
    /// The gateways that a collector sends to.
    pub fn local_gateway(&self, node: &NodeId) -> Option<LocalPlace> {
        let NodeIn::Collector { region, cluster } = self.node(node)? else { return None };
        let to = PlaceId::Tier(region.gateway().id().clone());
        Some(LocalPlace { from: cluster.id().clone(), to })
    }

    /// The central tier of a gateway's own region, if there is one.
    pub fn local_central(&self, node: &NodeId) -> Option<LocalPlace> {
        let NodeIn::Gateway { region, tier } = self.node(node)? else { return None };
        let to = PlaceId::Tier(region.central()?.id().clone());
        Some(LocalPlace { from: tier.id().clone(), to })
    }

    /// A backend of the node's own tier that lies in its region's regime.
    pub fn local_backend(&self, node: &NodeId, name: &str) -> Option<LocalPlace> {
        let (NodeIn::Gateway { region, tier } | NodeIn::Central { region, tier }) = self.node(node)? else {
            return None;
        };
        let backend = tier.backend(name).filter(|backend| backend.regime() == region.regime())?;
        Some(LocalPlace { from: tier.id().clone(), to: PlaceId::Backend(backend.id().clone()) })
    }
}
