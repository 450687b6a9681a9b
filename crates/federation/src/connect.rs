//! Connects the links of the documents with the regions, and judges them.
//!
//! Promises:
//! 1. A link leads from a region that exists to a place that exists; there is one link for each pair.
//! 2. A link that could never carry what it names is a fault, whichever path the data would have to take.
//! 3. A backend in another regime than its region is a fault unless a link leads to it.
//! 4. What a fault leaves unknown raises no second fault, and what is known is judged whatever else is wrong.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Faults, Located};

use crate::backend::{BackendDraft, EMBEDDED};
use crate::closure::{Closure, Site};
use crate::draft::Reliance;
use crate::link::{Edge, Link, LinkDraft, Target, TargetKind};
use crate::name::Name;
use crate::node::TierId;
use crate::origin::Regime;
use crate::partly::Partly;
use crate::place::PlaceId;
use crate::region::{Inventory, RegionDraft};

pub(crate) type Drafts = BTreeMap<Name, RegionDraft>;

/// What the links of the documents come to.
pub(crate) struct Connected {
    /// All of them, unless one has a fault.
    pub(crate) links: Option<Vec<Link>>,
    /// What each link says of instruments, whatever else is wrong with it.
    pub(crate) reliances: Vec<Reliance>,
}

/// Where a link leads, as far as the regions say.
struct End {
    source: Option<TierId>,
    to: PlaceId,
    regime: Option<Regime>,
    entity: Option<String>,
}

/// Connects all links.
pub(crate) fn connect(listed: Partly<Vec<LinkDraft>>, regions: &Drafts, faults: &Faults) -> Connected {
    refuse_duplicates(&listed.read, faults);
    refuse_undeclared(&listed, regions, faults);
    let regimes = regions.values().map(|draft| draft.regime.as_ref().map(|regime| &regime.value));
    // A region whose regime could not be read may be of any.
    let regimes: Option<BTreeSet<&Regime>> = regimes.collect();
    let joined = listed.read.into_iter().map(|draft| {
        refuse_unknown(&draft.carries.read, regimes.as_ref(), faults);
        let from = draft.from.as_ref().and_then(|from| known_region(from, regions, faults));
        let end = draft.to.as_ref().and_then(|to| find_end(from, to, regions, faults));
        (draft, end)
    });
    let joined: Vec<(LinkDraft, Option<End>)> = joined.collect();
    let exporters: Vec<Option<String>> = joined.iter().map(|(draft, _)| exporter(draft, regions)).collect();
    let ends = joined.iter().zip(&exporters);
    let reliances =
        ends.flat_map(|((draft, end), exporter)| reliances(draft, exporter.as_ref(), end.as_ref())).collect();
    let edges = joined.iter().map(|(draft, end)| edge(draft, end.as_ref()?)).collect::<Option<Vec<Edge>>>();
    // Where something is missing, what it would have brought is missing too: that is one fault, not two.
    let edges = edges.filter(|_| listed.complete);
    if let Some(edges) = &edges {
        refuse_unreachable(regions, edges, faults);
    }
    let links = edges.and_then(|edges| {
        let joined = joined.into_iter().zip(exporters).zip(edges);
        joined.map(|(((draft, end), exporter), edge)| link(draft, exporter?, end?, edge)).collect()
    });
    Connected { links, reliances }
}

/// The legal entity of the region that a link starts in.
fn exporter(draft: &LinkDraft, regions: &Drafts) -> Option<String> {
    regions.get(&draft.from.as_ref()?.value)?.entity.clone()
}

fn reliances(draft: &LinkDraft, exporter: Option<&String>, end: Option<&End>) -> impl Iterator<Item = Reliance> {
    draft.instruments.read.iter().map(move |(regime, name)| Reliance {
        origin: regime.clone(),
        instrument: name.clone(),
        reaching: end.and_then(|end| end.regime.clone()),
        exporter: exporter.cloned(),
        recipient: end.and_then(|end| end.entity.clone()),
    })
}

fn edge(draft: &LinkDraft, end: &End) -> Option<Edge> {
    let carries = draft.carries.complete.then(|| draft.carries.read.clone());
    Some(Edge {
        id: draft.id,
        source: end.source.clone()?,
        to: end.to.clone(),
        carries: carries?,
        signals: draft.signals?,
    })
}

fn link(draft: LinkDraft, exporter: String, end: End, edge: Edge) -> Option<Link> {
    let instruments = draft.instruments.whole()?.into_iter().map(|(regime, name)| (regime, name.value)).collect();
    let (regime, entity, compression, thin) = (end.regime?, end.entity?, draft.compression?, draft.thin.whole()?);
    Some(Link { edge, regime, exporter, entity, compression, thin, instruments, at: draft.at })
}

fn known_region<'l>(from: &'l Located<Name>, regions: &Drafts, faults: &Faults) -> Option<&'l Name> {
    if regions.contains_key(&from.value) {
        return Some(&from.value);
    }
    faults.report(&from.at, format_args!("no region is named {}", from.value));
    None
}

fn find_end(from: Option<&Name>, to: &Located<Target>, regions: &Drafts, faults: &Faults) -> Option<End> {
    let Target { region: name, kind } = &to.value;
    let same = from == Some(name);
    let refusal = match (regions.get(name), kind) {
        (None, _) => format!("no region is named {name}"),
        (Some(_), TargetKind::Gateway | TargetKind::Central) if same => {
            "inside a region nothing needs a link".to_owned()
        }
        (Some(_), TargetKind::Backend(_)) if from.is_some() && !same => {
            format!("a link to a backend starts in the backend's own region, {name}")
        }
        (Some(region), kind) => match find_place(from, name, region, kind) {
            Ok(end) => return end,
            Err(refusal) => refusal,
        },
    };
    faults.report(&to.at, refusal);
    None
}

/// The place in its region; `None` where the region's own faults leave open whether it is there.
fn find_place(
    from: Option<&Name>,
    name: &Name,
    region: &RegionDraft,
    kind: &TargetKind,
) -> Result<Option<End>, String> {
    let regime = region.regime.as_ref().map(|regime| regime.value.clone());
    let source = from.cloned().map(TierId::gateway);
    let tier = |to: TierId| End { source, to: PlaceId::Tier(to), regime, entity: region.entity.clone() };
    match (kind, &region.inventory) {
        (TargetKind::Gateway, _) => Ok(Some(tier(TierId::gateway(name.clone())))),
        (_, None) => Ok(None),
        (TargetKind::Central, Some(inventory)) => match &inventory.central {
            Some(central) => Ok(Some(tier(central.clone()))),
            None => Err(format!("{name} has no central tier")),
        },
        (TargetKind::Backend(backend), Some(inventory)) => find_backend(name, region, inventory, backend),
    }
}

fn find_backend(region: &Name, draft: &RegionDraft, inventory: &Inventory, name: &Name) -> Result<Option<End>, String> {
    const OWN: &str = "the backend lies in its region's own regime and needs no link";
    if *name == *EMBEDDED {
        return Err(OWN.to_owned());
    }
    let named = |backend: &&BackendDraft| backend.id.name() == name;
    let Some(backend) = inventory.backends.read.iter().find(named) else {
        let missing = format!("{region} has no backend named {name}");
        return if inventory.backends.complete { Err(missing) } else { Ok(None) };
    };
    if let (Some(theirs), Some(ours)) = (&backend.regime, &draft.regime)
        && theirs.value == ours.value
    {
        return Err(OWN.to_owned());
    }
    Ok(Some(End {
        source: Some(backend.id.tier().clone()),
        to: PlaceId::Backend(backend.id.clone()),
        regime: backend.regime.as_ref().map(|regime| regime.value.clone()),
        entity: backend.entity.clone(),
    }))
}

fn refuse_unknown(carries: &[Located<Regime>], known: Option<&BTreeSet<&Regime>>, faults: &Faults) {
    for regime in carries.iter().filter(|regime| known.is_some_and(|known| !known.contains(&regime.value))) {
        faults.report(&regime.at, format_args!("no region lies in {}", regime.value));
    }
}

fn refuse_duplicates(drafts: &[LinkDraft], faults: &Faults) {
    let mut seen: BTreeMap<(&Name, &Target), usize> = BTreeMap::new();
    for draft in drafts {
        let (Some(from), Some(to)) = (&draft.from, &draft.to) else { continue };
        match seen.get(&(&from.value, &to.value)) {
            Some(line) => {
                faults.report(
                    &draft.at,
                    format_args!("a link from {} to {} stands in line {line}", from.value, to.value),
                );
            }
            None => drop(seen.insert((&from.value, &to.value), draft.at.line)),
        }
    }
}

fn refuse_undeclared(listed: &Partly<Vec<LinkDraft>>, regions: &Drafts, faults: &Faults) {
    let targets: Option<BTreeSet<&Target>> = listed.read.iter().map(|link| Some(&link.to.as_ref()?.value)).collect();
    // A link that could not be read may be the one that is missed.
    let Some(targets) = targets.filter(|_| listed.complete) else { return };
    for (name, region) in regions {
        let backends = region.inventory.iter().flat_map(|inventory| &inventory.backends.read);
        for backend in backends {
            let (Some(theirs), Some(ours)) = (&backend.regime, &region.regime) else { continue };
            let target = Target { region: name.clone(), kind: TargetKind::Backend(backend.id.name().clone()) };
            if theirs.value != ours.value && !targets.contains(&target) {
                let (theirs, ours) = (&theirs.value, &ours.value);
                let message = format_args!("lies in {theirs}, not in {ours}: declare a link to {target}, or remove it");
                faults.report(&backend.at, message);
            }
        }
    }
}

fn refuse_unreachable(regions: &Drafts, edges: &[Edge], faults: &Faults) {
    let sites = regions.iter().map(|(name, draft)| draft.site(name)).collect::<Option<Vec<Site<'_>>>>();
    let Some(sites) = sites else { return };
    let regimes: BTreeSet<&Regime> = sites.iter().map(|site| site.regime).collect();
    let closure = Closure::of(sites.into_iter(), edges.iter());
    for edge in edges {
        for regime in edge.carries.iter().filter(|regime| regimes.contains(&regime.value)) {
            if !closure.reaches(edge, &regime.value) {
                let (signals, source) = (edge.signals, &edge.source);
                faults.report(&regime.at, format_args!("data of {} ({signals}) never reaches {source}", regime.value));
            }
        }
    }
}
