//! Rules that are narrowed to listeners: what is proved of them and said of them.

use super::*;
use crate::Kind;
use crate::difference::{Change, difference};
use crate::sender::{Proved, Sender, SentBy};

const TRACES: &str = "origin: EEA, reaching: US, signal: traces";
const GRPC: Option<Listener> = Some(Listener::OtlpGrpc);
const HTTP: Option<Listener> = Some(Listener::OtlpHttp);

fn with(rule: &str) -> Loaded {
    small(&format!("rules:\n{BASIC}  - {{id: w, {TRACES}, {rule}}}\n"))
}

fn tables(loaded: &Loaded) -> Tables {
    let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
    policy.tables(&loaded.federation, TO_US, Signal::Traces, &origin("EEA"), TODAY).unwrap()
}

fn form(tables: &Tables, key: &str, (cluster, listener): (Option<&str>, Option<Listener>)) -> Form {
    answer(tables.at(tables.place(Proved { cluster, listener })).unwrap().base(), key)
}

/// Guarantees: an allow for a listener opens nothing but what came by it; a deny for one holds for that and for what nobody
/// knows the listener of. Without a cluster that is proved, and where a cluster has no such listener, none is known.
#[test]
fn a_narrowed_rule_holds_for_its_listener_and_what_is_unknown_is_held_back() {
    let (a, b) = (Some("eu-west-a"), Some("eu-west-b"));
    let who = [(a, GRPC), (a, HTTP), (a, None), (b, GRPC), (b, HTTP), (None, None), (Some("uk-south-a"), GRPC)];
    let allowed = tables(&with("where: {listener: otlp_http}, allow: {quasi: raw}"));
    let of = |tables: &Tables, key| who.map(|one| form(tables, key, one) == Form::Raw);
    assert_eq!(of(&allowed, "client.port"), [false, true, false, false, false, false, false]);
    let denied = tables(&with("where: {listener: otlp_http}, deny: [op]"));
    assert_eq!(of(&denied, "http.route"), [true, false, false, true, false, false, false]);
    let either = tables(&with("where: {cluster: eu-west-a, listener: [otlp_grpc, otlp_http]}, allow: {quasi: raw}"));
    assert_eq!(of(&either, "client.port"), [true, true, false, false, false, false, false]);
}

/// Guarantees: an invariant is broken by what crosses for one listener alone, if a collector has it, and the witness names
/// the narrowed rule.
#[test]
fn an_invariant_is_broken_by_what_crosses_for_one_listener_that_there_is() {
    let never = "invariants: [{never: {class: quasi, form: raw}}]\n";
    let load = |narrowed: &str| {
        small(&format!("rules:\n{BASIC}  - {{id: w, {TRACES}, where: {{{narrowed}}}, allow: {{quasi: raw}}}}\n{never}"))
    };
    for narrowed in ["listener: otlp_http", "cluster: eu-west-b, listener: otlp_grpc"] {
        let loaded = load(narrowed);
        assert!(
            loaded.policy.is_none() && loaded.faults.contains("rule w breaks it: acme.* (quasi)"),
            "{}",
            loaded.faults
        );
    }
    let loaded = load("cluster: eu-west-b, listener: otlp_http");
    assert!(loaded.policy.is_some(), "no collector of that cluster receives by HTTP: {}", loaded.faults);
}

/// Guarantees: a listener is proved only where its own region seals: on the way onward nothing is.
#[test]
fn a_narrowed_allow_lets_nothing_onward() {
    let loaded = small(&format!(
        "rules:\n{BASIC}  - {{id: w, {TRACES}, where: {{listener: otlp_grpc}}, allow: {{quasi: raw}}}}\n  - {{id: uk, origin: \
         EEA, reaching: UK, signal: traces, allow: {{op: raw, quasi: raw}}}}\n"
    ));
    let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
    let onward = policy.tables(&loaded.federation, LinkId(2), Signal::Traces, &origin("EEA"), TODAY).unwrap();
    assert!(!onward.tell_apart());
    assert_eq!(form(&onward, "client.port", (Some("eu-west-a"), GRPC)), Form::Absent);
}

/// Guarantees: `show` has a part for each listener, and one for what is not known.
#[test]
fn what_crosses_is_shown_by_listener() {
    let loaded = with("where: {listener: otlp_grpc}, allow: {quasi: raw}");
    let shown = loaded.policy.as_ref().unwrap().matrix(&loaded.federation, TODAY);
    let is_it = |row: &&crate::MatrixRow| {
        row.link.starts_with("eu-west") && row.reaching.as_str() == "US" && row.signal == Signal::Traces
    };
    let from_eea = shown.iter().filter(is_it).filter(|row| row.origin.as_str() == "EEA");
    let told: Vec<_> = from_eea.map(|row| (row.sender.clone(), row.classes.contains_key(&Class::Quasi))).collect();
    let by = |listener| Some(Sender { cluster: None, listener });
    assert_eq!(told, [(by(None), false), (by(GRPC), true), (by(HTTP), false)]);
}

/// Guarantees: a narrowing that is taken away or moved is told as a widening, for what it lets through more.
#[test]
fn a_narrowing_that_changes_is_told_by_listener() {
    let rule = |narrowed: &str| with(&format!("{narrowed} allow: {{quasi: raw}}"));
    let [grpc, http, all] = ["where: {listener: otlp_grpc},", "where: {listener: otlp_http},", ""].map(rule);
    let of_a = rule("where: {cluster: eu-west-a, listener: otlp_http},");
    let told = |old: &Loaded, new: &Loaded| {
        let told = difference(
            (old.policy.as_ref().unwrap(), &old.federation),
            (new.policy.as_ref().unwrap(), &new.federation),
            TODAY,
        );
        let told = told.into_iter().filter(|one| one.item == "client.port" && one.link.0 == "eu-west/gateway");
        told.map(|one| (one.change, one.sender.map(|sender| sender.to_string()))).collect::<Vec<_>>()
    };
    let by = |change, who: &str| (change, Some(who.to_owned()));
    assert_eq!(told(&grpc, &all), [by(Change::Newly, "no proved cluster"), by(Change::Newly, "listener otlp_http")]);
    assert_eq!(
        told(&grpc, &http),
        [by(Change::Newly, "listener otlp_http"), by(Change::NoLonger, "listener otlp_grpc")]
    );
    // Of the other cluster nothing comes by HTTP, and of what has no proved cluster it might.
    let no_longer = told(&http, &of_a);
    assert_eq!(no_longer, [by(Change::NoLonger, "listener otlp_http")]);
    assert_eq!(told(&http, &http), []);
}

/// Guarantees: a rule that names a listener in shadow, or to no effect, changes neither tables nor their name.
#[test]
fn a_listener_that_makes_no_difference_changes_nothing() {
    let plain = tables(&small(&format!("rules:\n{BASIC}")));
    let shadow = with("mode: shadow, where: {listener: otlp_grpc}, allow: {quasi: raw}");
    for idle in [&shadow, &with("where: {cluster: eu-west-a, listener: otlp_grpc}, cap: {free: raw}")] {
        let tables = tables(idle);
        assert!(!tables.tell_apart() && tables.digest() == plain.digest());
    }
    let policy = shadow.policy.as_ref().unwrap();
    let would = |listener| {
        let proved = Proved { cluster: Some("eu-west-a"), listener };
        let shadows = policy.shadows(&shadow.federation, (TO_US, Signal::Traces, &origin("EEA")), proved, TODAY);
        answer(shadows[0].layers.as_ref().unwrap().base(), "client.port")
    };
    assert_eq!([GRPC, HTTP, None].map(would), [Form::Raw, Form::Absent, Form::Absent]);
    assert!(policy.names_senders() && policy.names_listeners(&"EEA".parse().unwrap(), Signal::Traces));
    assert!(!policy.names_listeners(&"UK".parse().unwrap(), Signal::Traces));
    assert!(!policy.names_listeners(&"EEA".parse().unwrap(), Signal::Logs));
}

/// Guarantees: where rules tell clusters apart and others name a listener in vain, the name is that of the clusters alone.
#[test]
fn a_listener_that_makes_no_difference_leaves_clusters_told_apart() {
    let by_cluster = format!("{BASIC}  - {{id: w, {TRACES}, where: {{cluster: eu-west-a}}, allow: {{quasi: raw}}}}\n");
    let more = format!("  - {{id: v, {TRACES}, mode: shadow, where: {{listener: otlp_grpc}}, deny: [op]}}\n");
    let [plain, shadowed] =
        [by_cluster.clone(), by_cluster + &more].map(|rules| tables(&small(&format!("rules:\n{rules}"))));
    assert!(plain.tell_apart() && plain.digest() == shadowed.digest());
    assert_eq!(form(&shadowed, "client.port", (Some("eu-west-a"), HTTP)), Form::Raw);
    assert_eq!(form(&shadowed, "client.port", (Some("eu-west-b"), GRPC)), Form::Absent);
    let senders: Vec<_> = shadowed.iter().map(|(sender, _)| sender.cluster.clone()).collect();
    assert_eq!(senders, [None, Some(SentBy::Cluster("eu-west-a".to_owned())), Some(SentBy::OtherCluster)]);
}

/// Guarantees: `check` says nothing of a rule that decides for one listener, unless no collector has it.
#[test]
fn a_rule_that_decides_for_one_listener_is_not_called_idle() {
    let found = |rule: &str| {
        let loaded = with(rule);
        let findings = loaded.policy.unwrap_or_else(|| panic!("{}", loaded.faults)).findings(&loaded.federation, TODAY);
        let of = |kind: &Kind| {
            matches!(kind, Kind::RedundantRule | Kind::ContradictoryRule | Kind::NotEnforced | Kind::DeadRule)
        };
        let own = findings.into_iter().filter(|one| of(&one.kind) && one.rules.iter().all(|rule| rule.id == "w"));
        own.map(|one| one.kind).collect::<Vec<_>>()
    };
    assert_eq!(found("where: {listener: otlp_http}, allow: {quasi: raw}"), []);
    assert_eq!(found("where: {listener: otlp_grpc}, deny: [op]"), []);
    assert_eq!(found("where: {cluster: eu-west-a, listener: otlp_grpc}, deny: [op]"), []);
    assert_eq!(found("where: {listener: otlp_http}, cap: {free: raw}"), [Kind::RedundantRule]);
    assert_eq!(found("where: {cluster: eu-west-b, listener: otlp_http}, deny: [op]"), [Kind::DeadRule]);
}
