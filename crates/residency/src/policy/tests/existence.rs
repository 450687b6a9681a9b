//! Guarantees of values whose span or metric does not cross: none of them is said to.

use super::*;
use crate::explain::Item;
use crate::{Change, Kind, Reason, difference};

fn with(corr: &str) -> Loaded {
    small(&format!(
        "rules:\n  - {{id: a, origin: EEA, reaching: US, signal: traces, allow: {{op: raw, quasi: raw{corr}}}}}\n"
    ))
}

/// Guarantees: what explains a value, shows a link or compares two policies says that nothing crosses without ids, and why.
#[test]
fn nothing_of_a_span_without_ids_is_said_to_cross() {
    let (without, whole) = (with(""), with(", corr: raw"));
    let policy = without.policy.as_ref().unwrap();
    let told = |policy: &Policy, item| {
        policy.explain(&without.federation, (TO_US, Signal::Traces, &origin("EEA")), item, TODAY)
    };
    let route = Item::Attribute { carrier: Carrier::SpanAttributes, key: "http.route", resource: Resource::Server };
    for item in [route, Item::Carrier(Carrier::SpanKind), Item::Carrier(Carrier::ScopeName)] {
        let lost = told(policy, item);
        assert_eq!(lost.form, Form::Absent);
        assert_eq!(
            lost.reason.to_string(),
            "its span does not cross: span.trace_id, without which there is none: corr: no rule allows it"
        );
        assert_eq!(told(whole.policy.as_ref().unwrap(), item).form, Form::Raw);
    }
    let denied = told(policy, Item::Carrier(Carrier::StatusMessage));
    assert!(!matches!(denied.reason, Reason::Lost { .. }), "it would not cross in a span either");

    let rows = policy.matrix(&without.federation, TODAY);
    let row = rows.iter().find(|row| row.origin.as_str() == "EEA" && row.reaching.as_str() == "US").unwrap();
    assert!(row.classes.is_empty() && row.closed.is_none());
    assert_eq!(
        row.lost.as_ref().map(ToString::to_string).as_deref(),
        Some("no span crosses without span.trace_id and span.span_id")
    );
    let found = |loaded: &Loaded| {
        let findings = loaded.policy.as_ref().unwrap().findings(&loaded.federation, TODAY);
        findings.iter().filter(|one| one.kind == Kind::NoItem).count()
    };
    assert!(found(&without) > 0 && found(&whole) == 0);

    let sides = [&without, &whole].map(|side| (side.policy.as_ref().unwrap(), &side.federation));
    let differences = difference(sides[0], sides[1], TODAY);
    for item in ["http.route", "client.port", "span.kind", "span.trace_id", "scope.name"] {
        let one = differences.iter().find(|one| one.item == item);
        assert!(one.is_some_and(|one| one.change == Change::Newly), "{item}");
    }
    assert!(difference(sides[1], sides[0], TODAY).iter().all(|one| one.change == Change::NoLonger));
}

/// Guarantees: what sealers say in their own name is called that where it stands, and nowhere else, even if a catalogue lists it.
#[test]
fn what_sealers_say_themselves_is_named_as_such() {
    let loaded = with(", corr: raw");
    let policy = loaded.policy.as_ref().unwrap();
    let told = |carrier, key| {
        let item = Item::Attribute { carrier, key, resource: Resource::Server };
        policy.explain(&loaded.federation, (TO_US, Signal::Traces, &origin("EEA")), item, TODAY)
    };
    for (carrier, key) in
        [(Carrier::ResourceAttributes, "tollgate.resource"), (Carrier::ScopeAttributes, "tollgate.policy")]
    {
        let own = told(carrier, key);
        assert!(matches!(own.reason, Reason::Ours(mark) if mark.key() == key) && own.form == Form::Absent);
        assert_eq!(told(Carrier::SpanAttributes, key).reason, Reason::Unclassified, "{key}");
    }
    assert_eq!(told(Carrier::ScopeAttributes, "tollgate.other").reason, Reason::Unclassified);
}
