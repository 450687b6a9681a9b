//! Rules that are narrowed to clusters: what is proved of them and said of them.

use super::*;
use crate::Kind;
use crate::difference::{Change, difference};
use crate::sender::{Proved, Sender, SentBy};

const TRACES: &str = "origin: EEA, reaching: US, signal: traces";

fn with(rule: &str) -> Loaded {
    small(&format!("rules:\n{BASIC}  - {{id: w, {TRACES}, {rule}}}\n"))
}

fn cluster(name: &str) -> Option<Sender> {
    Some(Sender { cluster: Some(SentBy::Cluster(name.to_owned())), listener: None })
}

fn others() -> Option<Sender> {
    Some(Sender { cluster: Some(SentBy::OtherCluster), listener: None })
}

fn of(cluster: Option<&str>) -> Proved<'_> {
    Proved { cluster, listener: None }
}

/// Guarantees: an invariant is broken by what crosses for one cluster alone, and the witness names the narrowed rule.
#[test]
fn an_invariant_is_broken_by_what_crosses_for_one_cluster() {
    let never = "invariants: [{never: {class: quasi, form: raw}}]\n";
    let rule =
        |narrowed: &str| format!("rules:\n{BASIC}  - {{id: w, {TRACES}, {narrowed} allow: {{quasi: raw}}}}\n{never}");
    let loaded = small(&rule("where: {cluster: eu-west-a},"));
    assert!(loaded.policy.is_none() && loaded.faults.contains("rule w breaks it: acme.* (quasi)"), "{}", loaded.faults);
}

/// Guarantees: a cluster is proved only where its own region seals what it sent: on the way onward nothing is.
#[test]
fn a_narrowed_allow_lets_nothing_onward() {
    let loaded = small(&format!(
        "rules:\n{BASIC}  - {{id: w, {TRACES}, where: {{cluster: eu-west-a}}, allow: {{quasi: raw}}}}\n  - {{id: uk, origin: \
         EEA, reaching: UK, signal: traces, allow: {{op: raw, quasi: raw}}}}\n"
    ));
    let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
    let tables = |link| policy.tables(&loaded.federation, LinkId(link), Signal::Traces, &origin("EEA"), TODAY).unwrap();
    let [direct, onward] = [tables(0), tables(2)];
    let form = |tables: &Tables, cluster| answer(tables.at(tables.place(of(cluster))).unwrap().base(), "client.port");
    assert_eq!(
        [Some("eu-west-a"), Some("eu-west-b"), None].map(|one| form(&direct, one)),
        [Form::Raw, Form::Absent, Form::Absent]
    );
    assert!(!onward.tell_apart());
    assert_eq!(form(&onward, Some("eu-west-a")), Form::Absent);
    let shown = policy.matrix(&loaded.federation, TODAY);
    let is_it = |row: &&crate::MatrixRow| {
        row.link.starts_with("eu-west") && row.reaching.as_str() == "US" && row.signal == Signal::Traces
    };
    let from_eea = shown.iter().filter(is_it).filter(|row| row.origin.as_str() == "EEA");
    let told: Vec<_> = from_eea.map(|row| (row.sender.clone(), row.classes.contains_key(&Class::Quasi))).collect();
    let expected = [(Some(Sender::UNPROVED), false), (cluster("eu-west-a"), true), (others(), false)];
    assert_eq!(told, expected);
}

/// Guarantees: a narrowing that is taken away, moved or made wider is told as a widening, for those whom it lets through more.
#[test]
fn a_narrowing_that_changes_is_told_by_cluster() {
    let rule = |narrowed: &str| with(&format!("{narrowed} allow: {{quasi: raw}}"));
    let [a, b, all] = ["where: {cluster: eu-west-a},", "where: {cluster: eu-west-b},", ""].map(rule);
    let told = |old: &Loaded, new: &Loaded| {
        let told = difference(
            (old.policy.as_ref().unwrap(), &old.federation),
            (new.policy.as_ref().unwrap(), &new.federation),
            TODAY,
        );
        let told = told.into_iter().filter(|one| one.item == "client.port" && one.link.0 == "eu-west/gateway");
        told.map(|one| (one.change, one.sender)).collect::<Vec<_>>()
    };
    assert_eq!(told(&a, &all), [(Change::Newly, Some(Sender::UNPROVED)), (Change::Newly, others())]);
    assert_eq!(told(&a, &b), [(Change::Newly, cluster("eu-west-b")), (Change::NoLonger, cluster("eu-west-a"))]);
    assert_eq!(told(&a, &a), []);
    let nothing = with("deny: [quasi]");
    assert_eq!(told(&nothing, &all), [(Change::Newly, None)]);
    assert_eq!(told(&nothing, &a), [(Change::Newly, cluster("eu-west-a"))]);
}

/// Guarantees: a rule in shadow that names a cluster changes neither tables nor their name.
#[test]
fn a_narrowed_rule_in_shadow_changes_nothing() {
    let tables = |loaded: &Loaded| {
        let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
        policy.tables(&loaded.federation, TO_US, Signal::Traces, &origin("EEA"), TODAY).unwrap()
    };
    let plain = tables(&small(&format!("rules:\n{BASIC}")));
    let shadow = with("mode: shadow, where: {cluster: eu-west-a}, allow: {quasi: raw}");
    let shadowed = tables(&shadow);
    assert!(!shadowed.tell_apart() && shadowed.digest() == plain.digest());
    let policy = shadow.policy.as_ref().unwrap();
    let would = |cluster| {
        let shadows = policy.shadows(&shadow.federation, (TO_US, Signal::Traces, &origin("EEA")), of(cluster), TODAY);
        answer(shadows[0].layers.as_ref().unwrap().base(), "client.port")
    };
    assert_eq!([Some("eu-west-a"), Some("eu-west-b"), None].map(would), [Form::Raw, Form::Absent, Form::Absent]);
}

/// Guarantees: `check` does not call a rule redundant, contradicted or not carried out that decides for one cluster.
#[test]
fn a_rule_that_decides_for_one_cluster_is_not_called_idle() {
    let found = |rule: &str| {
        let loaded = with(rule);
        let findings = loaded.policy.unwrap_or_else(|| panic!("{}", loaded.faults)).findings(&loaded.federation, TODAY);
        let of = |kind: &Kind| matches!(kind, Kind::RedundantRule | Kind::ContradictoryRule | Kind::NotEnforced);
        let own = findings.into_iter().filter(|one| of(&one.kind) && one.rules.iter().all(|rule| rule.id == "w"));
        own.map(|one| one.kind).collect::<Vec<_>>()
    };
    assert_eq!(found("where: {cluster: eu-west-a}, allow: {quasi: raw}"), []);
    assert_eq!(found("where: {cluster: eu-west-a}, deny: [op]"), []);
    assert_eq!(found("where: {cluster: eu-west-a}, cap: {free: raw}"), [Kind::RedundantRule]);
    assert_eq!(found("where: {cluster: eu-west-a, service: cart}, deny: [op]"), []);
}
