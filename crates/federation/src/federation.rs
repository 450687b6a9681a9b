//! The federation: all regions and the links between them, read from the documents.
//!
//! Promises:
//! 1. `read` reports every fault of `regions/` in one pass and leaves out what is faulty, so that the readers of other
//!    documents can find theirs in the same pass. The result is in force only if the list of faults stays empty.
//! 2. Two regions never share a CA bundle: no region's authority can speak for another.
//! 3. The digest changes with any document of the set, and with nothing else.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use tollgate_config::{At, Faults, Set, Value};

use crate::address::Host;
use crate::closure::Closure;
use crate::cluster::Cluster;
use crate::connect::{Drafts, connect};
use crate::link::{Link, LinkDraft, LinkId};
use crate::name::Name;
use crate::node::{NodeId, Role, TierId};
use crate::origin::{Origin, Regime};
use crate::place::PlaceId;
use crate::region::{Region, RegionDraft};
use crate::signal::Signal;
use crate::tier::Tier;

const DOCUMENT: &str = "regions/federation.yaml";
/// What the number of a link can say.
const MAX_LINKS: usize = 1 << 16;

/// All regions and the links between them.
#[derive(Debug)]
pub struct Federation {
    name: String,
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
    /// Reads `regions/`; `None` when not even the federation's own document could be read.
    pub fn read(set: &Set, faults: &Faults) -> Option<Self> {
        let head = set.require(DOCUMENT, faults).and_then(|document| Head::read(document.root(faults)));
        let drafts = read_regions(set, faults);
        refuse_shared_trust(&drafts, faults);
        let Head { name, trust_domain, links } = head?;
        let links = connect(links, &drafts, faults);
        let regimes = drafts.values().filter_map(|draft| draft.regime.clone()).collect();
        let regions: BTreeMap<Name, Region> =
            drafts.into_iter().filter_map(|(name, draft)| Some((name, draft.region?))).collect();
        let closure = Closure::of(regions.values(), &links);
        let (name, trust_domain) = (name?, trust_domain?);
        Some(Self { name, trust_domain, digest: digest(set), regions, regimes, links, closure })
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
        self.link(link).is_some_and(|link| self.closure.lets(link, signal, origin))
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

/// The federation's own document.
struct Head {
    name: Option<String>,
    trust_domain: Option<String>,
    links: Vec<Option<LinkDraft>>,
}

impl Head {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let (name, trust_domain) = fields.required_value("federation").map_or((None, None), read_identity);
        let listed = fields.value("links");
        let links = listed.and_then(Value::items).unwrap_or_default();
        if let Some(listed) = listed.filter(|_| links.len() > MAX_LINKS) {
            listed.fault(format_args!("more than {MAX_LINKS} links"));
        }
        let links = links.into_iter().map(LinkDraft::read).collect();
        fields.done();
        Some(Self { name, trust_domain, links })
    }
}

fn read_identity(value: Value<'_>) -> (Option<String>, Option<String>) {
    let Some(mut fields) = value.fields() else { return (None, None) };
    let name = fields.required::<Name>("name").map(|name| name.to_string());
    let domain = fields.required_value("trust_domain").and_then(read_trust_domain);
    fields.done();
    (name, domain)
}

/// The characters of a SPIFFE trust domain (SPIFFE-ID section 2.1) that are also those of a host name.
fn read_trust_domain(value: Value<'_>) -> Option<String> {
    let host: Host = value.read()?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    if host.as_str().bytes().all(allowed) {
        return Some(host.as_str().to_owned());
    }
    value.fault("a trust domain consists of a-z, 0-9, '-' and '.'");
    None
}

fn read_regions(set: &Set, faults: &Faults) -> Drafts {
    let mut regions = Drafts::new();
    for document in set.documents().filter(|document| document.name() != DOCUMENT) {
        let Some(stem) = document.name().strip_prefix("regions/").and_then(|file| file.strip_suffix(".yaml")) else {
            continue;
        };
        match stem.parse::<Name>() {
            Ok(name) => drop(regions.insert(name.clone(), RegionDraft::read(name, document, faults))),
            Err(error) => faults
                .report(&At::document(document.name()), format_args!("the file is named after its region: {error}")),
        }
    }
    regions
}

fn refuse_shared_trust(drafts: &Drafts, faults: &Faults) {
    let mut seen = BTreeMap::new();
    for (name, ca) in drafts.iter().filter_map(|(name, draft)| Some((name, draft.ca.as_ref()?))) {
        match seen.get(&ca.value) {
            Some(other) => {
                faults.report(&ca.at, format_args!("the ca of {other}: only its own ca speaks for a region"))
            }
            None => drop(seen.insert(&ca.value, name)),
        }
    }
}

/// Lengths come first, so that no two sets have the same bytes.
fn digest(set: &Set) -> [u8; 32] {
    let mut hash = Sha256::new();
    for document in set.documents() {
        for part in [document.name(), &document.canonical()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize().into()
}
