//! Which ways lead out of a node: one consumer for each place that its logs go to. The only file that decides it.

use tollgate_federation::{
    Backend, BackendId, Federation, Link, LinkId, NodeId, NodeIn, PlaceId, Region, Role, Signal, Tier,
};

/// One way out of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a collector to the gateways of its region.
    Gateway,
    /// From a gateway to a central tier in its own region.
    HomeCentral,
    /// Over a link.
    Link(LinkId),
    /// To a backend inside the region.
    Backend(BackendId),
    /// Into tail sampling; what is kept goes on from the log of kept spans.
    Sampler,
}

/// Which log a consumer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// What was received of a signal.
    Received(Signal),
    /// Spans of kept traces, at central.
    Kept,
}

/// One consumer of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consumption {
    pub(crate) log: Log,
    pub(crate) way: Way,
    /// Unique within its log, and stable: the cursors on the disk are kept under it.
    pub(crate) name: String,
}

/// Every way out of the node, or none if the documents have no place for it.
pub(crate) fn ways(federation: &Federation, node: &NodeId) -> Vec<Consumption> {
    match federation.node(node) {
        None => Vec::new(),
        Some(NodeIn::Collector { .. }) => of_collector(),
        Some(NodeIn::Gateway { region, tier }) => of_gateway(federation, region, tier),
        Some(NodeIn::Central { region, tier }) => of_central(federation, region, tier),
    }
}

/// The ways out of each kind of node that a region has: its role, what to call it, its consumers.
pub(crate) fn ways_of_tier(federation: &Federation, region: &Region) -> Vec<(Role, String, Vec<Consumption>)> {
    let name = region.name();
    let mut tiers = vec![
        (Role::Collector, format!("{name}/collector"), of_collector()),
        (Role::Gateway, format!("{name}/gateway"), of_gateway(federation, region, region.gateway())),
    ];
    let central = region.central().map(|tier| of_central(federation, region, tier));
    tiers.extend(central.map(|ways| (Role::Central, format!("{name}/central"), ways)));
    tiers
}

fn of_collector() -> Vec<Consumption> {
    Signal::ALL.map(|signal| consumption(Log::Received(signal), Way::Gateway, "gateway".to_owned())).into()
}

fn of_gateway(federation: &Federation, region: &Region, tier: &Tier) -> Vec<Consumption> {
    let mut ways = backends(tier, federation, Log::Received);
    if region.central().is_some() {
        ways.push(consumption(Log::Received(Signal::Traces), Way::HomeCentral, "central".to_owned()));
    }
    ways.extend(federation.links_from(region.name()).filter(|link| link.source() == tier.id()).flat_map(over_link));
    ways
}

fn of_central(federation: &Federation, region: &Region, tier: &Tier) -> Vec<Consumption> {
    let log = |signal| if signal == Signal::Traces { Log::Kept } else { Log::Received(signal) };
    let mut ways = backends(tier, federation, log);
    ways.push(consumption(Log::Received(Signal::Traces), Way::Sampler, "sampler".to_owned()));
    // What central sends on, to a backend under another regime for example, is what it kept.
    let kept = |mut way: Consumption| {
        if way.log == Log::Received(Signal::Traces) {
            way.log = Log::Kept;
        }
        way
    };
    let links = federation.links_from(region.name()).filter(|link| link.source() == tier.id());
    ways.extend(links.flat_map(over_link).map(kept));
    ways
}

fn consumption(log: Log, way: Way, name: String) -> Consumption {
    Consumption { log, way, name }
}

fn over_link(link: &Link) -> Vec<Consumption> {
    let name = format!("link/{}", link.to());
    let signals = Signal::ALL.into_iter().filter(|signal| link.signals().contains(*signal));
    signals.map(|signal| consumption(Log::Received(signal), Way::Link(link.id()), name.clone())).collect()
}

/// Backends in the tier's own regime; one in another regime is reached over its link only.
fn backends(tier: &Tier, federation: &Federation, log: impl Fn(Signal) -> Log) -> Vec<Consumption> {
    let linked = |backend: &&Backend| {
        let leads_there = |link: &Link| matches!(link.to(), PlaceId::Backend(id) if id == backend.id());
        !federation.links().iter().any(leads_there)
    };
    let of_backend = |backend: &Backend| {
        let (id, signals) = (backend.id().clone(), backend.signals());
        let on = Signal::ALL.into_iter().filter(move |signal| signals.contains(*signal));
        on.map(|signal| consumption(log(signal), Way::Backend(id.clone()), format!("backend/{}", id.name())))
            .collect::<Vec<_>>()
    };
    tier.backends().iter().filter(linked).flat_map(of_backend).collect()
}
