use std::collections::BTreeSet;

use tollgate_config::{Faults, Set};
use tollgate_federation::FederationDraft;

use super::*;
use crate::policy::Policy;

/// Everything that the readers say of three documents.
fn faults_of(residency: &str, catalogue: &str, cases: &str) -> Faults {
    let (set, faults) =
        Set::from_texts([("policies/catalogue.yaml", catalogue), ("policies/residency.yaml", residency)]);
    let draft = FederationDraft::read(&set, &Faults::new());
    let _ = Policy::read(&set, &draft, &faults);
    let (document, read) = tollgate_config::parse("cases.yaml", cases);
    let _ = crate::cases::read_cases(&document, &read);
    read.iter().for_each(|fault| faults.report(&fault.at, fault.message));
    faults
}

/// The keys that a reader knows where it finds one that nobody knows.
fn known_beside(residency: &str, catalogue: &str, cases: &str) -> BTreeSet<String> {
    let faults = faults_of(residency, catalogue, cases);
    let said = faults.iter().find(|fault| fault.at.path.ends_with("qqqqqqqq")).map(|fault| fault.message);
    let said = said.unwrap_or_else(|| panic!("no reader met the key in\n{residency}{catalogue}{cases}\n{faults}"));
    let keys = said.strip_prefix("unknown key, known here: ").unwrap_or_else(|| panic!("{said}"));
    keys.split(", ").map(str::to_owned).collect()
}

fn keys_at(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let object = schema.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"));
    object["properties"].as_object().unwrap().keys().cloned().collect()
}

const Q: &str = "qqqqqqqq: 1";

#[test]
fn the_schema_of_the_policy_has_the_keys_that_its_readers_know() {
    let schema = residency();
    let transforms = "/properties/transforms/additionalProperties";
    let rule = "/properties/rules/items";
    for (text, pointer) in [
        (Q.to_owned(), String::new()),
        (format!("regimes: {{EEA: {{{Q}}}}}"), "/properties/regimes/additionalProperties".to_owned()),
        (format!("instruments: {{a: {{{Q}}}}}"), "/properties/instruments/additionalProperties".to_owned()),
        (
            format!("instruments: {{a: {{scope: {{{Q}}}}}}}"),
            "/properties/instruments/additionalProperties/properties/scope".to_owned(),
        ),
        (
            format!("instruments: {{a: {{caps: {{{Q}}}}}}}"),
            "/properties/instruments/additionalProperties/properties/caps".to_owned(),
        ),
        (format!("transforms: {{a: {{{Q}}}}}"), transforms.to_owned()),
        (format!("transforms: {{a: {{hmac: {{{Q}}}}}}}"), format!("{transforms}/properties/hmac")),
        (format!("transforms: {{a: {{truncate: {{{Q}}}}}}}"), format!("{transforms}/properties/truncate")),
        (
            format!("transforms: {{a: {{accept_risk: {{{Q}}}}}}}"),
            format!("{transforms}/properties/accept_risk/oneOf/1"),
        ),
        (format!("rules: [{{{Q}}}]"), rule.to_owned()),
        (format!("rules: [{{where: {{{Q}}}}}]"), format!("{rule}/properties/where")),
        (
            format!("rules: [{{allow: {{op: {{{Q}}}}}}}]"),
            format!("{rule}/properties/allow/oneOf/2/properties/op/oneOf/1"),
        ),
        (
            format!("rules: [{{allow: {{corr: {{{Q}}}}}}}]"),
            format!("{rule}/properties/allow/oneOf/2/properties/corr/oneOf/1"),
        ),
        (format!("rules: [{{deny: [{{{Q}}}]}}]"), format!("{rule}/properties/deny/items/oneOf/1")),
        (format!("rules: [{{cap: {{{Q}}}}}]"), format!("{rule}/properties/cap")),
        (format!("rules: [{{require: {{{Q}}}}}]"), format!("{rule}/properties/require")),
        (
            format!("rules: [{{require: {{min_group: {{{Q}}}}}}}]"),
            format!("{rule}/properties/require/properties/min_group"),
        ),
        (format!("defaults: {{{Q}}}"), "/properties/defaults".to_owned()),
        (format!("invariants: [{{{Q}}}]"), "/properties/invariants/items".to_owned()),
        (format!("invariants: [{{never: {{{Q}}}}}]"), "/properties/invariants/items/properties/never".to_owned()),
    ] {
        assert_eq!(keys_at(&schema, &pointer), known_beside(&text, "attributes: {}", "cases: []"), "{text}");
    }
    let known = known_beside(&format!("rules: [{{allow: {{{Q}}}}}]"), "attributes: {}", "cases: []");
    let allowed = keys_at(&schema, &format!("{rule}/properties/allow/oneOf/2"));
    let never: BTreeSet<String> = known.difference(&allowed).cloned().collect();
    assert_eq!(never, BTreeSet::from(["secret".to_owned(), "unclassified".to_owned()]));
}

#[test]
fn the_schemas_of_catalogue_and_cases_have_the_keys_that_their_readers_know() {
    let schema = catalogue();
    for (text, pointer) in [
        (format!("attributes: {{}}\n{Q}"), ""),
        (format!("attributes: {{a: {{{Q}}}}}"), "/properties/attributes/additionalProperties/oneOf/1"),
        (format!("attributes: {{}}\nnames: {{{Q}}}"), "/properties/names"),
        (format!("attributes: {{}}\nguards: {{{Q}}}"), "/properties/guards"),
        (format!("attributes: {{}}\nguards: {{op: {{{Q}}}}}"), "/properties/guards/properties/op"),
    ] {
        assert_eq!(keys_at(&schema, pointer), known_beside("rules: []", &text, "cases: []"), "{text}");
    }
    let schema = cases();
    for (text, pointer) in [
        (Q.to_owned(), ""),
        (format!("cases: [{{{Q}}}]"), "/properties/cases/items"),
        (format!("cases: [{{given: {{{Q}}}}}]"), "/properties/cases/items/properties/given"),
        (format!("cases: [{{given: {{}}, expect: {{{Q}}}}}]"), "/properties/cases/items/properties/expect"),
    ] {
        assert_eq!(keys_at(&schema, pointer), known_beside("rules: []", "attributes: {}", &text), "{text}");
    }
}

/// Guarantees: the schemas beside the example are the ones that these types give. `tollgate policy schema NAME` prints them.
#[test]
fn the_shipped_schemas_are_the_generated_ones() {
    for (name, generated, shipped) in [
        ("residency", residency(), include_str!("../../../../policies/schema/residency.json")),
        ("catalogue", catalogue(), include_str!("../../../../policies/schema/catalogue.json")),
        ("cases", cases(), include_str!("../../../../policies/schema/cases.json")),
    ] {
        assert!(format!("{generated:#}\n") == shipped, "print policies/schema/{name}.json anew");
    }
}
