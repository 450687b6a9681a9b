//! What is checked of a policy before it may be used: its invariants, and that the federation's links fit it.

use std::collections::BTreeSet;

use tollgate_config::{At, Faults};
use tollgate_federation::Federation;

use crate::carrier::Carrier;
use crate::catalogue::Catalogue;
use crate::class::Class;
use crate::compile;
use crate::document::Residency;
use crate::form::Action;
use crate::invariant::Invariant;
use crate::policy::RESIDENCY;
use crate::rule::{Answers, Crossing, Rule};
use crate::table::Cell;

/// Checks every invariant on every crossing that a rule speaks of. Other crossings let nothing through.
pub(crate) fn invariants(residency: &Residency, catalogue: &Catalogue, faults: &Faults) {
    let mut seen: Vec<&Crossing> = Vec::new();
    for rule in &residency.rules {
        if seen.contains(&&rule.crossing) {
            continue;
        }
        seen.push(&rule.crossing);
        let passed = passed(&residency.rules, &rule.crossing, catalogue);
        for invariant in &residency.invariants {
            broken(invariant, &rule.crossing, &passed, &rule.id, faults);
        }
    }
}

/// One thing that a crossing lets through: what, its class, in which form.
type Passed = BTreeSet<(String, Class, Action)>;

fn passed(rules: &[Rule], crossing: &Crossing, catalogue: &Catalogue) -> Passed {
    let answers = Answers::of(rules, crossing);
    let mut passed = Passed::new();
    for (carrier, row) in Carrier::ALL.iter().zip(compile::cells(&answers, crossing)) {
        passed.extend(Class::ALL.into_iter().zip(row).map(|(class, action)| (carrier.to_string(), class, action)));
    }
    for row in compile::rows(&answers, catalogue).iter() {
        let cell = |cell: Cell| (row.attribute.clone(), cell.class, cell.action);
        passed.extend([cell(row.server), cell(row.device)]);
    }
    passed
}

/// Reports the first thing that breaks an invariant; one witness is enough to find the rule.
fn broken(invariant: &Invariant, crossing: &Crossing, passed: &Passed, rule: &str, faults: &Faults) {
    let forbidden = |(_, class, action): &&(String, Class, Action)| {
        invariant.forbids(&crossing.origin, &crossing.reaching, *class, action.form())
    };
    if let Some((what, class, action)) = passed.iter().find(forbidden) {
        let Crossing { origin, reaching, signal } = crossing;
        let form = action.form();
        faults.report(
            &invariant.at,
            format_args!("rule {rule} breaks it: {what} ({class}) of {signal} from {origin} reaches {reaching} {form}"),
        );
    }
}

/// Checks that every regime is declared, and that each link's instruments cover what it carries. That a link names an
/// instrument for each regime is checked where links are read.
pub(crate) fn links(residency: &Residency, federation: &Federation, faults: &Faults) {
    for region in federation.regions().filter(|region| !residency.laws.contains_key(region.regime().as_str())) {
        let (name, regime) = (region.name(), region.regime());
        faults.report(&At::document(RESIDENCY), format_args!("`regimes` lacks {regime}, in which region {name} lies"));
    }
    for link in federation.links() {
        let to = link.regime();
        if !residency.laws.contains_key(to.as_str()) {
            faults.report(link.at(), format_args!("the residency policy knows no regime {to}"));
        }
        for (from, name) in link.instruments().iter().filter(|(from, _)| *from != to) {
            match residency.instruments.named(name) {
                None => faults.report(link.at(), format_args!("no instrument is called `{name}`")),
                Some(instrument) if !instrument.covers(from.as_str(), to.as_str(), link.entity()) => {
                    let why = "is not for these regimes, or not for this recipient";
                    faults.report(
                        link.at(),
                        format_args!("instrument `{name}` {why}: {from} to {to}, {}", link.entity()),
                    );
                }
                Some(_) => {}
            }
        }
    }
}
