use std::fmt::Write as _;

use super::*;
use crate::finding::Kind;

const RULES: usize = 1000;
const KEYS: usize = 5000;

/// The example with a thousand rules and five thousand keys of its own. Guarantees: it loads and is proved, every rule is
/// judged, and each attribute is answered by its own rule.
#[test]
fn a_thousand_rules_over_five_thousand_keys_load_and_are_proved() {
    let (mut own, mut rules) = (String::from("attributes:\n"), String::from("rules:\n"));
    for key in 0..KEYS {
        let class = if key < RULES { "direct" } else { ["op", "quasi", "online", "free"][key % 4] };
        writeln!(own, "  acme.unit.k{key}: {class}").unwrap();
    }
    for rule in 0..RULES {
        let (allowed, quasi, denied) = (rule, 1001 + 4 * (rule % 900), 1000 + 3 * rule);
        let head = format!("id: more-{rule}, origin: EEA, reaching: US, signal: traces");
        let allow = format!(
            "{{direct: {{only: {{acme.unit.k{allowed}: user-key}}}}, quasi: {{only: {{acme.unit.k{quasi}: raw}}}}}}"
        );
        writeln!(rules, "  - {{{head}, allow: {allow}, deny: [{{attribute: acme.unit.k{denied}}}]}}").unwrap();
    }
    let residency = EXAMPLE[5].1.replacen("rules:\n", &rules, 1);
    let mut texts = EXAMPLE.to_vec();
    texts[5].1 = &residency;
    texts.push((OWN, &own));
    let loaded = load(&texts);
    assert_eq!(loaded.faults, "");
    let table = loaded.table(TO_US, "EEA").unwrap();
    assert_eq!([answer(&table, "acme.unit.k7"), answer(&table, "acme.unit.k1000")], [Form::Keyed, Form::Absent]);
    let policy = loaded.policy.as_ref().unwrap();
    let found = policy.findings(&loaded.federation, TODAY);
    assert!(!found.iter().any(|finding| finding.kind == Kind::BrokenInvariant));
    let unanswered = found.iter().filter(|finding| finding.kind == Kind::UnansweredClass).count();
    assert!(unanswered >= RULES, "{unanswered}");
}

/// Guarantees: the short way to judge whether a rule is redundant finds what comparing everything finds.
#[test]
fn what_is_redundant_is_found_whatever_speaks_of_it() {
    let rule = |id: &str, rest: &str| format!("  - {{id: {id}, origin: EEA, reaching: US, signal: traces, {rest}}}\n");
    let redundant = |rules: &[String]| {
        let loaded = small(&format!("rules:\n{}", rules.concat()));
        let found = loaded.policy.as_ref().unwrap().findings(&loaded.federation, TODAY);
        let found = found.iter().filter(|finding| finding.kind == Kind::RedundantRule);
        found.map(|finding| finding.rules[0].id.clone()).collect::<Vec<_>>()
    };
    let base = rule("base", "allow: {op: raw, direct: {only: {user.id: user-key}}}, deny: [free]");
    for (rest, is_redundant) in [
        ("allow: {op: raw}", true),
        ("allow: {direct: {only: {user.id: user-key}}}", true),
        ("allow: {direct: {only: {user.id: other-key}}}", false),
        ("allow: {direct: {only: {user.id: raw}}}", true),
        ("allow: {quasi: raw}", false),
        ("deny: [{attribute: exception.message}]", true),
        ("deny: [{attribute: http.route}]", false),
        ("deny: [secret]", true),
        ("cap: {op: keyed}", false),
        ("cap: {direct: keyed}", true),
        ("not_together: [[http.route, user.id]]", false),
        ("allow: {online: {only: {client.address: ip-net}}}, not_together: [[client.address, http.route]]", false),
        ("not_together: [[client.address, user.email]]", true),
    ] {
        let found = redundant(&[base.clone(), rule("more", rest)]);
        assert_eq!(found.contains(&"more".to_owned()), is_redundant, "{rest}: {found:?}");
    }
    let found = redundant(&[
        base.clone(),
        rule("paired", "not_together: [[http.route, user.id]]"),
        rule("more", "allow: {op: raw}"),
    ]);
    assert!(found.contains(&"more".to_owned()), "{found:?}");
}
