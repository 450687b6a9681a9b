//! Which origins can be where: the fixpoint of what the links carry.
//!
//! Promises:
//! 1. Data is at a tier only if it enters there or a path of links carries its origin and its signal all the way.
//! 2. What is not proved to come over a link is refused there, whatever a manifest says.

use std::collections::{BTreeMap, BTreeSet};

use crate::link::{Edge, LinkId};
use crate::name::Name;
use crate::node::TierId;
use crate::origin::{Origin, Regime};
use crate::place::PlaceId;
use crate::signal::Signal;

/// Where data enters: a region, and what it has.
pub(crate) struct Site<'r> {
    pub(crate) region: &'r Name,
    pub(crate) regime: &'r Regime,
    pub(crate) central: Option<&'r TierId>,
}

/// What can be at each tier, and so what can come over each link.
#[derive(Debug)]
pub(crate) struct Closure {
    present: BTreeMap<(TierId, Signal), BTreeSet<Regime>>,
    origins: BTreeMap<LinkId, BTreeSet<Origin>>,
}

impl Closure {
    pub(crate) fn of<'e>(sites: impl Iterator<Item = Site<'e>>, edges: impl Iterator<Item = &'e Edge> + Clone) -> Self {
        let mut closure = Self { present: BTreeMap::new(), origins: BTreeMap::new() };
        for site in sites {
            let gateway = TierId::gateway(site.region.clone());
            for signal in Signal::ALL {
                closure.add(&gateway, signal, site.regime);
            }
            // A gateway sends its own collectors' traces to a central tier of its region, and nothing else.
            if let Some(central) = site.central {
                closure.add(central, Signal::Traces, site.regime);
            }
        }
        // Each round that goes on adds a regime to a tier, and there are finitely many of both.
        while edges.clone().any(|edge| closure.follow(edge)) {}
        for edge in edges {
            let origins =
                edge.carries().filter(|regime| closure.reaches(edge, regime)).cloned().map(Origin::of).collect();
            closure.origins.insert(edge.id, origins);
        }
        closure
    }

    /// Whether data of this regime, of any signal of the link, can be where the link starts.
    pub(crate) fn reaches(&self, edge: &Edge, regime: &Regime) -> bool {
        edge.signals.iter().any(|signal| self.is_at(&edge.source, signal, regime))
    }

    pub(crate) fn origins(&self, link: LinkId) -> Option<&BTreeSet<Origin>> {
        self.origins.get(&link)
    }

    /// Whether data of this origin and signal can come over the link.
    pub(crate) fn lets(&self, edge: &Edge, signal: Signal, origin: &Origin) -> bool {
        let carried = |regime: &Regime| edge.carries().any(|carried| carried == regime);
        edge.signals.contains(signal)
            && origin.regimes().iter().all(|regime| carried(regime) && self.is_at(&edge.source, signal, regime))
    }

    fn is_at(&self, tier: &TierId, signal: Signal, regime: &Regime) -> bool {
        self.present.get(&(tier.clone(), signal)).is_some_and(|present| present.contains(regime))
    }

    fn add(&mut self, tier: &TierId, signal: Signal, regime: &Regime) -> bool {
        self.present.entry((tier.clone(), signal)).or_default().insert(regime.clone())
    }

    /// Brings over a link what it carries; whether that was new.
    fn follow(&mut self, edge: &Edge) -> bool {
        let PlaceId::Tier(target) = &edge.to else { return false };
        let mut grown = false;
        for signal in edge.signals.iter() {
            for regime in edge.carries() {
                if self.is_at(&edge.source, signal, regime) {
                    grown |= self.add(target, signal, regime);
                }
            }
        }
        grown
    }
}
