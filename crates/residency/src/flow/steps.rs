//! The steps that data can take: a region's own hops, which change nothing, and links.

use std::collections::BTreeMap;

use tollgate_federation::{Federation, Link, LinkId, Origin, PlaceId, Regime, Signal, Signals, Tier};

use super::At;
use super::items::Items;
use crate::answers::{Answers, Whose};
use crate::claims::Claims;
use crate::day::When;
use crate::form::Action;
use crate::policy::Policy;
use crate::sender::Sender;
use crate::transfer::Transfer;

/// One way from a place to the next.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The link, or none inside a region.
    pub(crate) link: Option<LinkId>,
    signals: Signals,
    /// What a link does to each item, by origin and signal.
    actions: BTreeMap<(usize, Signal), Moves>,
}

/// What a link does to each item: once for each instrument that may be in force, and for each sender that rules tell apart.
#[derive(Debug)]
struct Moves {
    /// That of which nothing is proved first.
    all: Vec<Option<Vec<Action>>>,
    /// How many of them are for that.
    unproved: usize,
    /// For each of them, who sent it.
    senders: Vec<Sender>,
}

/// All places, where data enters, and the steps between them.
#[derive(Debug)]
pub(crate) struct Steps {
    places: Vec<PlaceId>,
    pub(crate) regimes: Vec<Regime>,
    pub(crate) origins: Vec<Regime>,
    pub(crate) entries: Vec<At>,
    /// By the place they start at.
    steps: Vec<Step>,
}

/// A region's own hop leaves everything as it is.
static AS_IT_IS: &[Option<Vec<Action>>] = &[None];

impl Step {
    /// Where it brings a state, and what it does to each item.
    pub(crate) fn moves(&self, at: At) -> Option<(At, &[Option<Vec<Action>>])> {
        if !self.signals.contains(at.signal) {
            return None;
        }
        match self.link {
            None => Some((At { place: self.to, ..at }, AS_IT_IS)),
            Some(_) => {
                let actions = self.actions.get(&(at.origin, at.signal))?;
                // Of what came over a link nothing is proved any more.
                let unproved = actions.all.get(..actions.unproved).filter(|_| at.crossed);
                let actions = unproved.unwrap_or(&actions.all);
                (!actions.is_empty()).then_some((At { place: self.to, crossed: true, ..at }, actions))
            }
        }
    }

    /// Who sent what a link does this to, by the number of what it does.
    pub(crate) fn sender(&self, at: At, number: usize) -> Option<&Sender> {
        self.actions.get(&(at.origin, at.signal))?.senders.get(number)
    }
}

impl Steps {
    pub(crate) fn of(policy: &Policy, federation: &Federation, when: When, items: &BTreeMap<Signal, Items>) -> Self {
        let places = federation.places();
        let regimes = places.iter().map(|place| place.regime.clone()).collect();
        let origins = federation.regimes().iter().cloned().collect();
        let ids = places.into_iter().map(|place| place.id).collect();
        let mut steps = Self { places: ids, regimes, origins, entries: Vec::new(), steps: Vec::new() };
        for region in federation.regions() {
            let Some(origin) = steps.origins.iter().position(|one| one == region.regime()) else { continue };
            for tier in region.tiers() {
                let Some(place) = steps.find(&PlaceId::Tier(tier.id().clone())) else { continue };
                let at = |signal| At { place, crossed: false, origin, signal };
                // A gateway sends a central tier of its own region its own collectors' traces, and nothing else.
                let is_gateway = tier.id() == region.gateway().id();
                let entering = Signal::ALL.into_iter().filter(|signal| is_gateway || *signal == Signal::Traces);
                steps.entries.extend(entering.map(at));
                steps.add_backends(tier, region.regime(), place);
            }
        }
        for link in federation.links() {
            let compiled = compile(policy, federation, link, when, (&steps.origins, items));
            let ends = steps.find(&PlaceId::Tier(link.source().clone())).zip(steps.find(link.to()));
            let Some((from, to)) = ends else { continue };
            steps.steps.push(Step { from, to, link: Some(link.id()), signals: link.signals(), actions: compiled });
        }
        steps.steps.sort_by_key(|step| step.from);
        steps
    }

    fn add_backends(&mut self, tier: &Tier, regime: &Regime, from: usize) {
        for backend in tier.backends().iter().filter(|backend| backend.regime() == regime) {
            let Some(to) = self.find(&PlaceId::Backend(backend.id().clone())) else { continue };
            self.steps.push(Step { from, to, link: None, signals: backend.signals(), actions: BTreeMap::new() });
        }
    }

    fn find(&self, place: &PlaceId) -> Option<usize> {
        self.places.iter().position(|one| one == place)
    }

    pub(crate) fn place(&self, at: usize) -> Option<&PlaceId> {
        self.places.get(at)
    }

    pub(crate) fn step(&self, number: u32) -> Option<&Step> {
        self.steps.get(number as usize)
    }

    pub(crate) fn of_link(&self, link: LinkId) -> Option<&Step> {
        self.steps.iter().find(|step| step.link == Some(link))
    }

    /// The steps from a place, each with its number.
    pub(crate) fn from(&self, place: usize) -> impl Iterator<Item = (u32, &Step)> {
        let first = self.steps.partition_point(|step| step.from < place);
        let own = self.steps.iter().skip(first).take_while(move |step| step.from == place);
        (u32::try_from(first).unwrap_or(u32::MAX)..).zip(own)
    }
}

/// What a link does to each item, for each origin and signal that it carries and lets through at all.
fn compile(
    policy: &Policy,
    federation: &Federation,
    link: &Link,
    when: When,
    (origins, items): (&[Regime], &BTreeMap<Signal, Items>),
) -> BTreeMap<(usize, Signal), Moves> {
    let mut compiled = BTreeMap::new();
    for (number, member) in origins.iter().enumerate() {
        let origin = Origin::of(member.clone());
        for signal in link.signals().iter() {
            let Ok(transfer) = Transfer::over(federation, link.id(), signal, &origin) else { continue };
            let Some(items) = items.get(&signal) else { continue };
            let (mut all, mut unproved, mut by) = (Vec::new(), 0, Vec::new());
            for sender in transfer.senders(member, &policy.residency) {
                all.extend(of_transfer(policy, &transfer, (member, &sender), items, when));
                if sender == Sender::UNPROVED {
                    unproved = all.len();
                }
                by.resize(all.len(), sender);
            }
            if !all.is_empty() {
                compiled.insert((number, signal), Moves { all, unproved, senders: by });
            }
        }
    }
    compiled
}

fn of_transfer(
    policy: &Policy,
    transfer: &Transfer<'_>,
    (member, sender): (&Regime, &Sender),
    items: &Items,
    when: When,
) -> Vec<Option<Vec<Action>>> {
    let crossing = transfer.crossing(member);
    // Where a rule could not be read nothing is proved: it may have been the deny.
    let settled = !policy.residency.unsettled.iter().any(|outline| outline.may_be(&crossing));
    let Some(holding) = transfer.justified(member, &policy.residency, when).ok().filter(|_| settled) else {
        return Vec::new();
    };
    // What a resource says of itself only takes back, and anybody may say something else.
    let answers = Answers::of(&policy.residency, Whose { crossing: &crossing, sender, claims: &Claims::OTHER }, when);
    if transfer.open(member, &policy.residency, &answers).is_err() {
        return Vec::new();
    }
    let parts = |instrument| {
        let parts = transfer.parts(member, &policy.catalogue, &policy.residency, &answers, instrument);
        Some(items.actions(&parts))
    };
    if holding.is_empty() {
        return vec![parts(None)];
    }
    holding.into_iter().map(|instrument| parts(Some(instrument))).collect()
}
