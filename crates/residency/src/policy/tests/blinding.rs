//! Ids that cross blinded.

use std::collections::BTreeSet;

use super::*;
use crate::explain::Item;
use crate::{Change, Makes, difference};

fn rule(corr: &str) -> String {
    format!("  - {{id: blinded, origin: EEA, reaching: US, signal: traces, allow: {{op: raw, corr: {corr}}}}}\n")
}

fn policy(rules: &str) -> Loaded {
    small(&format!("rules:\n{rules}"))
}

const IDS: [Carrier; 7] = [
    Carrier::SpanTraceId,
    Carrier::SpanId,
    Carrier::SpanParentId,
    Carrier::SpanTraceState,
    Carrier::LinkTraceId,
    Carrier::LinkSpanId,
    Carrier::LinkTraceState,
];

/// Guarantees: one line turns blinding on, for every id of the crossing and nothing else, under one key with an epoch of its
/// own; what is explained is what the table does.
#[test]
fn one_line_blinds_all_ids_and_nothing_else() {
    let loaded = policy(&rule("{blind: ids}"));
    let (blinded, raw) = (loaded.table(TO_US, "EEA").unwrap(), table_of(&rule("raw")));
    let told = |carrier| {
        let policy = loaded.policy.as_ref().unwrap();
        policy.explain(&loaded.federation, (TO_US, Signal::Traces, &origin("EEA")), Item::Carrier(carrier), TODAY)
    };
    for carrier in Carrier::ALL.iter().copied().filter(|carrier| carrier.is_on(Signal::Traces)) {
        let expected = if IDS.contains(&carrier) { Form::Keyed } else { raw.carrier(carrier) };
        assert_eq!((blinded.carrier(carrier), told(carrier).form), (expected, expected), "{carrier}");
    }
    assert_eq!(told(Carrier::SpanId).transform.as_deref(), Some("blind: ids"));
    let keyed = blinded.blinding().unwrap();
    assert_eq!((&*keyed.key, keyed.makes, keyed.epoch.as_secs()), ("ids", Makes::Ids, 365 * 24 * 3600));
    assert_eq!(loaded.policy.unwrap().key_uses().last().map(|one| &one.keyed), Some(keyed));
    assert!(raw.blinding().is_none() && raw.digest() != blinded.digest());
}

/// Guarantees: of raw and blinded blinded is the stricter; of two keys, as of two sets of documents, nothing is left.
#[test]
fn the_stricter_of_raw_and_blinded_is_blinded_and_two_keys_meet_in_absent() {
    let [raw, one, two] = ["raw", "{blind: one}", "{blind: two}"].map(|corr| table_of(&rule(corr)));
    let met = one.meet(&raw).unwrap();
    assert_eq!((met.digest(), raw.meet(&one).unwrap().digest()), (one.digest(), one.digest()));
    assert!(one.is_within(&raw) && !raw.is_within(&one));
    assert_eq!(one.meet(&two).unwrap().carrier(Carrier::SpanTraceId), Form::Absent);
    let both = table_of(&(rule("raw") + &rule("{blind: one}").replace("id: blinded", "id: other")));
    assert_eq!(both.digest(), one.digest());
}

#[test]
fn an_attribute_is_never_blinded() {
    let catalogue = SMALL_CATALOGUE.replace("  user.email: direct\n", "  user.email: direct\n  acme.trace: corr\n");
    let uk = "instruments:\n  uk-eu: {from: UK, to: EEA, basis: UK-GDPR-45, review_by: 2027-01-01}";
    let residency = SMALL_RESIDENCY.replace("instruments:", uk) + "rules:\n" + &rule("{blind: ids}");
    let mut texts = EXAMPLE;
    (texts[4].1, texts[5].1) = (&catalogue, &residency);
    texts[0].1 = FEDERATION;
    let loaded = load(&texts);
    let table = loaded.table(TO_US, "EEA").unwrap();
    assert_eq!(answer(&table, "acme.trace"), Form::Absent);
    let item = Item::Attribute { carrier: Carrier::SpanAttributes, key: "acme.trace", resource: Resource::Server };
    let crossing = (TO_US, Signal::Traces, &origin("EEA"));
    let told = loaded.policy.as_ref().unwrap().explain(&loaded.federation, crossing, item, TODAY);
    assert_eq!((told.form, told.reason), (Form::Absent, crate::Reason::OnlyIds));
}

#[test]
fn what_cannot_be_blinded_so_is_refused_with_its_place() {
    for (rules, said) in [
        (rule("{blind: user}"), "`user` makes pseudonyms of persons"),
        (rule("{blind: one}") + &rule("{blind: two}").replace("id: blinded", "id: other"), "it is `one` in line"),
        (rule("{blind: [one]}"), "text"),
        (rule("{blind: one, only: {}}"), "only"),
        (rule("raw").replace("op: raw", "op: {blind: one}"), "blind"),
        (rule("{}"), "only"),
    ] {
        let loaded = policy(&rules);
        assert!(loaded.policy.is_none() && loaded.faults.contains(said), "{rules}: {}", loaded.faults);
        assert!(loaded.faults.contains("policies/residency.yaml:"), "{}", loaded.faults);
    }
}

/// Guarantees: a blinded id is not raw: neither for an invariant nor for `diff`, which calls the way there narrower and the
/// way back wider.
#[test]
fn blinded_is_not_raw_for_the_proof_and_for_diff() {
    let never = "invariants:\n  - never: {class: corr, form: raw, outside: [EEA]}\n";
    assert!(policy(&(rule("{blind: ids}") + never)).policy.is_some());
    assert!(policy(&(rule("raw") + never)).faults.contains("corr"));
    let (raw, blinded) = (policy(&rule("raw")), policy(&rule("{blind: ids}")));
    let changes = |old: &Loaded, new: &Loaded| {
        let found = difference(
            (old.policy.as_ref().unwrap(), &old.federation),
            (new.policy.as_ref().unwrap(), &new.federation),
            TODAY,
        );
        let changes: Vec<_> = found.iter().map(|one| one.change).collect();
        assert!(changes.len() >= IDS.len(), "{found:?}");
        changes
    };
    assert!(changes(&raw, &blinded).iter().all(|change| *change == Change::Stricter));
    assert!(changes(&blinded, &raw).iter().all(|change| *change == Change::Weaker));
}

/// Guarantees: where what comes to a central tier is blinded, so is what its own region sends there, from the documents alone.
#[test]
fn a_region_blinds_at_home_what_it_would_have_to_be_joined_with() {
    let at_home = |rules: &str, region| {
        let loaded = policy(rules);
        let policy = loaded.policy.unwrap_or_else(|| panic!("{}", loaded.faults));
        policy.blinding_at_home(&loaded.federation, region).map(|keyed| keyed.key.clone())
    };
    assert_eq!(at_home(&rule("{blind: ids}"), "us-east").as_deref(), Some("ids"));
    assert_eq!(at_home(&rule("{blind: ids}"), "eu-west"), None, "there is no central tier");
    assert_eq!(at_home(&rule("raw"), "us-east"), None);
    let shadow = rule("{blind: ids}").replace("signal:", "mode: shadow, signal:");
    assert_eq!(at_home(&shadow, "us-east"), None);
    let elsewhere = rule("{blind: ids}").replace("reaching: US", "reaching: UK");
    assert_eq!(at_home(&elsewhere, "us-east"), None);
}

#[test]
fn ids_that_reach_one_place_in_two_forms_are_found() {
    let unjoinable = |uk: &str| {
        let uk = rule(uk).replace("id: blinded, origin: EEA", "id: other, origin: UK");
        let loaded = policy(&(rule("{blind: ids}") + &uk));
        let policy = loaded.policy.unwrap_or_else(|| panic!("{}", loaded.faults));
        let found = policy.findings(&loaded.federation, TODAY).into_iter();
        found.filter(|one| one.kind == crate::Kind::Unjoinable).map(|one| one.message).collect::<Vec<_>>()
    };
    assert!(unjoinable("{blind: ids}").is_empty());
    let found = unjoinable("raw");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|message| message.starts_with("traces from UK over ")), "{found:?}");
}

/// Guarantees: blinded ids are told by their key, and of no group.
#[test]
fn a_difference_names_the_key_of_blinded_ids() {
    let [raw, blind] = ["raw", "{blind: ids}"].map(|corr| policy(&rule(corr)));
    let sides = [&raw, &blind].map(|side| (side.policy.as_ref().unwrap(), &side.federation));
    let told = difference(sides[0], sides[1], TODAY);
    let forms: BTreeSet<&str> = told.iter().flat_map(|one| &one.now).map(String::as_str).collect();
    assert_eq!(forms, BTreeSet::from(["keyed under ids for 31536000 s, kept 7776000 s"]));
}
