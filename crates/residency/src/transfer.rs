//! One transfer over a link: whether the law allows it on that day, and what the rules make of it.

use std::collections::BTreeSet;

use tollgate_federation::{Federation, Link, LinkId, Origin, Regime, Region, Signal};

use crate::answers::{Answers, Whose};
use crate::catalogue::Catalogue;
use crate::claims::{Asks, Claims};
use crate::class::Class;
use crate::closed::Closed;
use crate::compile;
use crate::day::When;
use crate::document::Residency;
use crate::form::Action;
use crate::instrument::{Instrument, Lets, Need};
use crate::rule::{Crossing, Mode, Rule};
use crate::sender::{Clusters, Proved, Sender, Told};
use crate::standing::Standing;
use crate::table::{Parts, Scope};

/// Data of one signal and origin, about to go over a link that carries both.
pub(crate) struct Transfer<'a> {
    pub(crate) link: &'a Link,
    /// The regime in which it is sealed; its keys lie there and nowhere else.
    pub(crate) sealed_in: &'a Regime,
    pub(crate) signal: Signal,
    origin: &'a Origin,
    /// Where the data can come from collectors that proved who they are: the region that seals, if its gateways do.
    proving: Option<&'a Region>,
}

/// An instrument, by its name.
pub(crate) type Named<'i> = (&'i str, &'i Instrument);

impl<'a> Transfer<'a> {
    pub(crate) fn over(
        federation: &'a Federation,
        link: LinkId,
        signal: Signal,
        origin: &'a Origin,
    ) -> Result<Self, Closed> {
        let link = federation.link(link).ok_or(Closed::NoLink)?;
        let region = federation.region(link.from()).ok_or(Closed::NoLink)?;
        let sealed_in = region.regime();
        if !link.signals().contains(signal) {
            return Err(Closed::Signal(signal));
        }
        if !origin.regimes().iter().all(|member| link.carries().any(|carried| carried == member)) {
            return Err(Closed::Origin(origin.clone()));
        }
        // Its own collectors send to its gateways alone, and nothing but its own data.
        let is_own = link.source() == region.gateway().id() && *origin == Origin::of(sealed_in.clone());
        Ok(Self { link, sealed_in, signal, origin, proving: is_own.then_some(region) })
    }

    /// The clusters of which it can be proved that they sent the data.
    fn clusters(&self) -> Clusters {
        let own = self.proving.into_iter().flat_map(|region| region.clusters().values());
        own.map(|cluster| (cluster.name().to_string(), cluster.listen().listeners().collect())).collect()
    }

    /// The senders that the rules for one of the regimes tell apart; the first is always the one of whom nothing is proved.
    pub(crate) fn senders(&self, member: &Regime, residency: &Residency) -> Vec<Sender> {
        self.told(member, residency).senders
    }

    /// The senders that the rules tell apart, and the clusters that can be among them.
    pub(crate) fn told(&self, member: &Regime, residency: &Residency) -> Told {
        Told::among(residency.senders(&self.crossing(member)), self.clusters())
    }

    /// The claims that the rules which hold ask for, whatever regime of the origin they are for.
    pub(crate) fn asks(&self, residency: &Residency, holds: impl Fn(&Rule) -> bool + Copy) -> BTreeSet<Asks> {
        let members = self.origin.regimes().iter();
        members.flat_map(|member| residency.asks(&self.crossing(member), holds)).collect()
    }

    /// The sender of whom this is proved, as the rules tell it apart.
    pub(crate) fn sender(&self, member: &Regime, residency: &Residency, proved: Proved<'_>) -> Sender {
        self.told(member, residency).sender(proved)
    }

    /// What the rules for one of the regimes are about that the data comes from.
    pub(crate) fn crossing(&self, member: &Regime) -> Crossing {
        Crossing { origin: member.to_string(), reaching: self.link.regime().to_string(), signal: self.signal }
    }

    /// Compiles the rules for one of the regimes that the data comes from, under the instrument in force.
    pub(crate) fn compile(
        &self,
        member: &Regime,
        catalogue: &Catalogue,
        residency: &Residency,
        (sender, claims): (&Sender, &Claims),
        when: When,
    ) -> Result<Parts, Closed> {
        let instrument = self.justified(member, residency, when)?.into_iter().next();
        let answers = Answers::of(residency, Whose { crossing: &self.crossing(member), sender, claims }, when);
        self.open(member, residency, &answers)?;
        Ok(self.parts(member, catalogue, residency, &answers, instrument))
    }

    /// What the rules come to under one instrument.
    pub(crate) fn parts(
        &self,
        member: &Regime,
        catalogue: &Catalogue,
        residency: &Residency,
        answers: &Answers<'_>,
        instrument: Option<Named<'_>>,
    ) -> Parts {
        let mut parts = Parts {
            scope: Scope {
                link: self.link.id(),
                from: self.link.from().to_string(),
                destination: self.link.to().to_string(),
                signal: self.signal,
                origin: self.origin.clone(),
            },
            cells: compile::cells(answers, &self.crossing(member)),
            rows: compile::rows(answers, catalogue),
            keyed: residency.transforms.keyed.clone(),
            patterns: catalogue.span_names.clone(),
            event_names: catalogue.event_names.clone(),
            devices: catalogue.devices.clone(),
            guards: catalogue.guards.clone(),
            stripped: answers.stripped().clone(),
            instruments: instrument.iter().map(|(name, _)| (member.to_string(), (*name).to_owned())).collect(),
        };
        if let Some((_, instrument)) = instrument {
            cap(&mut parts, instrument);
        }
        if member != self.sealed_in {
            // The key lies in the origin's region. A pseudonym under another key would be a weaker promise.
            parts.actions_mut(|action| {
                if let Action::Hmac(_) = action {
                    *action = Action::Absent;
                }
            });
        }
        parts
    }

    /// Finds the instrument in force; for any day, all that could be. None where the data stays in its regime and needs none.
    pub(crate) fn justified<'r>(
        &self,
        member: &Regime,
        residency: &'r Residency,
        when: When,
    ) -> Result<Vec<Named<'r>>, Closed> {
        if member == self.link.regime() {
            return Ok(Vec::new());
        }
        let named = self.link.instruments().get(member).ok_or_else(|| Closed::NoInstrument(member.clone()))?;
        let need = Need { signal: Some(self.signal), ..need(self.link, member) };
        let covering: Vec<Named<'r>> = residency.instruments.chain(named, &need).collect();
        if covering.is_empty() {
            let (instrument, origin) = (named.clone(), member.clone());
            return Err(Closed::NotCovered { instrument, origin, signal: self.signal });
        }
        let mut holding = covering.into_iter().filter(|(_, one)| !when.is_after(one.last.day()));
        let holding: Vec<Named<'r>> = match when {
            When::On(_) => holding.next().into_iter().collect(),
            When::Ever => holding.collect(),
        };
        let expired = Closed::Expired { instrument: named.clone(), origin: member.clone() };
        if holding.is_empty() { Err(expired) } else { Ok(holding) }
    }

    /// Says why nothing crosses, whatever the instruments.
    pub(crate) fn open(&self, member: &Regime, residency: &Residency, answers: &Answers<'_>) -> Result<(), Closed> {
        if residency.mode == Mode::Shadow {
            return Err(Closed::Shadow);
        }
        self.open_by_rules(member, answers)
    }

    /// The same as if the policy were not in shadow.
    pub(crate) fn open_by_rules(&self, member: &Regime, answers: &Answers<'_>) -> Result<(), Closed> {
        if answers.rules().is_empty() {
            let (origin, reaching) = (member.clone(), self.link.regime().clone());
            return Err(Closed::NoRule { origin, reaching, signal: self.signal });
        }
        if let Some(by) = answers.denied_all().first() {
            return Err(Closed::Denied { rule: by.rule.id.clone() });
        }
        match answers.unmet().next() {
            Some((by, what)) => Err(Closed::Required { rule: by.rule.id.clone(), what }),
            None => Ok(()),
        }
    }
}

/// Takes back what lies outside an instrument's scope, or above its caps.
fn cap(parts: &mut Parts, instrument: &Instrument) {
    let capped = |class: Class, action: &mut Action| {
        if instrument.lets(class, *action) != Lets::Through {
            *action = Action::Absent;
        }
    };
    for row in &mut parts.cells {
        row.iter_mut().zip(Class::ALL).for_each(|(action, class)| capped(class, action));
    }
    for row in parts.rows.rows_mut() {
        let class = row.server.class;
        capped(class, &mut row.server.action);
        // On a device the value is of both classes.
        capped(class, &mut row.device.action);
        capped(row.device.class, &mut row.device.action);
    }
}

fn need<'n>(link: &'n Link, origin: &'n Regime) -> Need<'n> {
    let (from, to) = (origin.as_str(), link.regime().as_str());
    Need { from, to, exporter: link.exporter(), recipient: link.entity(), signal: None }
}

/// Returns what justifies that data of one regime crosses a link; `None` where it stays in its regime.
pub(crate) fn standing<'p>(link: &Link, origin: &Regime, residency: &'p Residency) -> Option<Standing<'p>> {
    if origin == link.regime() {
        return None;
    }
    let named = link.instruments().get(origin);
    let standing = |name: &String| residency.instruments.standing(name, &need(link, origin));
    Some(named.map_or_else(|| Standing::new(Vec::new()), standing))
}
