//! Guarantees of the language: what each construct lets cross, and what it takes back.

use super::*;

fn rule(id: &str, body: &str) -> String {
    format!("  - {{id: {id}, origin: EEA, reaching: US, signal: traces, {body}}}\n")
}

fn open(rules: &[String]) -> Table {
    table_of(&rules.concat())
}

fn closed(rules: &[String]) -> Closed {
    small(&format!("rules:\n{}", rules.concat())).table(TO_US, "EEA").unwrap_err()
}

/// The small policy with other words in it.
fn changed(from: &str, to: &str, rules: &str) -> Loaded {
    let residency = format!("{SMALL_RESIDENCY}rules:\n{rules}").replace(from, to);
    assert!(residency.contains(to), "{from}");
    let residency = residency.replace(
        "instruments:",
        "instruments:\n  uk-eu: {from: UK, to: EEA, basis: UK-GDPR-45, review_by: 2027-01-01}",
    );
    let mut texts = EXAMPLE;
    (texts[0].1, texts[4].1, texts[5].1) = (FEDERATION, SMALL_CATALOGUE, &residency);
    load(&texts)
}

#[test]
fn a_rule_in_shadow_lets_nothing_cross_and_holds_nothing_back() {
    let all = rule("all", "allow: {op: raw, direct: raw}");
    let table = open(&[all.clone(), rule("deny", "mode: shadow, deny: [direct]")]);
    assert_eq!(answer(&table, "user.email"), Form::Raw, "a deny in shadow holds nothing back");
    let table = open(&[all.clone(), rule("more", "mode: shadow, allow: {online: raw, direct: user-key}")]);
    assert_eq!([answer(&table, "client.address"), answer(&table, "user.email")], [Form::Absent, Form::Raw]);
    assert_eq!(table.digest(), open(std::slice::from_ref(&all)).digest());
    assert!(matches!(closed(&[rule("only", "mode: shadow, allow: {op: raw}")]), Closed::NoRule { .. }));
    assert_eq!(answer(&open(&[rule("a", "mode: active, allow: {op: raw}")]), "http.route"), Form::Raw);
}

#[test]
fn what_a_rule_in_shadow_would_do_is_told() {
    let rules = [
        rule("all", "allow: {op: raw, corr: raw, direct: raw}"),
        rule("deny", "mode: shadow, deny: [direct]"),
        rule("more", "mode: shadow, allow: {quasi: raw}"),
    ];
    let loaded = small(&format!("rules:\n{}", rules.concat()));
    let told = |key| {
        let item = crate::Item::Attribute { carrier: Carrier::SpanAttributes, key, resource: Resource::Server };
        let policy = loaded.policy.as_ref().unwrap();
        let told = policy.explain(&loaded.federation, (TO_US, Signal::Traces, &origin("EEA")), item, TODAY);
        assert_eq!(told.shadows, ["deny", "more"]);
        (told.form, told.unshadowed)
    };
    assert_eq!(told("user.email"), (Form::Raw, Some(Form::Absent)));
    assert_eq!(told("client.port"), (Form::Absent, Some(Form::Raw)));
    assert_eq!(told("http.route"), (Form::Raw, Some(Form::Raw)));
}

#[test]
fn a_policy_in_shadow_lets_nothing_cross() {
    let loaded = small(&format!("rules:\n{BASIC}mode: shadow\n"));
    assert_eq!(loaded.table(TO_US, "EEA"), Err(Closed::Shadow));
    let item = crate::Item::Attribute { carrier: Carrier::SpanAttributes, key: "user.id", resource: Resource::Server };
    let crossing = (TO_US, Signal::Traces, &origin("EEA"));
    let told = loaded.policy.as_ref().unwrap().explain(&loaded.federation, crossing, item, TODAY);
    assert_eq!((told.form, told.unshadowed), (Form::Absent, Some(Form::Keyed)), "what it would do is told");
    assert!(small(&format!("rules:\n{BASIC}mode: active\n")).table(TO_US, "EEA").is_ok());
}

#[test]
fn all_allows_every_class_that_can_be_allowed_and_no_secret() {
    for word in ["all", "[all]"] {
        let table = open(&[rule("a", &format!("allow: {word}"))]);
        for key in ["http.route", "user.email", "client.address", "client.port", "exception.message", "acme.x"] {
            assert_eq!(answer(&table, key), Form::Raw, "{key}");
        }
        assert_eq!([answer(&table, "url.query"), answer(&table, "unknown")], [Form::Absent; 2]);
    }
}

/// Guarantees: a colleague's wildcard for data from the UK opens no data from the EEA, whatever link it takes.
#[test]
fn a_wildcard_for_one_origin_opens_no_other() {
    let uk = "  - {id: uk, origin: UK, reaching: US, signal: traces, allow: all}\n";
    let loaded = small(&format!("rules:\n{uk}"));
    assert_eq!(answer(&loaded.table(LinkId(2), "UK").unwrap(), "user.email"), Form::Raw);
    for link in [TO_US, LinkId(2)] {
        assert!(matches!(loaded.table(link, "EEA"), Err(Closed::NoRule { .. })));
        assert!(matches!(loaded.table(link, "EEA+UK"), Err(Closed::NoRule { .. })));
    }
}

#[test]
fn a_narrowed_allow_only_restricts_and_a_narrowed_deny_holds_for_all() {
    let raw = rule("raw", "allow: {direct: raw, op: raw}");
    let narrowed = rule("n", "where: {cluster: eu-west-a}, allow: {direct: user-key, online: raw}");
    let table = open(&[raw.clone(), narrowed]);
    assert_eq!([answer(&table, "user.email"), answer(&table, "client.address")], [Form::Keyed, Form::Absent]);
    let table = open(&[raw.clone(), rule("d", "where: {service: [cart], environment: test}, deny: [direct]")]);
    assert_eq!([answer(&table, "user.email"), answer(&table, "http.route")], [Form::Absent, Form::Raw]);
    let table = open(&[raw, rule("c", "where: {namespace: shop}, cap: {direct: keyed}")]);
    assert_eq!(answer(&table, "user.email"), Form::Absent);
}

#[test]
fn an_allow_cannot_rest_on_what_the_sender_says() {
    for key in ["service", "namespace", "environment"] {
        let loaded = small(&format!("rules:\n{}", rule("a", &format!("where: {{{key}: x}}, allow: {{op: raw}}"))));
        assert!(loaded.policy.is_none() && loaded.faults.contains("which the sender chooses"), "{}", loaded.faults);
    }
    assert!(
        small(&format!("rules:\n{}", rule("a", "where: {listener: otlp_grpc}, allow: {op: raw}"))).policy.is_some()
    );
}

#[test]
fn a_rule_is_narrowed_by_clusters_and_listeners_that_there_are() {
    for (narrowing, says) in [
        (
            "cluster: eu-west-c",
            "rules[0].where.cluster: no cluster of EEA is called `eu-west-c`, did you mean `eu-west-a`?",
        ),
        (
            "cluster: [eu-west-a, gone]",
            "rules[0].where.cluster[1]: no cluster of EEA is called `gone`, known here: eu-west-a",
        ),
        ("cluster: uk-south-a", "rules[0].where.cluster: no cluster of EEA is called `uk-south-a`"),
        ("listener: grpc", "rules[0].where.listener: "),
        ("listener: [otlp_http, http]", "rules[0].where.listener[1]: "),
    ] {
        let loaded = small(&format!("rules:\n{}", rule("a", &format!("where: {{{narrowing}}}, deny: [all]"))));
        assert!(loaded.policy.is_none() && loaded.faults.contains(says), "{}", loaded.faults);
    }
}

#[test]
fn a_cap_takes_back_what_exceeds_it_or_cannot_be_compared() {
    let form = |allow: &str, cap: &str| {
        let table =
            open(&[rule("a", &format!("allow: {{online: {allow}}}")), rule("c", &format!("cap: {{online: {cap}}}"))]);
        answer(&table, "client.address")
    };
    assert_eq!(form("raw", "raw"), Form::Raw);
    assert_eq!(form("raw", "generalised"), Form::Absent);
    assert_eq!(form("ip-net", "generalised"), Form::Generalised);
    assert_eq!(form("ip-net", "keyed"), Form::Absent);
    assert_eq!(form("user-key", "keyed"), Form::Keyed);
    assert_eq!(form("user-key", "aggregated"), Form::Absent);
}

#[test]
fn of_a_pair_that_would_cross_together_neither_does() {
    let allow = rule("a", "allow: {direct: raw, quasi: raw, online: raw}");
    let pair = rule("p", "not_together: [[enduser.id, client.port]]");
    let table = open(&[allow.clone(), pair.clone()]);
    assert_eq!(["user.id", "enduser.id", "client.port"].map(|key| answer(&table, key)), [Form::Absent; 3]);
    assert_eq!(answer(&table, "user.email"), Form::Raw);
    let table = open(&[allow.clone(), pair, rule("d", "deny: [{attribute: user.id}]")]);
    assert_eq!(answer(&table, "client.port"), Form::Raw, "alone it may cross");
    let everywhere =
        small(&format!("rules:\n{allow}not_together: [[user.id, client.port], [client.port, client.address]]\n"));
    let table = everywhere.table(TO_US, "EEA").unwrap();
    assert_eq!(["user.id", "client.port", "client.address"].map(|key| answer(&table, key)), [Form::Absent; 3]);
}

/// Guarantees: a pair with a template parts what is listed below it too, as a deny of the template holds it back.
#[test]
fn a_pair_with_a_template_parts_all_that_is_below_it() {
    let catalogue = SMALL_CATALOGUE.replace("  acme.inner.*: free", "  acme.inner.*: quasi\n  acme.shop: quasi");
    let allow = "  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {quasi: raw, direct: raw}}\n";
    let crossing = |more: &str| {
        let residency = format!("{SMALL_RESIDENCY}rules:\n{allow}{more}");
        let mut texts = EXAMPLE;
        (texts[4].1, texts[5].1) = (&catalogue, &residency);
        let table = load(&texts).table(TO_US, "EEA").unwrap();
        let keys = ["acme.x", "acme.shop", "acme.inner.x", "client.port", "user.id"];
        keys.into_iter().filter(|key| answer(&table, key) == Form::Raw).collect::<Vec<_>>()
    };
    assert_eq!(crossing("").len(), 5);
    assert_eq!(crossing("not_together: [[acme.*, user.id]]\n"), ["client.port"]);
    assert_eq!(crossing("not_together: [[user.id, acme.inner.*]]\n"), ["acme.x", "acme.shop", "client.port"]);
    assert_eq!(crossing("not_together: [[acme.*, acme.shop]]\n"), ["client.port", "user.id"]);
}

/// Guarantees: the day on which the one of a pair lapses does not open the other, so what was proved stays proved.
#[test]
fn a_pair_stays_parted_when_one_of_it_lapses() {
    let one = rule("a", "allow: {direct: raw}, not_together: [[user.id, client.port]]");
    let two = rule("b", "accept_risk: {id: R, owner: DPO, expires: 2026-12-24}, allow: {quasi: raw}");
    let loaded = small(&format!("rules:\n{one}{two}"));
    let policy = loaded.policy.as_ref().unwrap();
    for day in [date!(2026 - 12 - 24), date!(2026 - 12 - 25)] {
        let table = policy.table(&loaded.federation, TO_US, Signal::Traces, &origin("EEA"), day).unwrap();
        assert_eq!(["user.id", "client.port"].map(|key| answer(&table, key)), [Form::Absent; 2], "{day}");
        let item =
            crate::Item::Attribute { carrier: Carrier::SpanAttributes, key: "user.id", resource: Resource::Server };
        let told = policy.explain(&loaded.federation, (TO_US, Signal::Traces, &origin("EEA")), item, day);
        assert_eq!(told.reason, crate::Reason::NotTogether("client.port".to_owned()), "{day}");
    }
}

#[test]
fn what_nothing_carries_out_closes_the_crossing() {
    let allow = rule("a", "allow: {op: raw}");
    for (required, what) in
        [("aggregated_at: cluster", "aggregated_at"), ("min_group: {k: 20, subject: user.id}", "min_group")]
    {
        let required = rule("r", &format!("require: {{{required}}}"));
        assert_eq!(closed(&[allow.clone(), required]), Closed::Required { rule: "r".to_owned(), what });
    }
    let shadow = rule("r", "mode: shadow, require: {aggregated_at: cluster}");
    assert_eq!(answer(&open(&[allow, shadow]), "http.route"), Form::Raw);
}

#[test]
fn stripped_carriers_stay() {
    let rules = "rules:\n  - {id: m, origin: EEA, reaching: US, signal: metrics, allow: {op: raw, corr: raw}}\n";
    let strip =
        "  - {id: s, origin: EEA, reaching: US, signal: metrics, require: {strip: [exemplars, point.extremes]}}\n";
    let federation = FEDERATION.replacen("signals: [traces, logs]", "signals: [traces, metrics]", 1);
    let table = |rules: &str| {
        let residency = format!("{SMALL_RESIDENCY}{rules}").replace(
            "instruments:",
            "instruments:\n  uk-eu: {from: UK, to: EEA, basis: UK-GDPR-45, review_by: 2027-01-01}",
        );
        let mut texts = EXAMPLE;
        (texts[0].1, texts[4].1, texts[5].1) = (&federation, SMALL_CATALOGUE, &residency);
        let loaded = load(&texts);
        let policy = loaded.policy.unwrap_or_else(|| panic!("{}", loaded.faults));
        policy.table(&loaded.federation, TO_US, Signal::Metrics, &origin("EEA"), TODAY).unwrap()
    };
    let (open, stripped) = (table(rules), table(&format!("{rules}{strip}")));
    for carrier in [Carrier::ExemplarValue, Carrier::ExemplarTraceId, Carrier::PointExtremes] {
        assert_eq!((open.carrier(carrier), stripped.carrier(carrier)), (Form::Raw, Form::Absent), "{carrier}");
    }
    assert_eq!(stripped.class(Carrier::ExemplarAttributes, Class::Op), Action::Absent);
    let route = |table: &Table, carrier| table.attribute(carrier, b"http.route", Resource::Server).action;
    assert_eq!(route(&open, Carrier::ExemplarAttributes), Action::Raw);
    assert_eq!(route(&stripped, Carrier::ExemplarAttributes), Action::Absent);
    assert_eq!(route(&stripped, Carrier::PointAttributes), Action::Raw);
    assert_eq!(stripped.carrier(Carrier::PointValue), Form::Raw);
    assert_ne!(open.digest(), stripped.digest());
}

#[test]
fn what_rests_on_a_lapsed_risk_is_absent_and_nothing_opens_in_its_place() {
    let risk = "accept_risk: {id: RISK-77, owner: DPO, expires: 2026-12-24}";
    let loaded = changed("accept_risk: RISK-77", risk, BASIC);
    let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
    let on = |policy: &Policy, day| {
        let table = policy.table(&loaded.federation, TO_US, Signal::Traces, &origin("EEA"), day).unwrap();
        answer(&table, "client.address")
    };
    assert_eq!(on(policy, date!(2026 - 12 - 24)), Form::Generalised, "the last day counts");
    assert_eq!(on(policy, date!(2026 - 12 - 25)), Form::Absent);
    let strict = rule("s", "accept_risk: {id: R, owner: DPO, expires: 2026-12-24}, allow: {online: ip-wide}");
    let raw = rule("r", "allow: {online: raw}");
    let loaded = small(&format!("rules:\n{strict}{raw}"));
    let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
    assert_eq!(on(policy, date!(2026 - 12 - 24)), Form::Generalised);
    assert_eq!(on(policy, date!(2026 - 12 - 25)), Form::Absent, "a date that passes never opens anything");
}

#[test]
fn a_risk_has_an_owner_and_an_expiry_or_is_a_name() {
    for (risk, fault) in [
        ("{id: RISK-77, owner: DPO}", "missing key \"expires\""),
        ("{id: RISK-77, expires: 2027-01-01}", "missing key \"owner\""),
        ("{id: '', owner: DPO, expires: 2027-01-01}", "accept_risk.id: an accepted risk has a name"),
        ("{id: R, owner: DPO, expires: soon}", "accept_risk.expires: expected a date"),
        ("{id: R, owner: DPO, expires: 2027-01-01, until: x}", "accept_risk.until: unknown key"),
    ] {
        let loaded = changed("accept_risk: RISK-77", &format!("accept_risk: {risk}"), BASIC);
        assert!(loaded.policy.is_none() && loaded.faults.contains(fault), "{risk}: {}", loaded.faults);
    }
}

#[test]
fn an_instrument_lets_only_its_scope_cross_and_no_more_than_its_caps() {
    let rules = rule("a", "allow: {op: raw, direct: raw, online: ip-net}");
    let with =
        |more: &str| changed("review_by: 2027-02-11, fallback: scc", &format!("{more}, review_by: 2027-02-11"), &rules);
    let forms = |loaded: &Loaded| {
        let table = loaded.table(TO_US, "EEA").unwrap();
        ["http.route", "user.email", "client.address"].map(|key| answer(&table, key))
    };
    assert_eq!(forms(&with("caps: {direct: keyed, online: keyed}")), [Form::Raw, Form::Absent, Form::Absent]);
    assert_eq!(forms(&with("caps: {online: generalised}")), [Form::Raw, Form::Raw, Form::Generalised]);
    assert_eq!(forms(&with("scope: {classes: [op, online]}")), [Form::Raw, Form::Absent, Form::Generalised]);
    let loaded = with("scope: {signals: [logs]}");
    assert!(matches!(loaded.table(TO_US, "EEA"), Err(Closed::NotCovered { .. })));
    let on_device = with("scope: {classes: [op]}").table(TO_US, "EEA").unwrap();
    let cell = on_device.attribute(Carrier::SpanAttributes, b"host.name", Resource::Device);
    assert_eq!(cell.action, Action::Absent, "on a device both classes must be in scope");
}

#[test]
fn an_instrument_names_its_exporters() {
    let rules = BASIC;
    let with = |exporter: &str| {
        changed("recipients: [Acme Inc]", &format!("exporter: {exporter}, recipients: [Acme Inc]"), rules)
    };
    assert!(with("[Acme GmbH, Acme Ltd]").table(TO_US, "EEA").is_ok());
    let loaded = with("Acme GmbH");
    let why = "links[2].instruments.EEA: instrument `dpf` is not for the exporter Acme Ltd";
    assert!(loaded.policy.is_none() && loaded.faults.contains(why), "{}", loaded.faults);
    let loaded = with("[]");
    assert!(loaded.policy.is_none() && loaded.faults.contains("covers nobody"), "{}", loaded.faults);
}

#[test]
fn a_pseudonym_that_several_could_join_stands_for_nothing() {
    let loaded =
        changed("epoch: 30d, scope: per_destination}}\n  other", "epoch: 30d, scope: federation}}\n  other", BASIC);
    assert_eq!(answer(&loaded.table(TO_US, "EEA").unwrap(), "user.id"), Form::Absent);
}

#[test]
fn faults_say_what_to_write_instead() {
    for (body, says) in [
        ("allow: {op: rav}", "did you mean `raw`?"),
        ("allow: {direct: usr-key}", "did you mean `user-key`?"),
        ("allow: [op]", "such as {op: raw}, or `all`"),
        ("allow: {direct: {only: {client.port: raw}}}", "list it below `quasi`"),
        ("deny: [{attribute: client.adress}]", "did you mean `client.address`?"),
        ("require: {strip: [exemplar]}", "did you mean \"exemplars\"?"),
        ("require: {min_group: {k: 1, subject: user.id}}", "`k` is at least 2"),
        ("not_together: [[user.id]]", "a pair is two attributes, such as"),
        ("not_together: [[user.id, enduser.id]]", "say `deny` if it is not to cross"),
        ("where: {}, deny: [all]", "narrows by cluster, listener"),
        ("mode: shadows, deny: [all]", "did you mean \"shadow\"?"),
    ] {
        let loaded = small(&format!("rules:\n{}", rule("a", body)));
        assert!(loaded.policy.is_none() && loaded.faults.contains(says), "{body}: {}", loaded.faults);
        assert!(loaded.faults.starts_with("policies/residency.yaml:16:"), "{}", loaded.faults);
    }
    let mut texts = EXAMPLE;
    let federation = texts[0].1.replacen("EEA: dpf", "EEA: dfp", 1);
    texts[0].1 = &federation;
    assert!(load(&texts).faults.contains("no instrument is called `dfp`, did you mean `dpf`?"));
}

/// Guarantees: a thousand rules and five thousand keys are read, proved and compiled in the time of a start, and whether a key
/// is found does not depend on how many rules there are. The bound is wide: it holds in a debug build on a busy machine.
#[test]
fn a_thousand_rules_and_five_thousand_keys_compile_fast() {
    let mut catalogue = SMALL_CATALOGUE.replace("attributes:\n", "attributes:\n@");
    let classes = ["op", "direct", "online", "quasi", "free"];
    let keys: String = (0..5_000).map(|number| format!("  key.n{number}: {}\n", classes[number % 5])).collect();
    catalogue = catalogue.replace('@', &keys);
    let only = |number: usize| format!("direct: {{only: {{key.n{}: user-key}}}}", number % 1_000 * 5 + 1);
    let rules: String = (0..1_000)
        .map(|number| rule(&format!("r{number}"), &format!("allow: {{op: raw, {}}}", only(number))))
        .collect();
    let residency = format!("{SMALL_RESIDENCY}rules:\n{rules}").replace(
        "instruments:",
        "instruments:\n  uk-eu: {from: UK, to: EEA, basis: UK-GDPR-45, review_by: 2027-01-01}",
    );
    let mut texts = EXAMPLE;
    (texts[0].1, texts[4].1, texts[5].1) = (FEDERATION, &catalogue, &residency);
    let loaded = load(&texts);
    let policy = loaded.policy.as_ref().unwrap_or_else(|| panic!("{}", loaded.faults));
    let clock = stopwatch();
    let table = policy.table(&loaded.federation, TO_US, Signal::Traces, &origin("EEA"), TODAY).unwrap();
    assert!(clock() < std::time::Duration::from_secs(5));
    assert_eq!(table.keys(), 5_000 + 9);
    assert_eq!(
        [answer(&table, "key.n0"), answer(&table, "key.n1"), answer(&table, "key.n2")],
        [Form::Raw, Form::Keyed, Form::Absent]
    );
    let found = |key: &str| table.listed(Carrier::SpanAttributes, key.as_bytes(), Resource::Server);
    assert!(found("key.n4999").is_some() && found("key.n5000").is_none(), "one look-up answers for a key");
}

/// The one place here that asks how long something took.
#[expect(clippy::disallowed_methods, reason = "the test is about time")]
fn stopwatch() -> impl Fn() -> std::time::Duration {
    let start = std::time::Instant::now();
    move || start.elapsed()
}
