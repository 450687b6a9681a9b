//! What is checked of a policy before it may be used: its invariants, and that the federation's links fit it.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::Faults;
use tollgate_federation::{Federation, FederationDraft, Reliance};

use crate::answers::{Answers, Whose};
use crate::broken::Broken;
use crate::carrier::Carrier;
use crate::claims::Claims;
use crate::class::Class;
use crate::compile;
use crate::day::When;
use crate::document::Residency;
use crate::flow::{Arrival, Flow};
use crate::form::Action;
use crate::invariant::Invariant;
use crate::policy::Policy;
use crate::rule::Crossing;
use crate::table::Cell;

/// Reports every invariant that does not hold. Where the federation has faults of its own no path is known, and what the rules
/// say of a crossing is judged as if there were one.
pub(crate) fn invariants(policy: &Policy, federation: &FederationDraft, faults: &Faults) {
    match federation.federation() {
        Some(federation) => {
            for broken in on_all_paths(policy, federation) {
                faults.report(&broken.at, &broken);
            }
        }
        None => {
            for (invariant, message) in latent(policy, |_| true) {
                faults.report(&invariant.at, message);
            }
        }
    }
}

/// How far something came and what it is called, and where it is.
type Witness = ((usize, String), Arrival);

/// Judges every invariant on everything that can be anywhere on any day. For each invariant, origin and place the shortest
/// path is the witness.
pub(crate) fn on_all_paths(policy: &Policy, federation: &Federation) -> Vec<Broken> {
    if policy.residency.invariants.is_empty() {
        return Vec::new();
    }
    let flow = Flow::of(policy, federation, When::Ever);
    let mut witnesses: BTreeMap<(usize, usize, usize), Witness> = BTreeMap::new();
    // What a region's own hop brings to a place was in the same regime, in the same form, one place before.
    for arrival in flow.arrivals().filter(|arrival| flow.came_over_a_link(*arrival)) {
        for (number, invariant) in policy.residency.invariants.iter().enumerate() {
            if !forbids(invariant, &flow, arrival) {
                continue;
            }
            let name = flow.one(arrival).map(|one| one.name()).unwrap_or_default();
            let witness = ((flow.path(arrival).len(), format!("{} {name}", arrival.at.signal)), arrival);
            let kept =
                witnesses.entry((number, arrival.at.origin, arrival.at.place)).or_insert_with(|| witness.clone());
            if (&witness.0, witness.1.form) < (&kept.0, kept.1.form) {
                *kept = witness;
            }
        }
    }
    let told = witnesses.into_iter().filter_map(|((number, ..), (_, arrival))| {
        let invariant = policy.residency.invariants.get(number)?;
        Broken::of(invariant, policy, federation, &flow, arrival)
    });
    told.collect()
}

fn forbids(invariant: &Invariant, flow: &Flow, arrival: Arrival) -> bool {
    let (Some(origin), Some(reaching)) = (flow.origin(arrival.at), flow.regime(arrival.at)) else { return false };
    let Some(one) = flow.one(arrival) else { return false };
    invariant.forbids(origin.as_str(), reaching.as_str(), one.class, arrival.form)
}

/// Invariants that the rules of a crossing would break if a path led there, each with what breaks it.
pub(crate) fn latent(policy: &Policy, of: impl Fn(&Crossing) -> bool) -> Vec<(&Invariant, String)> {
    let residency = &policy.residency;
    let settled = |crossing: &&Crossing| !residency.unsettled.iter().any(|outline| outline.may_be(crossing));
    let mut found = Vec::new();
    for crossing in residency.crossings().filter(settled).filter(|crossing| of(crossing)) {
        // Nobody knows which region would send it, so every cluster that rules name counts.
        let senders = residency.senders(crossing);
        let whose = |sender| Whose { crossing, sender, claims: &Claims::OTHER };
        let passed: Passed = senders.iter().flat_map(|sender| passed(policy, whose(sender))).collect();
        let id = residency.rules_of(crossing).find(|rule| rule.is_active()).map_or("", |rule| &rule.id);
        for invariant in &residency.invariants {
            let forbidden = |(_, class, action): &&(String, Class, Action)| {
                invariant.forbids(&crossing.origin, &crossing.reaching, *class, action.form())
            };
            if let Some((what, class, action)) = passed.iter().find(forbidden) {
                let Crossing { origin, reaching, signal } = crossing;
                let form = action.form();
                let message = format!(
                    "rule {id} breaks it: {what} ({class}) of {signal} from {origin} reaches {reaching} {form}"
                );
                found.push((invariant, message));
            }
        }
    }
    found
}

/// One thing that a crossing lets through: what, its class, in which form.
type Passed = BTreeSet<(String, Class, Action)>;

fn passed(policy: &Policy, whose: Whose<'_>) -> Passed {
    let (crossing, answers) = (whose.crossing, Answers::of(&policy.residency, whose, When::Ever));
    let mut passed = Passed::new();
    for (carrier, row) in Carrier::ALL.iter().zip(compile::cells(&answers, crossing)) {
        passed.extend(Class::ALL.into_iter().zip(row).map(|(class, action)| (carrier.to_string(), class, action)));
    }
    for row in compile::rows(&answers, &policy.catalogue).iter() {
        let cell = |cell: Cell| (row.attribute.clone(), cell.class, cell.action);
        passed.extend([cell(row.server), cell(row.device)]);
    }
    passed
}

/// Checks that every regime is declared, and that each link's instruments cover what it carries. That a link names an
/// instrument for each regime is checked where links are read.
pub(crate) fn links(residency: &Residency, federation: &FederationDraft, faults: &Faults) {
    for regime in federation.regimes().iter().filter(|regime| !residency.laws.knows(regime.value.as_str())) {
        let name = &regime.value;
        faults.report(
            &regime.at,
            format_args!("the residency policy knows no regime {name}: declare it below `regimes`"),
        );
    }
    if let Some(federation) = federation.federation() {
        for rule in &residency.rules {
            let origin = &rule.crossing.origin;
            let regions = federation.regions().filter(|region| region.regime().as_str() == origin);
            let clusters: Vec<String> =
                regions.flat_map(|region| region.clusters().keys()).map(ToString::to_string).collect();
            if let Some(narrowing) = &rule.narrowing {
                narrowing.check_clusters((origin, clusters.iter()), faults);
            }
        }
    }
    let abroad = |reliance: &&Reliance| reliance.reaching.as_ref() != Some(&reliance.origin);
    for reliance in federation.reliances().iter().filter(abroad) {
        residency.instruments.check_reliance(reliance, faults);
    }
}
