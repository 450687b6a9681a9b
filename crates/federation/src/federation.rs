//! The federation: all regions and the links between them.
//!
//! Promises:
//! 1. It is whole: there is none while a region or a link has a fault.
//! 2. The digest changes with any document of the set, and with nothing else.
//!
//! Not here: how the documents are read (`draft.rs`).

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Faults, Set};

use crate::closure::Closure;
use crate::cluster::Cluster;
use crate::draft::FederationDraft;
use crate::link::{Link, LinkId};
use crate::name::Name;
use crate::node::{NodeId, Role, TierId};
use crate::origin::{Origin, Regime};
use crate::place::PlaceId;
use crate::region::Region;
use crate::signal::Signal;
use crate::tier::Tier;

/// All regions and the links between them.
#[derive(Debug)]
pub struct Federation {
    name: Name,
    trust_domain: String,
    digest: [u8; 32],
    regions: BTreeMap<Name, Region>,
    regimes: BTreeSet<Regime>,
    links: Vec<Link>,
    closure: Closure,
}

/// What a node is in the documents.
#[derive(Debug, Clone, Copy)]
pub enum NodeIn<'f> {
    /// A collector of a cluster.
    Collector {
        /// Its region.
        region: &'f Region,
        /// Its cluster.
        cluster: &'f Cluster,
    },
    /// A gateway of a region.
    Gateway {
        /// Its region.
        region: &'f Region,
        /// Its tier.
        tier: &'f Tier,
    },
    /// A node of a central tier.
    Central {
        /// Its region.
        region: &'f Region,
        /// Its tier.
        tier: &'f Tier,
    },
}

impl Federation {
    /// Reads `regions/`; `None` only if a fault was reported.
    pub fn read(set: &Set, faults: &Faults) -> Option<Self> {
        FederationDraft::read(set, faults).whole()
    }

    pub(crate) fn new(
        name: Name,
        trust_domain: String,
        digest: [u8; 32],
        regions: BTreeMap<Name, Region>,
        links: Vec<Link>,
    ) -> Self {
        let regimes = regions.values().map(|region| region.regime().clone()).collect();
        let closure = Closure::of(regions.values().map(Region::site), links.iter().map(|link| &link.edge));
        Self { name, trust_domain, digest, regions, regimes, links, closure }
    }

    /// The federation's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The trust domain of its identities.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The identity of the whole set: SHA-256 over name and canonical text of each document, in order of names.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The regions, by name.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.values()
    }

    /// The region of a name.
    pub fn region(&self, name: &str) -> Option<&Region> {
        self.regions.get(name)
    }

    /// The regimes that regions lie in.
    pub fn regimes(&self) -> &BTreeSet<Regime> {
        &self.regimes
    }

    /// The clusters of a region.
    pub fn clusters(&self, region: &str) -> impl Iterator<Item = &Cluster> {
        self.region(region).into_iter().flat_map(|region| region.clusters().values())
    }

    /// The gateways of a region or a central tier; collectors have no tier of this kind.
    pub fn tier(&self, id: &TierId) -> Option<&Tier> {
        self.region(id.region())?.tiers().find(|tier| tier.id() == id)
    }

    /// The central tier inside a region: its gateways send it their own collectors' traces without a link.
    pub fn home_central(&self, region: &str) -> Option<&Tier> {
        self.region(region)?.central()
    }

    /// The links, in the order of the documents.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The link of a number.
    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.iter().find(|link| link.id() == id)
    }

    /// The links that start in a region.
    pub fn links_from(&self, region: &str) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| *link.from() == region)
    }

    /// The links that lead to a tier.
    pub fn links_to(&self, tier: &TierId) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| matches!(link.to(), PlaceId::Tier(to) if to == tier))
    }

    /// The origins that can come over a link with any of its signals, each of one regime; none for an unknown link.
    pub fn origins_over(&self, link: LinkId) -> &BTreeSet<Origin> {
        static NONE: BTreeSet<Origin> = BTreeSet::new();
        self.closure.origins(link).unwrap_or(&NONE)
    }

    /// Whether data of this origin and signal can come over the link: what a receiver asks before it believes a manifest.
    pub fn lets_over(&self, link: LinkId, signal: Signal, origin: &Origin) -> bool {
        self.link(link).is_some_and(|link| self.closure.lets(&link.edge, signal, origin))
    }

    /// What a node is; `None` when the documents have no place for it.
    pub fn node(&self, id: &NodeId) -> Option<NodeIn<'_>> {
        let region = self.region(id.region())?;
        match id.role() {
            Role::Collector => {
                let cluster = region.clusters().get(id.cluster()?)?;
                Some(NodeIn::Collector { region, cluster })
            }
            Role::Gateway => {
                let tier = region.gateway();
                tier.has_node(id.node()).then_some(NodeIn::Gateway { region, tier })
            }
            Role::Central => {
                let tier = region.central()?;
                tier.has_node(id.node()).then_some(NodeIn::Central { region, tier })
            }
        }
    }
}
