//! Which origins can be where: the fixpoint of what the links carry.
//!
//! Promises:
//! 1. Data is at a tier only if it enters there or a path of links carries its origin and its signal all the way.
//! 2. What is not proved to come over a link is refused there, whatever a manifest says.

use std::collections::{BTreeMap, BTreeSet};

use crate::link::{Link, LinkId};
use crate::node::TierId;
use crate::origin::{Origin, Regime};
use crate::place::PlaceId;
use crate::region::Region;
use crate::signal::Signal;

/// What can be at each tier, and so what can come over each link.
#[derive(Debug)]
pub(crate) struct Closure {
    present: BTreeMap<(TierId, Signal), BTreeSet<Regime>>,
    origins: BTreeMap<LinkId, BTreeSet<Origin>>,
}

impl Closure {
    pub(crate) fn of<'f>(regions: impl Iterator<Item = &'f Region>, links: &[Link]) -> Self {
        let mut closure = Self { present: BTreeMap::new(), origins: BTreeMap::new() };
        for region in regions {
            for signal in Signal::ALL {
                closure.add(region.gateway().id(), signal, region.regime());
            }
            // A gateway sends its own collectors' traces to a central tier of its region, and nothing else.
            if let Some(central) = region.central() {
                closure.add(central.id(), Signal::Traces, region.regime());
            }
        }
        // Each round that goes on adds a regime to a tier, and there are finitely many of both.
        while links.iter().any(|link| closure.follow(link)) {}
        for link in links {
            let origins =
                link.carries().filter(|regime| closure.reaches(link, regime)).cloned().map(Origin::of).collect();
            closure.origins.insert(link.id(), origins);
        }
        closure
    }

    /// Whether data of this regime, of any signal of the link, can be where the link starts.
    pub(crate) fn reaches(&self, link: &Link, regime: &Regime) -> bool {
        link.signals().iter().any(|signal| self.is_at(link.source(), signal, regime))
    }

    pub(crate) fn origins(&self, link: LinkId) -> Option<&BTreeSet<Origin>> {
        self.origins.get(&link)
    }

    /// Whether data of this origin and signal can come over the link.
    pub(crate) fn lets(&self, link: &Link, signal: Signal, origin: &Origin) -> bool {
        let carried = |regime: &Regime| link.carries().any(|carried| carried == regime);
        link.signals().contains(signal)
            && origin.regimes().iter().all(|regime| carried(regime) && self.is_at(link.source(), signal, regime))
    }

    fn is_at(&self, tier: &TierId, signal: Signal, regime: &Regime) -> bool {
        self.present.get(&(tier.clone(), signal)).is_some_and(|present| present.contains(regime))
    }

    fn add(&mut self, tier: &TierId, signal: Signal, regime: &Regime) -> bool {
        self.present.entry((tier.clone(), signal)).or_default().insert(regime.clone())
    }

    /// Brings over a link what it carries; whether that was new.
    fn follow(&mut self, link: &Link) -> bool {
        let PlaceId::Tier(target) = link.to() else { return false };
        let mut grown = false;
        for signal in link.signals().iter() {
            for regime in link.carries() {
                if self.is_at(link.source(), signal, regime) {
                    grown |= self.add(target, signal, regime);
                }
            }
        }
        grown
    }
}
