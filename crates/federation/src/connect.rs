//! Connects the links of the documents with the regions, and judges them.
//!
//! Promises:
//! 1. A link leads from a region that exists to a place that exists; there is one link for each pair.
//! 2. A link that could never carry what it names is a fault, whichever path the data would have to take.
//! 3. A backend in another regime than its region is a fault unless a link leads to it.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Faults, Located};

use crate::closure::Closure;
use crate::link::{Link, LinkDraft, LinkId, Target, TargetKind};
use crate::name::Name;
use crate::node::TierId;
use crate::origin::Regime;
use crate::place::PlaceId;
use crate::region::{Region, RegionDraft};

pub(crate) type Drafts = BTreeMap<Name, RegionDraft>;

/// Where a link leads, looked up in the regions.
struct End {
    source: TierId,
    to: PlaceId,
    regime: Regime,
    entity: String,
}

/// Connects all links; those with faults are left out.
pub(crate) fn connect(drafts: Vec<Option<LinkDraft>>, regions: &Drafts, faults: &Faults) -> Vec<Link> {
    let targets: BTreeSet<Target> =
        drafts.iter().flatten().filter_map(|draft| draft.to.as_ref()).map(|to| to.value.clone()).collect();
    refuse_duplicates(&drafts, faults);
    let expected = drafts.len();
    let links: Vec<Link> = drafts
        .into_iter()
        .enumerate()
        .filter_map(|(number, draft)| connect_one(LinkId(u16::try_from(number).ok()?), draft?, regions, faults))
        .collect();
    refuse_undeclared(regions, &targets, faults);
    // Where something is missing, what it would have brought is missing too: that is one fault, not two.
    if links.len() == expected && regions.values().all(|draft| draft.region.is_some()) {
        refuse_unreachable(regions, &links, faults);
    }
    links
}

fn connect_one(id: LinkId, draft: LinkDraft, regions: &Drafts, faults: &Faults) -> Option<Link> {
    if let Some(carries) = &draft.carries {
        refuse_unknown(carries, regions, faults);
    }
    let from = draft.from.and_then(|from| known_region(&from, regions, faults));
    let end = draft.to.and_then(|to| find_end(from.as_ref(), &to, regions, faults));
    from?;
    let End { source, to, regime, entity } = end?;
    let (carries, signals, instruments) = (draft.carries?, draft.signals?, draft.instruments?);
    let compression = draft.compression?;
    Some(Link { id, source, to, regime, entity, carries, signals, compression, instruments, at: draft.at })
}

fn known_region(from: &Located<Name>, regions: &Drafts, faults: &Faults) -> Option<Name> {
    if regions.contains_key(&from.value) {
        return Some(from.value.clone());
    }
    faults.report(&from.at, format_args!("no region is named {}", from.value));
    None
}

fn find_end(from: Option<&Name>, to: &Located<Target>, regions: &Drafts, faults: &Faults) -> Option<End> {
    let Target { region: name, kind } = &to.value;
    let refuse = |message: String| faults.report(&to.at, message);
    let Some(draft) = regions.get(name) else {
        refuse(format!("no region is named {name}"));
        return None;
    };
    let region = draft.region.as_ref()?;
    let same = from == Some(name);
    let tier = |tier: TierId| End {
        source: TierId::gateway(from.unwrap_or(name).clone()),
        to: PlaceId::Tier(tier),
        regime: region.regime().clone(),
        entity: region.entity().to_owned(),
    };
    match kind {
        TargetKind::Gateway | TargetKind::Central if same => {
            refuse("inside a region nothing needs a link".to_owned());
            None
        }
        TargetKind::Gateway => Some(tier(region.gateway().id().clone())),
        TargetKind::Central => {
            let central = region.central().map(|central| tier(central.id().clone()));
            if central.is_none() {
                refuse(format!("{name} has no central tier"));
            }
            central
        }
        TargetKind::Backend(_) if from.is_some() && !same => {
            refuse(format!("a link to a backend starts in the backend's own region, {name}"));
            None
        }
        TargetKind::Backend(backend) => find_backend(region, backend).map_err(refuse).ok(),
    }
}

fn find_backend(region: &Region, name: &Name) -> Result<End, String> {
    let found = region.tiers().find_map(|tier| tier.backend(name));
    let backend = found.ok_or_else(|| format!("{} has no backend named {name}", region.name()))?;
    if backend.regime() == region.regime() {
        return Err("the backend lies in its region's own regime and needs no link".to_owned());
    }
    Ok(End {
        source: backend.id().tier().clone(),
        to: PlaceId::Backend(backend.id().clone()),
        regime: backend.regime().clone(),
        entity: backend.entity().to_owned(),
    })
}

fn refuse_unknown(carries: &[Located<Regime>], regions: &Drafts, faults: &Faults) {
    // A region whose regime could not be read may be of any.
    if regions.values().any(|draft| draft.regime.is_none()) {
        return;
    }
    for regime in carries {
        if !regions.values().any(|draft| draft.regime.as_ref() == Some(&regime.value)) {
            faults.report(&regime.at, format_args!("no region lies in {}", regime.value));
        }
    }
}

fn refuse_duplicates(drafts: &[Option<LinkDraft>], faults: &Faults) {
    let mut seen: BTreeMap<(&Name, &Target), usize> = BTreeMap::new();
    for draft in drafts.iter().flatten() {
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

fn refuse_undeclared(regions: &Drafts, targets: &BTreeSet<Target>, faults: &Faults) {
    for region in regions.values().filter_map(|draft| draft.region.as_ref()) {
        let abroad =
            region.tiers().flat_map(|tier| tier.backends()).filter(|backend| backend.regime() != region.regime());
        for backend in abroad {
            let kind = TargetKind::Backend(backend.id().name().clone());
            let target = Target { region: region.name().clone(), kind };
            if !targets.contains(&target) {
                let (theirs, ours) = (backend.regime(), region.regime());
                let message = format_args!("lies in {theirs}, not in {ours}: declare a link to {target}, or remove it");
                faults.report(backend.at(), message);
            }
        }
    }
}

fn refuse_unreachable(regions: &Drafts, links: &[Link], faults: &Faults) {
    let closure = Closure::of(regions.values().filter_map(|draft| draft.region.as_ref()), links);
    for link in links {
        let known =
            |regime: &&Located<Regime>| regions.values().any(|draft| draft.regime.as_ref() == Some(&regime.value));
        for regime in link.carries.iter().filter(known) {
            if !closure.reaches(link, &regime.value) {
                let (signals, source) = (link.signals, &link.source);
                faults.report(&regime.at, format_args!("data of {} ({signals}) never reaches {source}", regime.value));
            }
        }
    }
}
