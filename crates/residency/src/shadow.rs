//! What rules in shadow would make of a crossing, each by itself, for counting.
//!
//! Promises:
//! 1. It decides nothing: the table that is applied knows no rule in shadow.
//! 2. A rule is judged as if it alone held beside the active ones; a policy in shadow as if it held as it stands.

use std::collections::BTreeSet;

use time::Date;
use tollgate_federation::{Federation, LinkId, Origin, Regime, Signal};

use crate::answers::{Answers, Whose};
use crate::claims::Claims;
use crate::closed::Closed;
use crate::day::When;
use crate::layers::Layers;
use crate::policy::Policy;
use crate::rule::{Mode, Rule};
use crate::sender::Proved;
use crate::table::{Parts, Table};
use crate::transfer::Transfer;

/// The name under which a whole policy in shadow is counted. No rule has it: ids have no blanks.
const WHOLE: &str = "the whole policy";

/// What would hold if something in shadow did.
#[derive(Debug)]
pub struct Shadow {
    /// The id of the rule.
    pub rule: String,
    /// What would be applied; none where nothing would cross.
    pub layers: Option<Layers>,
}

impl Policy {
    /// Compiles what each rule in shadow would make of a crossing on that day, for that of which this is proved. None where the
    /// rules have no say: no instrument holds, or the link does not carry it.
    #[must_use]
    pub fn shadows(
        &self,
        federation: &Federation,
        (link, signal, origin): (LinkId, Signal, &Origin),
        proved: Proved<'_>,
        today: Date,
    ) -> Vec<Shadow> {
        let Ok(transfer) = Transfer::over(federation, link, signal, origin) else { return Vec::new() };
        let justified = |member| transfer.justified(member, &self.residency, When::On(today)).is_ok();
        if !origin.regimes().iter().all(justified) {
            return Vec::new();
        }
        let compiled = |rule: Option<&str>| self.if_held(&transfer, (origin, proved), rule, today);
        if self.residency.mode == Mode::Shadow {
            return vec![Shadow { rule: WHOLE.to_owned(), layers: compiled(None) }];
        }
        let crossings = origin.regimes().iter().map(|member| transfer.crossing(member));
        let rules = crossings.flat_map(|crossing| self.residency.rules_of(&crossing).collect::<Vec<_>>());
        let shadows: BTreeSet<&str> = rules.filter(|rule| !rule.is_active()).map(|rule| rule.id.as_str()).collect();
        shadows.into_iter().map(|id| Shadow { rule: id.to_owned(), layers: compiled(Some(id)) }).collect()
    }

    fn if_held(
        &self,
        transfer: &Transfer<'_>,
        (origin, proved): (&Origin, Proved<'_>),
        id: Option<&str>,
        today: Date,
    ) -> Option<Layers> {
        let holds = |rule: &Rule| rule.is_active() || id == Some(rule.id.as_str());
        let parts = |member: &Regime, claims: &Claims| {
            let sender = transfer.sender(member, &self.residency, proved);
            let whose = Whose { crossing: &transfer.crossing(member), sender: &sender, claims };
            let answers = Answers::holding(&self.residency, whose, When::On(today), holds);
            let instrument = transfer.justified(member, &self.residency, When::On(today))?.into_iter().next();
            transfer.open_by_rules(member, &answers)?;
            Ok(transfer.parts(member, &self.catalogue, &self.residency, &answers, instrument))
        };
        let compiled = |claims: &Claims| {
            let members = origin.regimes().iter().map(|member| parts(member, claims));
            let strictest = members.reduce(|one, two| Ok(Parts::meet(&one?, &two?)));
            strictest.unwrap_or(Err(Closed::Shadow)).map(Table::new)
        };
        Layers::new(transfer.asks(&self.residency, holds), compiled).ok()
    }
}
