//! An invariant that does not hold, with its witness: what comes where, by which path, and the rules that let it.

use std::fmt;

use tollgate_config::At;
use tollgate_federation::{Federation, Origin, PlaceId, Regime, Signal};

use crate::class::Class;
use crate::explain::RuleAt;
use crate::flow::{Arrival, Flow};
use crate::form::Form;
use crate::invariant::Invariant;
use crate::policy::Policy;

/// An invariant that does not hold.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Where the invariant stands.
    pub at: At,
    /// What breaks it: an attribute's key or a carrier.
    pub item: String,
    /// What that is.
    pub class: Class,
    /// The signal.
    pub signal: Signal,
    /// Whose data it is.
    pub origin: Regime,
    /// The regime that it reaches.
    pub reaching: Regime,
    /// In which form.
    pub form: Form,
    /// A shortest path by which it comes there, first place first.
    pub path: Vec<PlaceId>,
    /// The rules on the path that let it cross.
    pub rules: Vec<RuleAt>,
}

impl Broken {
    pub(crate) fn of(
        invariant: &Invariant,
        policy: &Policy,
        federation: &Federation,
        flow: &Flow,
        arrival: Arrival,
    ) -> Option<Self> {
        let (one, origin) = (flow.one(arrival)?, flow.origin(arrival.at)?);
        let mut rules = Vec::new();
        for (link, forms) in flow.links(arrival) {
            let crossing = (link, arrival.at.signal, &Origin::of(origin.clone()));
            rules.extend(policy.explain_ever(federation, crossing, one.item(), forms).rules);
        }
        rules.sort();
        rules.dedup();
        Some(Self {
            at: invariant.at.clone(),
            item: one.name(),
            class: one.class,
            signal: arrival.at.signal,
            origin: origin.clone(),
            reaching: flow.regime(arrival.at)?.clone(),
            form: arrival.form,
            path: flow.places(arrival).into_iter().cloned().collect(),
            rules,
        })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.rules.iter().map(|rule| rule.id.as_str()).collect();
        let verb = if ids.len() == 1 { "breaks" } else { "break" };
        let word = if ids.len() == 1 { "rule" } else { "rules" };
        let Self { item, class, signal, origin, reaching, form, .. } = self;
        write!(
            f,
            "{word} {} {verb} it: {item} ({class}) of {signal} from {origin} reaches {reaching} {form}, by ",
            ids.join(", ")
        )?;
        f.write_str(&way(&self.path))
    }
}

/// A path, as reports show it.
pub(crate) fn way(path: &[PlaceId]) -> String {
    path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")
}
