use super::*;
use crate::policy::tests::table_of;
use proptest::prelude::*;

const KEYS: [&str; 10] = [
    "http.route",
    "host.name",
    "user.id",
    "enduser.id",
    "user.email",
    "client.address",
    "client.port",
    "acme.x",
    "acme.inner.x",
    "unknown",
];

/// One rule's allows and denies, in the document's words.
fn rule() -> impl Strategy<Value = String> {
    let form = prop_oneof![Just("raw"), Just("user-key"), Just("other-key"), Just("ip-net"), Just("ip-wide")];
    let allow =
        (prop_oneof![Just("op"), Just("corr"), Just("direct"), Just("online"), Just("quasi"), Just("free")], form);
    let deny = prop_oneof![Just("direct"), Just("free"), Just("op"), Just("{attribute: user.email}")];
    let allows = prop::collection::btree_map(allow.0, allow.1, 0..5);
    (allows, prop::collection::vec(deny, 0..2)).prop_map(|(allows, denies)| {
        let allows: Vec<_> = allows.into_iter().map(|(class, form)| format!("{class}: {form}")).collect();
        format!("allow: {{{}}}, deny: [{}]", allows.join(", "), denies.join(", "))
    })
}

fn rules(bodies: &[String]) -> String {
    let line = |(id, body)| format!("  - {{id: r{id}, origin: EEA, reaching: US, signal: traces, {body}}}\n");
    bodies.iter().enumerate().map(line).collect()
}

fn tables() -> impl Strategy<Value = Table> {
    prop::collection::vec(rule(), 1..3).prop_map(|bodies| table_of(&rules(&bodies)))
}

/// Both tables' indices mean the same transform only by content, so widening is judged by form and transform.
fn is_within(narrow: &Table, wide: &Table) -> bool {
    let both = narrow.meet(wide).unwrap();
    let answers = |table: &Table| -> Vec<_> {
        let attributes = KEYS.iter().flat_map(|key| {
            [Resource::Server, Resource::Device]
                .map(|on| table.attribute(Carrier::SpanAttributes, key.as_bytes(), on).action)
        });
        let cells = Carrier::ALL.iter().flat_map(|carrier| Class::ALL.map(|class| table.class(*carrier, class)));
        let named = |action| match action {
            Action::Hmac(index) | Action::Blind(index) => {
                (Form::Keyed, table.keyed().get(index.position()).cloned(), Action::Raw)
            }
            other => (other.form(), None, other),
        };
        attributes.chain(cells).map(named).collect()
    };
    answers(&both) == answers(narrow)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn meet_is_a_semilattice_down_to_the_digest(one in tables(), two in tables(), three in tables()) {
        let meet = |one: &Table, two: &Table| one.meet(two).unwrap();
        prop_assert_eq!(meet(&one, &one).digest(), one.digest());
        prop_assert_eq!(&meet(&one, &one), &one);
        prop_assert_eq!(meet(&one, &two), meet(&two, &one));
        prop_assert_eq!(meet(&meet(&one, &two), &three), meet(&one, &meet(&two, &three)));
    }

    #[test]
    fn meet_never_widens(one in tables(), two in tables()) {
        let both = one.meet(&two).unwrap();
        prop_assert!(is_within(&both, &one) && is_within(&both, &two));
    }

    #[test]
    fn another_rule_with_only_denies_never_widens(bodies in prop::collection::vec(rule(), 1..3), class in 0_usize..9) {
        let before = table_of(&rules(&bodies));
        let deny = format!("deny: [{}]", Class::ALL[class]);
        let after = table_of(&rules(&[bodies, vec![deny]].concat()));
        prop_assert!(is_within(&after, &before));
    }

    #[test]
    fn order_of_rules_means_nothing(mut bodies in prop::collection::vec(rule(), 2..4)) {
        let before = table_of(&rules(&bodies));
        bodies.reverse();
        prop_assert_eq!(before.digest(), table_of(&rules(&bodies)).digest());
    }

    #[test]
    fn no_key_makes_it_panic_and_none_unknown_crosses(key in ".{0,40}") {
        let table = table_of("  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {op: raw}}\n");
        let cell = table.attribute(Carrier::SpanAttributes, key.as_bytes(), Resource::Server);
        prop_assert!(cell.action == Action::Absent || KEYS.contains(&key.as_str()));
    }
}

#[test]
fn tables_of_different_crossings_do_not_meet() {
    let table = table_of("  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {op: raw}}\n");
    let mut parts = table.parts.clone();
    parts.scope.destination = "elsewhere/central".to_owned();
    assert_eq!(table.meet(&Table::new(parts)), None);
}

#[test]
fn a_link_that_has_another_number_in_another_set_is_the_same_crossing() {
    let table = table_of("  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {op: raw}}\n");
    let mut parts = table.parts.clone();
    parts.scope.link = LinkId(7);
    assert_eq!(table.meet(&Table::new(parts)), Some(table));
}

/// Guarantees: a catalogue that learns a key widens what was there and changes nothing else: what both sets let through
/// is what the smaller one did, down to its digest. A key below a template is not forgotten: the template would answer.
#[test]
fn a_key_that_only_one_of_two_catalogues_has_is_in_neither_of_their_meets() {
    let wide = table_of("  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {op: raw, quasi: raw}}\n");
    let without = |name: &[u8]| {
        let mut parts = wide.parts.clone();
        assert!(parts.rows.keys.remove(name).is_some() || parts.rows.templates.remove(name).is_some());
        Table::new(parts)
    };
    for name in [&b"http.route"[..], b"acme."] {
        let narrow = without(name);
        assert_eq!(narrow.meet(&wide).unwrap().digest(), narrow.digest());
        assert!(narrow.is_within(&wide) && !wide.is_within(&narrow) && wide.is_within(&wide));
    }
    let mut parts = wide.parts.clone();
    parts.rows.templates.insert(b"http.".as_slice().into(), parts.rows.templates[&b"acme."[..]].clone());
    let below = Table::new(parts).meet(&wide).unwrap();
    assert_eq!(below.attribute(Carrier::SpanAttributes, b"http.unknown", Resource::Server).action, Action::Absent);
}
