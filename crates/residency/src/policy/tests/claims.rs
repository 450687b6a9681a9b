//! Rules that are narrowed by what data says of itself: they hold back, and nothing rests on them.

use super::*;
use crate::claims::{Claim, Claims};
use crate::difference::{Change, difference};
use crate::{Kind, Layers};

const TRACES: &str = "origin: EEA, reaching: US, signal: traces";
const OF_CART: &str = "service cart or no clear service";

fn with(rule: &str) -> Loaded {
    small(&format!("rules:\n{BASIC}  - {{id: w, {TRACES}, {rule}}}\n"))
}

fn layers(loaded: &Loaded) -> Layers {
    let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
    let tables = policy.tables(&loaded.federation, TO_US, Signal::Traces, &origin("EEA"), TODAY).unwrap();
    tables.at(None).unwrap().clone()
}

fn service(name: &str) -> Claims {
    Claims { service: Claim::Is(name.to_owned()), ..Claims::default() }
}

/// Guarantees: what a claim holds back breaks an invariant as if nothing held it back, and `check` says that nothing rests on it.
#[test]
fn no_invariant_rests_on_a_claim() {
    let rest_on = |narrowed: &str| {
        small(&format!(
            "rules:\n{BASIC}  - {{id: w, {TRACES}, allow: {{quasi: raw}}}}\n  - {{id: d, {TRACES}, {narrowed} deny: \
             [quasi]}}\ninvariants:\n  - never: {{class: quasi, form: raw}}\n"
        ))
    };
    assert!(rest_on("").policy.is_some());
    let claimed = rest_on("where: {service: cart},");
    assert!(claimed.faults.contains("rule w breaks it: acme.* (quasi)"), "{}", claimed.faults);
    let loaded = with("where: {service: cart, environment: test}, deny: [op]");
    let found = loaded.policy.as_ref().unwrap().findings(&loaded.federation, TODAY);
    let said = found.iter().find(|one| one.kind == Kind::Claimed).map(|one| one.message.as_str());
    assert_eq!(
        said,
        Some("rule w is narrowed by service and environment, which the sender chooses: no invariant rests on it")
    );
    assert!(!found.iter().any(|one| [Kind::NotEnforced, Kind::RedundantRule].contains(&one.kind)), "{found:?}");
}

/// Guarantees: a claim that denies the one of a pair does not open the other.
#[test]
fn a_claim_does_not_choose_which_of_a_pair_crosses() {
    let pair = "not_together: [[user.id, client.address]]";
    let rule =
        |narrowed: &str| with(&format!("{pair}}}\n  - {{id: d, {TRACES}, {narrowed} deny: [{{attribute: user.id}}]"));
    assert_eq!(answer(layers(&rule("")).base(), "client.address"), Form::Generalised);
    let claimed = layers(&rule("where: {service: cart},"));
    for claims in [service("cart"), service("other"), Claims::default()] {
        let table = claimed.of(&claims).unwrap();
        assert_eq!([answer(table, "user.id"), answer(table, "client.address")], [Form::Absent; 2], "{claims:?}");
    }
}

/// Guarantees: a service can be shut altogether, by a deny or by what nothing carries out yet; others are not.
#[test]
fn a_service_is_shut_by_itself() {
    for shut in ["deny: [all]", "require: {aggregated_at: cluster}"] {
        let layers = layers(&with(&format!("where: {{service: cart}}, {shut}")));
        let of = |claims| layers.of(&claims).is_ok();
        assert_eq!([service("cart"), Claims::default(), service("other")].map(of), [false, false, true], "{shut}");
    }
}

/// Guarantees: what rules tell apart is shown and compared as that; a narrowing that is made smaller is a widening.
#[test]
fn kinds_are_shown_and_compared() {
    let [cart, all, none] = ["where: {service: cart}, deny: [online]", "deny: [online]", "deny: [special]"].map(with);
    let rows = cart.policy.as_ref().unwrap().matrix(&cart.federation, TODAY);
    let told: Vec<_> = rows
        .iter()
        .filter(|row| {
            row.link.starts_with("eu-west → us-east") && row.signal == Signal::Traces && row.origin.as_str() == "EEA"
        })
        .map(|row| (row.says.as_deref(), row.classes.contains_key(&Class::Online)))
        .collect();
    assert_eq!(told, [(Some("anything else"), true), (Some(OF_CART), false)]);
    let told = |old: &Loaded, new: &Loaded| {
        let sides = [old, new].map(|one| (one.policy.as_ref().unwrap(), &one.federation));
        let told = difference(sides[0], sides[1], TODAY).into_iter();
        let own = told.filter(|one| one.item == "client.address" && one.link.0 == "eu-west/gateway");
        own.map(|one| (one.change, one.sender, one.says)).collect::<Vec<_>>()
    };
    let says = |says: &str| Some(says.to_owned());
    assert_eq!(told(&all, &cart), [(Change::Newly, None, says("anything else"))]);
    assert_eq!(told(&cart, &none), [(Change::Newly, None, says(OF_CART))]);
    assert_eq!(told(&none, &all), [(Change::NoLonger, None, None)]);
    assert_eq!(told(&cart, &cart), []);
}

/// Guarantees: a claim that changes nothing, or stands in shadow, costs nothing: one table, and its digest.
#[test]
fn what_claims_do_not_change_is_one_table() {
    let plain = layers(&small(&format!("rules:\n{BASIC}")));
    for idle in ["where: {service: cart}, deny: [special]", "mode: shadow, where: {service: cart}, deny: [op]"] {
        let layers = layers(&with(idle));
        assert!(!layers.tell_apart() && layers.digest() == plain.digest(), "{idle}");
    }
    let shadow = with("mode: shadow, where: {service: cart}, deny: [online]");
    let policy = shadow.policy.as_ref().unwrap();
    let would =
        policy.shadows(&shadow.federation, (TO_US, Signal::Traces, &origin("EEA")), crate::Proved::default(), TODAY);
    let would = would[0].layers.as_ref().unwrap();
    let of = |claims| answer(would.of(&claims).unwrap(), "client.address");
    assert_eq!([service("cart"), service("other")].map(of), [Form::Absent, Form::Generalised]);
}

/// Guarantees: rules that tell more kinds of data apart than can be held do not load, and the fault says where.
#[test]
fn too_many_kinds_do_not_load() {
    let rule = |one: usize| format!("  - {{id: s{one}, {TRACES}, where: {{service: s{one}}}, deny: [op]}}\n");
    let rules = |count: usize| small(&format!("rules:\n{BASIC}{}", (0..count).map(rule).collect::<String>()));
    assert!(rules(60).policy.is_some());
    let faults = rules(70).faults;
    assert!(faults.contains("tell more than 64 kinds of data apart by service"), "{faults}");
}
