//! One transfer over a link: whether the law allows it on that day, and what the rules make of it.

use std::collections::BTreeMap;

use time::Date;
use tollgate_federation::{Federation, Link, LinkId, Origin, Regime, Signal};

use crate::catalogue::Catalogue;
use crate::closed::Closed;
use crate::compile;
use crate::document::Residency;
use crate::form::Action;
use crate::instrument::Need;
use crate::rule::{Answers, Crossing};
use crate::standing::Standing;
use crate::table::{Parts, Scope};

/// Data of one signal and origin, about to go over a link that carries both.
pub(crate) struct Transfer<'a> {
    link: &'a Link,
    /// The regime in which it is sealed; its keys lie there and nowhere else.
    sealed_in: &'a Regime,
    signal: Signal,
    origin: &'a Origin,
}

impl<'a> Transfer<'a> {
    pub(crate) fn over(
        federation: &'a Federation,
        link: LinkId,
        signal: Signal,
        origin: &'a Origin,
    ) -> Result<Self, Closed> {
        let link = federation.link(link).ok_or(Closed::NoLink)?;
        let sealed_in = federation.region(link.from()).ok_or(Closed::NoLink)?.regime();
        if !link.signals().contains(signal) {
            return Err(Closed::Signal(signal));
        }
        if !origin.regimes().iter().all(|member| link.carries().any(|carried| carried == member)) {
            return Err(Closed::Origin(origin.clone()));
        }
        Ok(Self { link, sealed_in, signal, origin })
    }

    /// Compiles the rules for one of the regimes that the data comes from.
    pub(crate) fn compile(
        &self,
        member: &Regime,
        catalogue: &Catalogue,
        residency: &Residency,
        today: Date,
    ) -> Result<Parts, Closed> {
        let instruments = self.justified(member, residency, today)?;
        let crossing =
            Crossing { origin: member.to_string(), reaching: self.link.regime().to_string(), signal: self.signal };
        let answers = Answers::of(&residency.rules, &crossing);
        self.open(member, &answers)?;
        let mut parts = Parts {
            scope: Scope {
                link: self.link.id(),
                from: self.link.from().to_string(),
                destination: self.link.to().to_string(),
                signal: self.signal,
                origin: self.origin.clone(),
            },
            cells: compile::cells(&answers, &crossing),
            rows: compile::rows(&answers, catalogue),
            keyed: residency.keyed.clone(),
            patterns: catalogue.span_names.clone(),
            event_names: catalogue.event_names.clone(),
            devices: catalogue.devices.clone(),
            instruments,
        };
        if member != self.sealed_in {
            // The key lies in the origin's region. A pseudonym under another key would be a weaker promise.
            parts.actions_mut(|action| {
                if let Action::Hmac(_) = action {
                    *action = Action::Absent;
                }
            });
        }
        Ok(parts)
    }

    /// Finds the instrument in force. Data that stays in its regime needs none.
    fn justified(
        &self,
        member: &Regime,
        residency: &Residency,
        today: Date,
    ) -> Result<BTreeMap<String, String>, Closed> {
        let Some(standing) = standing(self.link, member, residency) else { return Ok(BTreeMap::new()) };
        let named = self.link.instruments().get(member).ok_or_else(|| Closed::NoInstrument(member.clone()))?;
        let expired = || Closed::Expired { instrument: named.clone(), origin: member.clone() };
        let term = standing.in_force(today).ok_or_else(expired)?;
        Ok(BTreeMap::from([(member.to_string(), term.instrument.to_owned())]))
    }

    fn open(&self, member: &Regime, answers: &Answers<'_>) -> Result<(), Closed> {
        if answers.rules().is_empty() {
            let (origin, reaching) = (member.clone(), self.link.regime().clone());
            return Err(Closed::NoRule { origin, reaching, signal: self.signal });
        }
        match answers.rules().iter().find(|rule| rule.denies_all()) {
            Some(rule) => Err(Closed::Denied { rule: rule.id.clone() }),
            None => Ok(()),
        }
    }
}

/// Returns what justifies that data of one regime crosses a link; `None` where it stays in its regime.
pub(crate) fn standing<'p>(link: &Link, origin: &Regime, residency: &'p Residency) -> Option<Standing<'p>> {
    if origin == link.regime() {
        return None;
    }
    let need = Need { from: origin.as_str(), to: link.regime().as_str(), recipient: link.entity() };
    let named = link.instruments().get(origin);
    Some(named.map_or_else(|| Standing::new(Vec::new()), |name| residency.instruments.standing(name, &need)))
}
