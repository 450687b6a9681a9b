//! Who may send to whom.
//!
//! Promises:
//! 1. The answer follows from the two identities and the documents; nothing that a peer sends can change it.
//! 2. A refusal names both nodes, so that whoever reads it sees which side is wrong.

use crate::federation::{Federation, NodeIn};
use crate::link::LinkId;
use crate::name::Name;
use crate::node::{NodeId, TierId};
use crate::place::PlaceId;
use crate::region::Region;

/// Why a peer may send to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// It is a collector of the receiver's region.
    OwnCollector {
        /// Its cluster.
        cluster: Name,
    },
    /// It is a gateway of the region that the receiving central tier lies in.
    OwnGateway,
    /// A link leads from its region to the receiver's tier.
    Link(LinkId),
}

/// The documents do not let the peer send to the receiver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{receiver} does not admit {peer}: {why}")]
pub struct NotAdmitted {
    /// Who was asked.
    pub receiver: Box<NodeId>,
    /// Who asked.
    pub peer: Box<NodeId>,
    /// What is missing in the documents.
    pub why: NoWay,
}

/// Why no way leads from a peer to a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// One of them has no place there.
    #[error("one of them is not a node of the documents")]
    Unknown,
    /// Both have one, and neither a region's own path nor a link joins them.
    #[error("it is no node of this region's own path, and no link leads from it to here")]
    NoLink,
}

impl Federation {
    /// Why `peer` may send to `receiver`.
    ///
    /// # Errors
    /// When it may not, or when one of them is no node of these documents.
    pub fn admits(&self, receiver: &NodeId, peer: &NodeId) -> Result<Via, NotAdmitted> {
        let not = |why| NotAdmitted { receiver: Box::new(receiver.clone()), peer: Box::new(peer.clone()), why };
        let (to, from) = self.node(receiver).zip(self.node(peer)).ok_or_else(|| not(NoWay::Unknown))?;
        let refused = || not(NoWay::NoLink);
        let inside = receiver.region() == peer.region();
        match (to, from) {
            (NodeIn::Gateway { .. }, NodeIn::Collector { cluster, .. }) if inside => {
                Ok(Via::OwnCollector { cluster: cluster.name().clone() })
            }
            (NodeIn::Central { .. }, NodeIn::Gateway { .. }) if inside => Ok(Via::OwnGateway),
            (NodeIn::Gateway { tier, .. } | NodeIn::Central { tier, .. }, NodeIn::Gateway { region, .. }) => {
                self.link_between(region, tier.id()).map(Via::Link).ok_or_else(refused)
            }
            _ => Err(refused()),
        }
    }

    fn link_between(&self, from: &Region, to: &TierId) -> Option<LinkId> {
        let leads = |to: &TierId, place: &PlaceId| matches!(place, PlaceId::Tier(tier) if tier == to);
        self.links_from(from.name()).find(|link| leads(to, link.to())).map(|link| link.id())
    }
}
