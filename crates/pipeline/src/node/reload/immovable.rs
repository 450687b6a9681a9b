//! What of the documents this node's running parts were built from: it changes only with a restart.
//!
//! Promises:
//! 1. Every such change is named with file, line, column and path; what concerns other nodes only is none.
//! 2. Catalogue, residency and sampling policy and what links carry under which instrument always change without one.

use std::time::Duration;

use tollgate_config::{At, Document};
use tollgate_federation::{Federation, Link, NodeId, NodeIn, PlaceId, Role, Tier, TierId};

use crate::documents::Documents;
use crate::node::ways::{Consumption, Out, Way, ways};

const FEDERATION: &str = "regions/federation.yaml";

/// Something that changed and cannot without a restart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{at}: {why}")]
pub(crate) struct Immovable {
    at: At,
    why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
enum Why {
    #[error("{0} changes only with a restart")]
    Built(&'static str),
    #[error("the way out to {0} opens, closes or changes only with a restart")]
    WayOut(String),
}

/// All of it, in the order of the documents.
pub(super) fn immovable(me: &NodeId, old: &Documents, new: &Documents) -> Vec<Immovable> {
    let mut found = Vec::new();
    for document in new.set.documents() {
        let differences = match old.set.get(document.name()) {
            Some(older) => document.differences(older),
            None => vec![At::document(document.name())],
        };
        let built = |at: At| Some(Immovable { why: Why::Built(part(me, old, &at)?), at });
        found.extend(differences.into_iter().filter_map(built));
    }
    let gone = |document: &&Document| new.set.get(document.name()).is_none();
    let gone = old.set.documents().filter(gone).map(|document| At::document(document.name()));
    found.extend(gone.filter_map(|at| Some(Immovable { why: Why::Built(part(me, old, &at)?), at })));
    found.extend(ways_out(me, &old.federation, &new.federation));
    found.sort();
    found.dedup();
    found
}

/// What was built from a place in the documents, if anything was.
fn part(me: &NodeId, old: &Documents, at: &At) -> Option<&'static str> {
    let below = |path: &str| below(&at.path, path);
    let region = at.file.strip_prefix("regions/").and_then(|file| file.strip_suffix(".yaml"));
    match (&*at.file, region) {
        (FEDERATION, _) if below("federation") => Some("the trust between nodes"),
        (FEDERATION, _) | (_, None) => None,
        (_, Some(_)) if at.path.is_empty() => Some("which regions there are to trust"),
        (_, Some(_)) if below("trust") || below("region") => Some("the trust in a region"),
        (_, Some(region)) if me.region() == region => own(me, &at.path),
        (_, Some(region)) => ["gateway", "central"]
            .iter()
            .any(|tier| below(tier) && leads_to(&old.federation, me, region, tier))
            .then_some("how a tier that this node sends to is found"),
    }
}

/// What a node was built from in the document of its own region.
fn own(me: &NodeId, path: &str) -> Option<&'static str> {
    if below(path, "regime") {
        return Some("the origin of this region's data");
    }
    let is_built = match me.role() {
        Role::Collector => {
            let own = me.cluster().is_some_and(|cluster| below(path, &format!("clusters.{cluster}")));
            own || path == "clusters" || below(path, "gateway")
        }
        Role::Gateway => ["gateway", "central", "backends"].iter().any(|part| below(path, part)),
        Role::Central => below(path, "central"),
    };
    is_built.then_some("what this node listens on, sends to and does with what comes in")
}

/// Whether a path is this one or leads further down from it.
fn below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn leads_to(federation: &Federation, me: &NodeId, region: &str, role: &str) -> bool {
    let is_there = |tier: &TierId| *tier.region() == *region && tier.role().as_str() == role;
    let mut links = federation.links_from(me.region()).filter(|link| *link.source() == me.tier());
    links.any(|link| matches!(link.to(), PlaceId::Tier(tier) if is_there(tier)))
}

/// The consumers of a node's logs are opened with them, and a link's door is built with what the link says of it.
fn ways_out(me: &NodeId, old: &Federation, new: &Federation) -> Vec<Immovable> {
    let described = |federation: &Federation| -> Vec<_> {
        let ways = ways(federation, me).into_iter();
        ways.map(|way| {
            let link = link_of(&way).and_then(|link| federation.link(link));
            let at = link.map_or_else(|| At::document(FEDERATION), |link| link.at().clone());
            let (is_link, waits) = (matches!(way.way, Way::Out(Out::Link(_))), waits(federation, me, &way.way, link));
            ((way.log, way.name, (is_link, waits), link.map(|link| (link.compression(), link.thinning()))), at)
        })
        .collect()
    };
    let (old, new) = (described(old), described(new));
    let only = |one: &[(_, At)], other: &[(_, At)]| -> Vec<_> {
        let others = |what: &_| other.iter().any(|(there, _)| there == what);
        let alone = one.iter().filter(|(what, _): &&((_, String, _, _), At)| !others(what));
        alone.map(|((_, name, ..), at)| Immovable { at: at.clone(), why: Why::WayOut(name.clone()) }).collect()
    };
    let mut found = only(&new, &old);
    // What is gone stands nowhere in the new documents.
    let gone = only(&old, &new).into_iter().map(|gone| Immovable { at: At::document(FEDERATION), ..gone });
    found.extend(gone.filter(|gone| !found.iter().any(|there| there.why == gone.why)).collect::<Vec<_>>());
    found
}

/// How long spans wait for one of the next tier that is away: longer where it samples than where it passes on.
fn waits(federation: &Federation, me: &NodeId, way: &Way, link: Option<&Link>) -> Option<Duration> {
    let tier = match (way, link.map(Link::to)) {
        (_, Some(PlaceId::Tier(tier))) => federation.tier(tier),
        (Way::Out(Out::Gateway), _) => match federation.node(me)? {
            NodeIn::Collector { region, .. } => Some(region.gateway()),
            _ => None,
        },
        _ => None,
    };
    tier.map(Tier::handover_after)
}

fn link_of(way: &Consumption) -> Option<tollgate_federation::LinkId> {
    match way.way {
        Way::Out(Out::Link(link)) => Some(link),
        _ => None,
    }
}
