//! Guarantees of reading: every fault of every document at its place, none hidden by another, none said twice.

use super::*;

#[test]
fn faults_of_all_sections_are_reported_together_and_leave_no_policy() {
    let rules = concat!(
        "transforms:\n",
        "  hash: {sha256: {}}\n",
        "  long: {truncate: {v4: 25, v6: 48}, accept_risk: R}\n",
        "  house: {truncate: {v4: 24, v6: 48}}\n",
        "  shared: {hmac: {group: user, key: user, epoch: 30d, scope: everywhere}}\n",
        "  now: {hmac: {group: user, key: user, epoch: 10ms, scope: per_destination}}\n",
        "  fine: {hmac: {group: user, key: user, epoch: 1d, scope: per_destination}}\n",
        "defaults: {unclassified: keep, on_error: drop, expired_instrument: deny_link}\n",
        "rules:\n",
        "  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {secret: raw}}\n",
        "  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {op: raw}}\n",
        "  - {id: c, origin: MARS, reaching: US, signal: traces, allow: {op: raw}}\n",
        "  - {id: d, origin: EEA, reaching: US, signal: traces, allow: {op: sha256}}\n",
        "  - {id: e, origin: EEA, reaching: US, signal: traces, allow: {people: raw}}\n",
        "  - {id: f, origin: EEA, reaching: US, signal: traces, allow: {direct: {only: {http.route: raw}}}}\n",
        "  - {id: g, origin: EEA, reaching: US, signal: traces, deny: [{attribute: user.emial}]}\n",
        "  - {id: h, origin: EEA, reaching: US, signal: metrics, require: {}, allow: {op: raw}}\n",
        "  - {id: i, origin: EEA, reaching: US, signal: traces, mode: shade, allow: {op: raw}}\n",
        "  - {id: j, origin: EEA, reaching: US, signal: traces, where: {service: a}, allow: {op: raw}}\n",
        "  - {id: k, origin: EEA, reaching: US, signal: traces, allow: {unclassified: raw}}\n",
        "  - {id: l, origin: EEA, reaching: US, signal: traces}\n",
        "  - {id: m, origin: EEA, reaching: UK, signal: traces, allow: {op: raw}}\n",
        "invariants:\n",
        "  - never: {class: op, form: raw}\n",
        "  - never: {class: op}\n",
        "  - never: {origin: EAA, class: op, form: raw}\n",
    );
    let start = SMALL_RESIDENCY.find("transforms:").unwrap();
    let residency = format!("{}{rules}", &SMALL_RESIDENCY[..start]);
    let mut texts = EXAMPLE;
    texts[4].1 = SMALL_CATALOGUE;
    texts[5].1 = &residency;
    let loaded = load(&texts);
    assert!(loaded.policy.is_none());
    let first = SMALL_RESIDENCY[..start].lines().count();
    let quiet = [1, 7, 9, 22, 23];
    for line in (1..=rules.lines().count()).filter(|line| !quiet.contains(line)) {
        let place = format!("residency.yaml:{}:", first + line);
        assert!(loaded.faults.contains(&place), "nothing on {place}\n{}", loaded.faults);
    }
}

#[test]
fn instruments_that_do_not_fit_their_link_are_faults() {
    for (wrong, why) in [
        (
            FEDERATION.replace("{EEA: dpf, UK: uk-us-extension}", "{EEA: uk-adequacy, UK: uk-us-extension}"),
            "links[0].instruments.EEA: instrument `uk-adequacy` is for EEA to UK, not for EEA to US",
        ),
        (
            FEDERATION.replace("{EEA: uk-adequacy}", "{EEA: gone}"),
            "links[3].instruments.EEA: no instrument is called `gone`",
        ),
    ] {
        let residency = format!("{SMALL_RESIDENCY}rules:\n{BASIC}");
        let mut texts = EXAMPLE;
        texts[0].1 = &wrong;
        texts[4].1 = SMALL_CATALOGUE;
        texts[5].1 = &residency;
        let loaded = load(&texts);
        assert!(loaded.policy.is_none() && loaded.faults.contains(why), "{}", loaded.faults);
    }
}

#[test]
fn recipient_that_an_instrument_does_not_name_is_a_fault() {
    let mut texts = EXAMPLE;
    let region = EXAMPLE[3].1.replace("Acme Inc", "Other Inc");
    texts[3].1 = &region;
    let loaded = load(&texts);
    assert!(
        loaded.policy.is_none() && loaded.faults.contains("instrument `dpf` is not for the recipient Other Inc"),
        "{}",
        loaded.faults
    );
}

/// Guarantees: an invariant is not called broken because of a rule that a fault took away; elsewhere it is.
#[test]
fn nothing_is_proved_where_a_rule_could_not_be_read() {
    let allow = "  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {direct: raw}}\n";
    let elsewhere = "  - {id: b, origin: UK, reaching: US, signal: traces, allow: {direct: raw}}\n";
    let invariants = "invariants:\n  - never: {class: direct, form: raw}\n";
    let faults = |rules: &str| small(&format!("rules:\n{allow}{rules}{invariants}")).faults;
    assert!(faults("").contains("rule a breaks it"));
    for (fault, rule) in [
        ("[direkt]", "{id: no, origin: EEA, reaching: US, signal: traces, deny: [direkt]}"),
        ("denny", "{id: no, origin: EEA, reaching: US, signal: traces, deny: [online], denny: [direct]}"),
        ("direkt key", "{id: no, origin: EEA, reaching: US, signal: traces, allow: {direct: direkt-key}}"),
        ("no origin", "{id: no, reaching: US, signal: traces, deny: [direct]}"),
        ("no mapping", "no"),
    ] {
        let said = faults(&format!("  - {rule}\n"));
        assert_eq!(said.lines().count(), 1, "{fault}: {said}");
        assert!(!said.contains("breaks it"), "{fault}: {said}");
    }
    let both =
        faults(&format!("{elsewhere}  - {{id: no, origin: EEA, reaching: US, signal: traces, deny: [direkt]}}\n"));
    assert!(both.contains("rule b breaks it") && !both.contains("rule a"), "{both}");
    let misread = invariants.replace("class: direct", "class: direct, outside: [USA]");
    let said = small(&format!("rules:\n{allow}{misread}")).faults;
    assert!(said.lines().count() == 1 && said.contains("outside[0]: no regime is called `USA`"), "{said}");
    let misread = invariants.replace("class: direct", "class: direct, origin: 7");
    assert_eq!(small(&format!("rules:\n{elsewhere}{misread}")).faults.lines().count(), 1);
}

/// Guarantees: a name is unknown only if it stands nowhere. What a fault made of it is said where it stands, once.
#[test]
fn what_has_a_fault_is_not_called_unknown_wherever_it_is_used() {
    let one = |from: &str, to: &str| {
        let mut texts = EXAMPLE;
        let changed = texts.map(|(_, text)| text.replacen(from, to, 1));
        texts.iter_mut().zip(&changed).for_each(|(text, changed)| text.1 = changed);
        assert_ne!(texts, EXAMPLE, "{from}");
        let (set, faults) = Set::from_texts(texts);
        let draft = FederationDraft::read(&set, &faults);
        let policy = Policy::read(&set, &draft, &faults);
        assert!(policy.is_none() || draft.whole().is_none());
        faults.to_string()
    };
    for (from, to, place) in [
        ("EEA: {law: GDPR}", "EEA: {lav: GDPR}", "residency.yaml:6:9: regimes.EEA.lav: unknown key"),
        ("EEA: {law: GDPR}", "EEA: {law: 7}", "residency.yaml:6:14: regimes.EEA.law: expected text"),
        ("regimes:  ", "regimes: 7\nregime:", "residency.yaml:5:10: regimes: expected a mapping"),
        (
            "review_by: 2027-03-01",
            "review_by: never",
            "residency.yaml:15:101: instruments.scc.review_by: expected a date",
        ),
        (
            "instruments:\n",
            "instruments:\n  - a\ninstrumente:\n",
            "residency.yaml:13:3: instruments: expected a mapping",
        ),
        ("epoch: 30d", "epoch: 30 d", "residency.yaml:25:52: transforms.user-key.hmac.epoch: expected a duration"),
        (
            "key: session, epoch: 1d,",
            "key: user, retain: 1d, epoch: 30d,",
            "residency.yaml:25:20: transforms.user-key.hmac: another transform keeps the same roots, of key user",
        ),
        ("user.id: {class: direct,", "user.id: {class: dir,", "attributes[\"user.id\"].class: "),
        ("attributes:\n", "attributes: [\n", "catalogue.yaml:"),
        ("regime: UK", "regime: 7", "uk-south.yaml:2:9: regime: expected text"),
        ("links:\n", "links: [\n", "federation.yaml:"),
    ] {
        let faults = one(from, to);
        let known = |fault: &&str| !fault.contains("unknown key, did you mean");
        let others: Vec<&str> = faults.lines().filter(|fault| !fault.contains(place)).filter(known).collect();
        assert!(faults.contains(place) && others.is_empty(), "{place}:\n{faults}");
    }
}

/// Guarantees: whatever is wrong in `regions/`, and however little of it can be read, the faults here are said too.
#[test]
fn faults_of_the_regions_hide_none_of_the_policies() {
    let residency =
        EXAMPLE[5].1.replace("accept_risk: {id: RISK-77, owner: DPO, expires: 2027-06-30}", "accept_risk: ''");
    for (file, from, to, more) in [
        (0, "trust_domain: acme.example", "trust_domain: ACME", 3),
        (0, "us-east/central, carries: [EEA]", "us-est/central, carries: [EEA]", 3),
        (0, "signals: [traces], instruments: {EEA: dpf}", "signals: [], instruments: {EEA: dpf}", 3),
        (1, "entity: Acme GmbH", "entity: 7", 3),
        (3, "regime: US", "regime: usa", 3),
        (0, "federation:", "- federation:", 2),
    ] {
        let mut texts = EXAMPLE;
        let federation = texts[0].1.replacen("EEA: dpf", "EEA: gone", 1);
        (texts[0].1, texts[5].1) = (&federation, &residency);
        let changed =
            texts[file].1.replacen(&from.replace("EEA: dpf", "EEA: gone"), &to.replace("EEA: dpf", "EEA: gone"), 1);
        assert_ne!(changed, texts[file].1, "{from}");
        texts[file].1 = &changed;
        let (set, faults) = Set::from_texts(texts);
        let draft = FederationDraft::read(&set, &faults);
        assert!(Policy::read(&set, &draft, &faults).is_none());
        assert_eq!(faults.len(), more, "{from}:\n{faults}");
        assert!(faults.to_string().contains("transforms.ip-net.accept_risk: an accepted risk has a name"), "{faults}");
    }
}

#[test]
fn regimes_that_the_policy_does_not_know_are_faults_where_they_stand() {
    let mut texts = EXAMPLE;
    let region = format!(
        "{}backends: {{far: {{otlp_grpc: a:1, signals: [logs], regime: AU, entity: Far Pty}}}}\n",
        EXAMPLE[2].1.replace("regime: UK", "regime: GB")
    );
    texts[2].1 = &region;
    let (set, faults) = Set::from_texts(texts);
    let draft = FederationDraft::read(&set, &faults);
    let before: Vec<String> = faults.iter().map(|fault| fault.to_string()).collect();
    assert!(Policy::read(&set, &draft, &faults).is_none());
    let new: Vec<String> =
        faults.iter().map(|fault| fault.to_string()).filter(|fault| !before.contains(fault)).collect();
    assert_eq!(
        new,
        [
            "regions/federation.yaml:6:97: links[2].instruments.EEA: instrument `uk-adequacy` is for EEA to UK, not for EEA to GB: declare one",
            "regions/uk-south.yaml:2:9: regime: the residency policy knows no regime GB: declare it below `regimes`",
            "regions/uk-south.yaml:13:59: backends.far.regime: the residency policy knows no regime AU: declare it below `regimes`",
        ]
    );
}

#[test]
fn a_deny_that_notation_took_away_leaves_no_policy() {
    let rules = "rules:\n  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {op: raw}}\n  - *deny\n";
    let residency = format!("{SMALL_RESIDENCY}{rules}");
    let mut texts = EXAMPLE;
    (texts[4].1, texts[5].1) = (SMALL_CATALOGUE, &residency);
    let (set, faults) = Set::from_texts(texts);
    let draft = FederationDraft::read(&set, &Faults::new());
    assert!(Policy::read(&set, &draft, &faults).is_none());
    assert_eq!(faults.len(), 1, "{faults}");
}

#[test]
fn missing_documents_are_faults_and_no_policy() {
    let loaded = load(&EXAMPLE[..4]);
    assert!(loaded.policy.is_none());
    assert!(loaded.faults.contains(CATALOGUE) && loaded.faults.contains(RESIDENCY));
    let broken = EXAMPLE[5].1.replace("EEA: {law: GDPR}", "EEA: {lav: GDPR}");
    let without_catalogue = [EXAMPLE[0], EXAMPLE[1], EXAMPLE[2], EXAMPLE[3], (RESIDENCY, &broken)];
    let faults = load(&without_catalogue).faults;
    assert!(faults.contains("regimes.EEA.lav") && faults.lines().count() == 2, "{faults}");
}
