//! Guarantees of the comparison: every widening is told, and nothing else.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::interpreter::{
    SAID, SENDERS, interpret_within, is_named, is_stricter_or_equal, random, rules_of, said_by, sent_by,
};
use super::*;
use crate::difference::{Change, Difference, difference};
use crate::sender::SentBy;

const ONE_LINK: &str =
    "  - {from: eu-west, to: us-east/central, carries: [EEA], signals: [traces], instruments: {EEA: dpf}}\n";
const TO_UK: &str =
    "  - {from: eu-west, to: uk-south/gateway, carries: [EEA], signals: [traces], instruments: {EEA: uk-adequacy}}\n";
const ONWARD: &str =
    "  - {from: uk-south, to: us-east/central, carries: [EEA], signals: [traces], instruments: {EEA: dpf}}\n";
const RULES: &str = "  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {op: raw, corr: raw, direct: {only: {user.id: user-key}}, online: {only: {client.address: ip-wide}}}}\n  \
                     - {id: b, origin: EEA, reaching: UK, signal: traces, allow: {op: raw, corr: raw}}\n";

fn set(links: &str, catalogue: &str, residency: &str) -> Loaded {
    let federation = format!("federation: {{name: acme, trust_domain: acme.example}}\nlinks:\n{links}");
    let mut texts = EXAMPLE;
    (texts[0].1, texts[4].1, texts[5].1) = (&federation, catalogue, residency);
    let loaded = load(&texts);
    assert_eq!(loaded.faults, "");
    loaded
}

fn forget(loaded: &mut Loaded, instrument: &str) -> bool {
    let mut unproved = Unproved(loaded.policy.take().unwrap());
    let known = unproved.forget_instrument(instrument);
    loaded.policy = Some(unproved.0);
    known
}

fn rules(rules: &str) -> Loaded {
    set(ONE_LINK, SMALL_CATALOGUE, &format!("{SMALL_RESIDENCY}rules:\n{rules}"))
}

fn differences(old: &Loaded, new: &Loaded) -> Vec<Difference> {
    difference((old.policy.as_ref().unwrap(), &old.federation), (new.policy.as_ref().unwrap(), &new.federation), TODAY)
}

fn told(old: &Loaded, new: &Loaded) -> Vec<(Change, String)> {
    differences(old, new).into_iter().map(|one| (one.change, one.item)).collect()
}

fn only(change: Change, items: &[&str]) -> Vec<(Change, String)> {
    items.iter().map(|item| (change, (*item).to_owned())).collect()
}

#[test]
fn a_set_differs_in_nothing_from_itself_in_another_order() {
    let before = rules(RULES);
    let mut lines: Vec<&str> = RULES.split_inclusive('\n').collect();
    lines.reverse();
    assert_eq!(told(&before, &rules(&lines.concat())), []);
    assert_eq!(told(&before, &before), []);
}

#[test]
fn what_is_newly_allowed_and_what_no_longer_is_are_told() {
    let (before, more) = (rules(RULES), rules(&RULES.replace("{only: {user.id: user-key}}", "user-key")));
    assert_eq!(told(&before, &more), only(Change::Newly, &["host.name on a device", "user.email"]));
    assert_eq!(told(&more, &before), only(Change::NoLonger, &["host.name on a device", "user.email"]));
}

#[test]
fn a_weaker_form_is_a_widening_whatever_makes_it_weaker() {
    let before = rules(RULES);
    for (from, to, items) in [
        ("user-key", "raw", vec!["enduser.id", "user.id"]),
        ("user-key", "other-key", vec!["enduser.id", "user.id"]),
        ("ip-wide", "ip-net", vec!["client.address"]),
        ("ip-wide", "user-key", vec!["client.address"]),
    ] {
        let after = rules(&RULES.replace(from, to));
        assert_eq!(told(&before, &after), only(Change::Weaker, &items), "{from} to {to}");
    }
    assert_eq!(told(&rules(&RULES.replace("ip-wide", "ip-net")), &before), only(Change::Stricter, &["client.address"]));
    let longer = SMALL_RESIDENCY.replacen("epoch: 30d", "epoch: 60d", 1);
    let after = set(ONE_LINK, SMALL_CATALOGUE, &format!("{longer}rules:\n{RULES}"));
    assert_eq!(told(&before, &after), only(Change::Weaker, &["enduser.id", "user.id"]));
    assert_eq!(told(&after, &before), only(Change::Stricter, &["enduser.id", "user.id"]));
    let kept = |retain| SMALL_RESIDENCY.replace("epoch: 30d", &format!("epoch: 30d, retain: {retain}"));
    let kept = |retain| set(ONE_LINK, SMALL_CATALOGUE, &format!("{}rules:\n{RULES}", kept(retain)));
    assert_eq!(told(&before, &kept("90d")), [], "as if it were not said");
    assert_eq!(told(&before, &kept("91d")), only(Change::Weaker, &["enduser.id", "user.id"]));
}

#[test]
fn moving_a_deny_into_shadow_is_a_widening() {
    let deny = "  - {id: d, origin: EEA, reaching: US, signal: traces, deny: [{attribute: user.id}]}\n";
    let before = rules(&format!("{RULES}{deny}"));
    let after = rules(&format!("{RULES}{}", deny.replace("signal: traces,", "signal: traces, mode: shadow,")));
    assert_eq!(told(&before, &after), only(Change::Newly, &["enduser.id", "user.id"]));
}

/// Guarantees: EEA → UK → US is told when it is added, also where the direct way lets the same cross.
#[test]
fn a_way_onward_that_is_added_is_told() {
    let residency = format!("{SMALL_RESIDENCY}rules:\n{RULES}");
    let before = set(&format!("{ONE_LINK}{TO_UK}"), SMALL_CATALOGUE, &residency);
    let after = set(&format!("{ONE_LINK}{TO_UK}{ONWARD}"), SMALL_CATALOGUE, &residency);
    let differences = difference(
        (before.policy.as_ref().unwrap(), &before.federation),
        (after.policy.as_ref().unwrap(), &after.federation),
        TODAY,
    );
    assert!(differences.iter().any(|one| one.item == "http.route"));
    assert!(differences.iter().all(|one| {
        one.change == Change::Newly && one.link == ("uk-south/gateway".to_owned(), "us-east/central".to_owned())
    }));
    let findings = after.policy.as_ref().unwrap().findings(&after.federation, TODAY);
    assert!(findings.iter().any(|one| one.kind == crate::Kind::Onward), "{findings:#?}");
}

#[test]
fn what_a_catalogue_changes_is_told_by_name() {
    let residency = format!(
        "{SMALL_RESIDENCY}rules:\n{}",
        RULES.replace("{op: raw, corr: raw, direct", "{op: raw, corr: raw, quasi: raw, direct")
    );
    let with = |from: &str, to: &str| {
        let catalogue = SMALL_CATALOGUE.replace(from, to);
        assert_ne!(catalogue, SMALL_CATALOGUE);
        set(ONE_LINK, &catalogue, &residency)
    };
    let before = set(ONE_LINK, SMALL_CATALOGUE, &residency);
    let new_key = with("  http.route: op\n", "  http.route: {class: op, aliases: [http.old_route]}\n  new.key: op\n");
    assert_eq!(told(&before, &new_key), only(Change::Newly, &["http.old_route", "new.key"]));
    let below = with("  acme.inner.*: free\n", "");
    assert_eq!(told(&before, &below), only(Change::Newly, &["acme.inner.*"]), "the template around it answers now");
    let span = with("span: ['{http.route}']", "span: ['{http.route}', 'checkout']");
    assert_eq!(told(&before, &span), only(Change::Newly, &["span.name \"checkout\""]));
    let event = with("event: [exception]", "event: [exception, message]");
    assert_eq!(told(&before, &event), only(Change::Newly, &["event.name \"message\""]));
    let unmarked = with("devices: [device.*]", "devices: [device.x]");
    assert_eq!(
        told(&before, &unmarked),
        [
            (Change::Newly, "host.name beside device.*".to_owned()),
            (Change::NoLonger, "host.name beside device.x".to_owned())
        ]
    );
}

#[test]
fn a_strip_that_is_taken_back_is_told_by_carrier() {
    let strip =
        "  - {id: s, origin: EEA, reaching: US, signal: traces, require: {strip: [event.attributes, span.kind]}}\n";
    let (before, after) = (rules(&format!("{RULES}{strip}")), rules(RULES));
    let told = told(&before, &after);
    assert!(told.contains(&(Change::Newly, "http.route in event.attributes".to_owned())), "{told:?}");
    assert!(told.contains(&(Change::Newly, "span.kind".to_owned())), "{told:?}");
    assert!(told.iter().all(|(_, item)| item == "span.kind" || item.ends_with(" in event.attributes")), "{told:?}");
}

#[test]
fn an_instrument_that_falls_closes_what_has_no_fallback() {
    let residency = format!("{SMALL_RESIDENCY}rules:\n{RULES}");
    let before = set(&format!("{ONE_LINK}{TO_UK}"), SMALL_CATALOGUE, &residency);
    let mut after = set(&format!("{ONE_LINK}{TO_UK}"), SMALL_CATALOGUE, &residency);
    assert!(forget(&mut after, "dpf"));
    assert_eq!(told(&before, &after), [], "scc takes its place");
    assert!(forget(&mut after, "uk-adequacy"));
    assert!(told(&before, &after).iter().all(|(change, _)| *change == Change::NoLonger));
    assert!(!forget(&mut after, "gone"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Guarantees: for random policies a name is told exactly where a slow reading of both says that it changes for something
    /// that a resource may say, and as a widening exactly where the new reading is not within the old one.
    #[test]
    fn what_is_told_is_what_two_slow_readings_differ_in(
        old in prop::collection::vec(random(), 1..4),
        new in prop::collection::vec(random(), 1..4),
    ) {
        let uk = "  - {id: uk, origin: EEA, reaching: UK, signal: traces, deny: [all]}\n";
        let (before, after) = (rules(&format!("{}{uk}", rules_of(&old))), rules(&format!("{}{uk}", rules_of(&new))));
        let told: Vec<Difference> = differences(&before, &after);
        for (key, on_device) in [
            ("http.route", None), ("host.name", Some("host.name on a device")), ("user.id", None), ("enduser.id", None),
            ("user.email", None), ("client.address", None), ("client.port", None), ("exception.message", None),
        ] {
            let items = [(Resource::Server, Some(key)), (Resource::Device, on_device)];
            let items = items.into_iter().filter_map(|(on, item)| Some((on, item?)));
            for ((on, item), sender) in items.flat_map(|item| SENDERS.map(|sender| (item, sender))) {
                let of = |said| {
                    let reads = |rules| interpret_within(&said_by(&sent_by(rules, sender), said), key, on);
                    let (was, is) = (reads(&old), reads(&new));
                    match (was, is) {
                        _ if was == is => None,
                        ("absent", _) => Some(Change::Newly),
                        (_, "absent") => Some(Change::NoLonger),
                        _ if is_stricter_or_equal(is, was) => Some(Change::Stricter),
                        _ => Some(Change::Weaker),
                    }
                };
                let expected: BTreeSet<Change> = SAID.into_iter().filter_map(of).collect();
                let names = |what: &str| [&old, &new].iter().any(|rules| is_named(rules, what));
                let of_cluster = |name: &str| match names(name) {
                    true => SentBy::Cluster(name.to_owned()),
                    false => SentBy::OtherCluster,
                };
                let own = Sender {
                    cluster: sender.cluster.filter(|_| names("cluster:")).map(of_cluster),
                    listener: sender.listener.filter(|_| names("listener:")),
                };
                let (old, new) = (rules_of(&old), rules_of(&new));
                let concerns = |sender: &Sender| *sender == own;
                let told = told.iter().filter(|one| one.item == item && one.sender.as_ref().is_none_or(concerns));
                let changes: BTreeSet<Change> = told.map(|one| one.change).collect();
                prop_assert_eq!(changes, expected, "{} {:?}\n{}\n{}", item, sender, old, new);
            }
        }
    }
}
