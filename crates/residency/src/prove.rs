//! What is checked of a policy before it may be used: its invariants, and that the federation's links fit it.

use std::collections::BTreeSet;

use tollgate_config::Faults;
use tollgate_federation::{FederationDraft, Reliance};

use crate::carrier::Carrier;
use crate::catalogue::Catalogue;
use crate::class::Class;
use crate::compile;
use crate::document::Residency;
use crate::form::Action;
use crate::invariant::Invariant;
use crate::rule::{Answers, Crossing, Rule};
use crate::table::Cell;

/// Checks every invariant on every crossing that a rule speaks of. Other crossings let nothing through. Where a rule with a
/// fault speaks of a crossing too, or may do so, nothing is proved of it: that rule may have been the deny.
pub(crate) fn invariants(residency: &Residency, catalogue: &Catalogue, faults: &Faults) {
    let mut seen: Vec<&Crossing> = Vec::new();
    for rule in &residency.rules {
        let settled = !residency.unsettled.iter().any(|outline| outline.may_be(&rule.crossing));
        if seen.contains(&&rule.crossing) || !settled {
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
pub(crate) fn links(residency: &Residency, federation: &FederationDraft, faults: &Faults) {
    for regime in federation.regimes().iter().filter(|regime| !residency.laws.knows(regime.value.as_str())) {
        faults.report(&regime.at, format_args!("the residency policy knows no regime {}", regime.value));
    }
    let abroad = |reliance: &&Reliance| reliance.reaching.as_ref() != Some(&reliance.origin);
    for reliance in federation.reliances().iter().filter(abroad) {
        residency.instruments.check_reliance(reliance, faults);
    }
}
