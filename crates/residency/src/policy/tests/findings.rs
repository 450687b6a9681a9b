//! Guarantees of `check`: what it finds, and that it finds nothing where nothing is.

use super::*;
use crate::finding::{Finding, Kind};

fn found(rules: &str) -> Vec<Finding> {
    let loaded = small(rules);
    let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
    policy.findings(&loaded.federation, TODAY)
}

fn of(findings: &[Finding], kind: Kind) -> Vec<&str> {
    findings.iter().filter(|one| one.kind == kind).map(|one| one.message.as_str()).collect()
}

/// Rules, and what is found of them.
type Expected = (String, Kind, &'static str);

fn of_rules() -> Vec<Expected> {
    let to_us = "origin: EEA, reaching: US, signal: traces";
    vec![
        (
            format!("{BASIC}  - {{id: dead, origin: US, reaching: EEA, signal: traces, allow: {{op: raw}}}}\n"),
            Kind::DeadRule,
            "rule dead is dead: no link brings traces from US to EEA",
        ),
        (
            format!("{BASIC}  - {{id: again, {to_us}, allow: {{op: raw}}}}\n"),
            Kind::RedundantRule,
            "rule again is redundant",
        ),
        (
            format!("{BASIC}  - {{id: no, {to_us}, deny: [corr]}}\n"),
            Kind::ContradictoryRule,
            "rule basic allows corr, and it does not cross: denied (rule no)",
        ),
        (
            format!("{BASIC}  - {{id: other, {to_us}, allow: {{direct: {{only: {{user.id: other-key}}}}}}}}\n"),
            Kind::ContradictoryRule,
            "rule basic allows user.id, and it does not cross: allowed in forms that cannot be compared (rule basic, other)",
        ),
        (
            format!("{BASIC}  - {{id: later, {to_us}, mode: shadow, deny: [op]}}\n"),
            Kind::Shadow,
            "rule later is in shadow",
        ),
        (BASIC.to_owned(), Kind::UnansweredClass, "rule basic does not answer for: quasi, special, secret, free"),
    ]
}

fn of_the_rest() -> Vec<Expected> {
    let to_us = "origin: EEA, reaching: US, signal: traces";
    vec![
        (
            format!("{BASIC}  - {{id: r, {to_us}, require: {{aggregated_at: cluster}}}}\n"),
            Kind::NotEnforced,
            "rule r requires `aggregated_at`",
        ),
        (
            BASIC.to_owned(),
            Kind::KeyElsewhere,
            "traces from EEA over uk-south → us-east/central: the key of user.id lies in EEA, not in uk-south",
        ),
        (
            format!("{BASIC}  - {{id: n, {to_us}, deny: [corr]}}\n"),
            Kind::NoItem,
            "traces from EEA over eu-west → us-east/central: no span crosses without span.trace_id and span.span_id",
        ),
        (
            format!("{BASIC}not_together: [[user.id, client.address]]\n"),
            Kind::Parted,
            "client.address and user.id would both cross, so neither does",
        ),
        (
            format!(
                "{BASIC}  - {{id: x, {to_us}, accept_risk: {{id: R-1, owner: DPO, expires: 2026-11-30}}, allow: {{op: raw}}}}\n"
            ),
            Kind::ExpiredRisk,
            "rule x rests on R-1 (DPO), which was accepted until 2026-11-30",
        ),
        (
            format!(
                "{BASIC}  - {{id: x, {to_us}, accept_risk: {{id: R-1, owner: DPO, expires: 2026-12-30}}, allow: {{op: raw}}}}\n"
            ),
            Kind::ExpiringRisk,
            "accepted until 2026-12-30",
        ),
        (BASIC.to_owned(), Kind::UnownedRisk, "transform ip-net rests on RISK-77, which has no owner and no last day"),
        (BASIC.to_owned(), Kind::ExpiringInstrument, "instrument uk-eu is to be reviewed by 2027-01-01"),
        (BASIC.to_owned(), Kind::CatalogueGap, "http.client_ip is another name of client.address and has no class"),
        (
            format!(
                "{BASIC}  - {{id: bad, origin: US, reaching: EEA, signal: traces, allow: {{direct: raw}}}}\ninvariants: [{{never: {{class: direct, form: raw}}}}]\n"
            ),
            Kind::LatentInvariant,
            "rule bad breaks it",
        ),
        (
            format!(
                "{BASIC}  - {{id: uk, origin: EEA, reaching: UK, signal: traces, allow: {{op: raw, corr: raw}}}}\n"
            ),
            Kind::Onward,
            "traces from EEA reach US onward, by eu-west/gateway → uk-south/gateway → us-east/central",
        ),
    ]
}

#[test]
fn each_kind_of_finding_is_found_where_it_is() {
    for (rules, kind, says) in [of_rules(), of_the_rest()].concat() {
        let findings = found(&format!("rules:\n{rules}"));
        assert!(of(&findings, kind).iter().any(|one| one.contains(says)), "{says}\n{findings:#?}");
        assert!(findings.is_sorted_by_key(|one| one.kind.severity()));
    }
}

/// Guarantees: what a rule in shadow would break is told before somebody lets it hold.
#[test]
fn an_invariant_that_a_rule_in_shadow_would_break_is_told() {
    let shadow = "  - {id: s, origin: EEA, reaching: US, signal: traces, mode: shadow, allow: {quasi: raw}}\n";
    let never = "invariants: [{never: {class: quasi, form: raw}}]\n";
    let loaded = small(&format!("rules:\n{BASIC}{shadow}{never}"));
    let policy = loaded.policy.unwrap_or_else(|| panic!("{}", loaded.faults));
    assert!(policy.broken(&loaded.federation).is_empty(), "in shadow it lets nothing cross");
    let mut unproved = Unproved(policy);
    assert!(unproved.latent_in_shadow(&loaded.federation).is_empty());
    assert!(unproved.lift_shadows());
    let found = unproved.latent_in_shadow(&loaded.federation);
    assert!(found[0].message.ends_with(", if what is in shadow held") && found[0].kind == Kind::LatentInvariant);
    assert!(!unproved.lift_shadows(), "nothing is left in shadow");
}

#[test]
fn a_rule_that_does_something_is_called_neither_dead_nor_redundant_nor_contradictory() {
    let findings = found(&format!(
        "rules:\n{BASIC}  - {{id: d, origin: EEA, reaching: US, signal: traces, deny: [{{attribute: http.route}}]}}\n"
    ));
    for kind in [Kind::DeadRule, Kind::RedundantRule, Kind::ContradictoryRule, Kind::BrokenInvariant, Kind::Shadow] {
        assert_eq!(of(&findings, kind), Vec::<&str>::new());
    }
}

/// Guarantees: what another region sends on is compared with what the direct way lets through.
#[test]
fn an_onward_path_weaker_than_the_direct_one_is_found() {
    let uk = "  - {id: uk, origin: EEA, reaching: UK, signal: traces, allow: {op: raw, corr: raw, quasi: raw}}\n";
    let us = BASIC.replace("op: raw", "op: raw, quasi: raw");
    let direct_capped = format!("rules:\n{us}{uk}");
    assert_eq!(of(&found(&direct_capped), Kind::WeakerOnward), Vec::<&str>::new());
    // The direct link rests on an instrument with a cap, the one from the UK on another without.
    let federation = FEDERATION.replacen("{EEA: dpf, UK: uk-us-extension}", "{EEA: strict, UK: uk-us-extension}", 1);
    let residency = format!("{SMALL_RESIDENCY}{direct_capped}").replace(
        "instruments:",
        "instruments:\n  uk-eu: {from: UK, to: EEA, basis: UK-GDPR-45, review_by: 2028-01-01}\n  \
         strict: {from: EEA, to: US, basis: GDPR-49, caps: {quasi: aggregated}, review_by: 2028-01-01}",
    );
    let mut texts = EXAMPLE;
    (texts[0].1, texts[4].1, texts[5].1) = (&federation, SMALL_CATALOGUE, &residency);
    let loaded = load(&texts);
    let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
    let findings = policy.findings(&loaded.federation, TODAY);
    let weaker = of(&findings, Kind::WeakerOnward);
    assert_eq!(weaker.len(), 1, "{weaker:?}");
    assert!(
        weaker[0].contains("in a weaker form than on the direct way") && weaker[0].contains("client.port (raw)"),
        "{weaker:?}"
    );
}

#[test]
fn names_of_one_attribute_with_different_classes_are_found() {
    let catalogue = SMALL_CATALOGUE.replace("aliases: [enduser.id]}", "aliases: []}\n  enduser.id: quasi");
    let residency = format!("{SMALL_RESIDENCY}rules:\n{BASIC}");
    let mut texts = EXAMPLE;
    (texts[4].1, texts[5].1) = (&catalogue, &residency);
    let loaded = load(&texts);
    let findings = loaded.policy.as_ref().unwrap().findings(&loaded.federation, TODAY);
    let says = "enduser.id is quasi and user.id is direct, and both are names of one attribute";
    assert!(of(&findings, Kind::AliasesDisagree).iter().any(|one| one.contains(says)), "{findings:#?}");
}

#[test]
fn broken_invariants_come_first_and_the_example_has_none() {
    let loaded = load(&EXAMPLE);
    let findings = loaded.policy.as_ref().unwrap().findings(&loaded.federation, TODAY);
    for kind in [
        Kind::BrokenInvariant,
        Kind::LatentInvariant,
        Kind::ContradictoryRule,
        Kind::AliasesDisagree,
        Kind::CatalogueGap,
    ] {
        assert_eq!(of(&findings, kind), Vec::<&str>::new());
    }
}

#[test]
fn nothing_is_said_of_logs_that_rules_let_cross() {
    let logs = "  - {id: l, origin: EEA, reaching: US, signal: logs, allow: {op: raw}}\n";
    let findings = found(&format!("rules:\n{BASIC}{logs}"));
    assert_eq!(of(&findings, Kind::NotEnforced), Vec::<&str>::new());
}
