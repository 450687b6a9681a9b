//! Which ways lead out of a node: one consumer for each place that its logs go to. The only file that decides it.

use tollgate_federation::{
    Backend, BackendId, Federation, Link, LinkId, NodeId, NodeIn, PlaceId, Region, Role, Signal, Tier, Traces,
};

/// What a consumer does with what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It leaves the node.
    Out(Out),
    /// Into tail sampling; what is kept goes on from the log of kept spans.
    Sampler,
}

/// One way out of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Out {
    /// From a collector to the gateways of its region.
    Gateway,
    /// From a gateway to a central tier in its own region.
    HomeCentral,
    /// Over a link.
    Link(LinkId),
    /// To a backend inside the region.
    Backend(BackendId),
}

/// Which log a consumer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// What was received of a signal.
    Received(Signal),
    /// Spans of kept traces, where a node samples.
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
    Signal::ALL.map(|signal| consumption(Log::Received(signal), Way::Out(Out::Gateway), "gateway".to_owned())).into()
}

fn of_gateway(federation: &Federation, region: &Region, tier: &Tier) -> Vec<Consumption> {
    let mut ways = backends(tier, federation, |backend, signal| match (backend.traces(), signal) {
        (Traces::Kept, Signal::Traces) => Log::Kept,
        _ => Log::Received(signal),
    });
    if region.central().is_some() {
        ways.push(consumption(Log::Received(Signal::Traces), Way::Out(Out::HomeCentral), "central".to_owned()));
    }
    for link in federation.links_from(region.name()).filter(|link| link.source() == tier.id()) {
        let samples = matches!(link.to(), PlaceId::Backend(id) if takes_kept(tier, id));
        ways.extend(over_link(link).into_iter().map(|way| if samples { kept(way) } else { way }));
    }
    if ways.iter().any(|way| way.log == Log::Kept) {
        ways.push(sampler());
    }
    ways
}

/// Whether a backend of the tier gets only what the tier keeps itself.
fn takes_kept(tier: &Tier, backend: &BackendId) -> bool {
    backend.tier() == tier.id() && tier.backend(backend.name().as_str()).is_some_and(|one| one.traces() == Traces::Kept)
}

fn sampler() -> Consumption {
    consumption(Log::Received(Signal::Traces), Way::Sampler, "sampler".to_owned())
}

/// The same way, for the spans of kept traces instead of all.
fn kept(mut way: Consumption) -> Consumption {
    if way.log == Log::Received(Signal::Traces) {
        way.log = Log::Kept;
    }
    way
}

fn of_central(federation: &Federation, region: &Region, tier: &Tier) -> Vec<Consumption> {
    let log = |_: &Backend, signal| if signal == Signal::Traces { Log::Kept } else { Log::Received(signal) };
    let mut ways = backends(tier, federation, log);
    ways.push(sampler());
    // What central sends on, to a backend under another regime for example, is what it kept.
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
    signals.map(|signal| consumption(Log::Received(signal), Way::Out(Out::Link(link.id())), name.clone())).collect()
}

/// Backends in the tier's own regime; one in another regime is reached over its link only.
fn backends(tier: &Tier, federation: &Federation, log: impl Fn(&Backend, Signal) -> Log) -> Vec<Consumption> {
    let linked = |backend: &&Backend| {
        let leads_there = |link: &Link| matches!(link.to(), PlaceId::Backend(id) if id == backend.id());
        !federation.links().iter().any(leads_there)
    };
    let of_backend = |backend: &Backend| {
        let (id, signals) = (backend.id().clone(), backend.signals());
        let on = Signal::ALL.into_iter().filter(move |signal| signals.contains(*signal));
        on.map(|signal| {
            consumption(log(backend, signal), Way::Out(Out::Backend(id.clone())), format!("backend/{}", id.name()))
        })
        .collect::<Vec<_>>()
    };
    tier.backends().iter().filter(linked).flat_map(of_backend).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rig::{self, node};

    fn named(federation: &Federation, me: &str) -> Vec<(Log, String)> {
        ways(federation, &node(me)).into_iter().map(|way| (way.log, way.name)).collect()
    }

    const TRACES: Log = Log::Received(Signal::Traces);

    /// Cursors on the disk are kept under these names: another name is another consumer, which starts from the oldest.
    #[test]
    fn names_are_what_they_always_were() {
        let federation = &rig::documents().federation;
        let of_signals = |name: &str| Signal::ALL.map(|signal| (Log::Received(signal), name.to_owned())).to_vec();
        assert_eq!(named(federation, "eu-west/collector/eu-west-a-0"), of_signals("gateway"));
        let links = ["link/us-east/central", "link/uk-south/gateway"].map(|name| (TRACES, name.to_owned()));
        assert_eq!(named(federation, "eu-west/gateway/0"), [of_signals("backend/embedded"), links.to_vec()].concat());
        let central = [(TRACES, "central".to_owned())];
        assert_eq!(named(federation, "us-east/gateway/0"), [of_signals("backend/embedded"), central.to_vec()].concat());
    }

    #[test]
    fn central_delivers_what_it_kept() {
        let ways = ways(&rig::documents().federation, &node("us-east/central/0"));
        let of_traces = |way: &&Consumption| way.log == TRACES;
        assert_eq!(ways.iter().filter(of_traces).map(|way| &way.way).collect::<Vec<_>>(), [&Way::Sampler]);
        assert!(ways.iter().any(|way| way.log == Log::Kept && matches!(way.way, Way::Out(Out::Backend(_)))));
    }

    /// Guarantees: a gateway that samples for one backend sends everything to everyone else, over links too.
    #[test]
    fn a_gateway_samples_for_the_backends_that_ask_for_it() {
        let (_dir, documents) = rig::edited(|name, text| match name {
            "regions/eu-west.yaml" => format!(
                "{text}backends:\n  few: {{otlp_grpc: few.example:4317, signals: [traces], sampled: true}}\n  \
                 all: {{otlp_grpc: all.example:4317, signals: [traces]}}\n"
            ),
            _ => text,
        });
        let mut of_traces = named(&documents.federation, "eu-west/gateway/0");
        of_traces.retain(|(log, _)| matches!(log, Log::Received(Signal::Traces) | Log::Kept));
        let expected = [
            (TRACES, "backend/all"),
            (Log::Kept, "backend/few"),
            (TRACES, "link/us-east/central"),
            (TRACES, "link/uk-south/gateway"),
            (TRACES, "sampler"),
        ];
        assert_eq!(of_traces, expected.map(|(log, name)| (log, name.to_owned())));
    }

    /// A vendor under another regime, at a gateway and at a central tier.
    fn with_vendors() -> (tempfile::TempDir, std::sync::Arc<crate::documents::Documents>) {
        let vendor = "{otlp_http: https://otlp.vendor.example, signals: [traces], regime: VENDOR, entity: Vendor Inc}";
        rig::edited(|name, text| match name {
            "regions/eu-west.yaml" => format!("{text}backends:\n  far: {}\n", vendor.replace("VENDOR", "US")),
            "regions/us-east.yaml" => {
                let far = vendor.replace("VENDOR", "UK");
                text.replace("handover_after: 60s}", &format!("handover_after: 60s, backends: {{far: {far}}}}}"))
            }
            "regions/federation.yaml" => format!(
                "{text}  - {{from: eu-west, to: eu-west/backend/far, carries: [EEA], signals: [traces], instruments: {{EEA: dpf}}}}\n  \
                 - {{from: us-east, to: us-east/backend/far, carries: [US], signals: [traces], instruments: {{US: us-uk}}}}\n"
            ),
            "policies/residency.yaml" => {
                text.replace("recipients: [Acme Inc]", "recipients: [Acme Inc, Vendor Inc]").replace(
                    "instruments:\n",
                    "instruments:\n  us-uk: {from: US, to: UK, basis: 28-CFR-202-601, valid_until: 2031-01-01}\n",
                )
            }
            _ => text,
        })
    }

    #[test]
    fn a_backend_under_another_regime_is_reached_over_its_link_only() {
        let (_dir, documents) = with_vendors();
        for (me, log) in [("eu-west/gateway/0", TRACES), ("us-east/central/0", Log::Kept)] {
            let ways = ways(&documents.federation, &node(me));
            let far: Vec<_> = ways.iter().filter(|way| way.name.contains("far")).collect();
            assert!(
                matches!(far.as_slice(), [one] if one.log == log && matches!(one.way, Way::Out(Out::Link(_)))),
                "{far:?}"
            );
        }
    }

    #[test]
    fn names_are_unique_in_their_log() {
        let (_dir, documents) = with_vendors();
        for region in documents.federation.regions() {
            for (_, tier, ways) in ways_of_tier(&documents.federation, region) {
                let names: BTreeSet<_> = ways.iter().map(|way| (format!("{:?}", way.log), &way.name)).collect();
                assert_eq!(names.len(), ways.len(), "{tier}");
            }
        }
    }

    #[test]
    fn a_node_that_the_documents_do_not_know_has_no_way_out() {
        assert_eq!(named(&rig::documents().federation, "atlantis/gateway/0"), []);
    }
}
