//! Guarantees of reading: every fault of every document in one pass, each at its place and each once.
#![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

use tollgate_config::Set;
use tollgate_federation::{Compression, Federation, FederationDraft, LinkId, Nodes, PlaceId, Regime, Signal, Traces};

const FEDERATION: &str = "\
federation: {name: acme, trust_domain: acme.example}
links:
  - {from: eu-west, to: us-east/central, carries: [EEA], signals: [traces], instruments: {EEA: dpf}}
";
const EU: &str = "\
region: eu-west
regime: EEA
entity: Acme GmbH
trust: {ca: file:ca/eu-west.pem}
clusters:
  a:
    listen: {otlp_grpc: 0.0.0.0:4317, tls: off}
    stamp: {environment: production}
gateway: {nodes: {dns: gateway.eu-west.svc}}
";
const US: &str = "\
region: us-east
regime: US
entity: Acme Inc
trust: {ca: file:ca/us-east.pem}
gateway: {nodes: {static: {0: 10.0.0.1, 1: 10.0.0.2:5000}}, port: 4417}
central: {nodes: {dns: central.us-east.svc}}
";

fn read(federation: &str, eu: &str, us: &str) -> (Option<Federation>, Vec<String>) {
    let texts = [("regions/federation.yaml", federation), ("regions/eu-west.yaml", eu), ("regions/us-east.yaml", us)];
    let (set, faults) = Set::from_texts(texts);
    let federation = Federation::read(&set, &faults);
    (federation, faults.iter().map(|fault| fault.to_string()).collect())
}

fn sound(federation: &str, eu: &str, us: &str) -> Federation {
    let (federation, faults) = read(federation, eu, us);
    assert_eq!(faults, [""; 0]);
    federation.unwrap()
}

/// The faults after one replacement in all three documents.
fn faults_with(from: &str, to: &str) -> Vec<String> {
    assert!([FEDERATION, EU, US].iter().any(|text| text.contains(from)), "{from}");
    let [federation, eu, us] = [FEDERATION, EU, US].map(|text| text.replace(from, to));
    read(&federation, &eu, &us).1
}

#[test]
fn the_plain_documents_are_sound() {
    sound(FEDERATION, EU, US);
}

#[test]
fn a_drop_rule_that_could_never_match_is_a_fault() {
    let stamp = "    stamp: {environment: production}\n";
    let drop = format!("{stamp}    drop: [{{signal: metrics, attribute: a, matches: b}}]\n");
    let fault = "clusters.a.drop[0]: metrics have no attributes of their own: a rule drops traces or logs";
    let faults = faults_with(stamp, &drop);
    assert!(matches!(faults.as_slice(), [one] if one.ends_with(fault)), "{faults:?}");
}

#[test]
fn faults_of_all_documents_are_reported_in_one_pass() {
    let federation = "\
federation: {name: acme, trust_domain: Acme.example}
links:
  - {from: eu-wets, to: us-east/central, carries: [EEA], signals: [traces], instruments: {EEA: dpf}}
  - {from: eu-west, to: us-east/centre, carries: [], signals: [spans], instruments: {}}
  - {from: eu-west, to: uk-south/gateway, carries: [EEA, CH], signals: [traces], instruments: {EEA: x, US: y}}
lnks: []
";
    let eu = "\
region: eu-west
regime: eea
entity: 7
trust: {ca: /etc/ca.pem}
clusters:
  A: {}
  b:
    listen: {otlp_grpc: 4317}
    listen: {}
    stamp: {enviroment: production}
    drop: [{signal: traces, attribute: a, matches: '('}]
    batch: {send_batch_size: 0, timeout: 5}
gateway: {nodes: {dns: a b}, port: 70000}
backends:
  tempo: {otlp_grpc: tempo, signals: traces, headers: {'x y': a, ok: \"secret:Not A Name\"}, tls: on}
  two: {otlp_grpc: a:1, otlp_http: http://b, signals: []}
";
    let us = US.replace("us-east\n", "us-west\n").replace("central: {", "central: {handover_after: 0s, ");
    let (_, faults) = read(federation, eu, &us);
    assert_eq!(
        faults,
        [
            "regions/eu-west.yaml:2:9: regime: a regime is 1 to 16 of A-Z, 0-9 and '-', beginning with a letter, such as EEA",
            "regions/eu-west.yaml:3:9: entity: expected text, found a number (quote it if it is text)",
            "regions/eu-west.yaml:4:13: trust.ca: expected file:PATH, a path below the folder of the documents",
            "regions/eu-west.yaml:6:3: clusters.A: a name consists of a-z, 0-9 and '-', and neither begins nor ends with '-'",
            "regions/eu-west.yaml:6:6: clusters.A: missing key \"listen\"",
            "regions/eu-west.yaml:6:6: clusters.A: missing key \"stamp\"",
            "regions/eu-west.yaml:8:13: clusters.b.listen: missing key \"tls\"",
            "regions/eu-west.yaml:8:25: clusters.b.listen.otlp_grpc: expected an address and port such as 127.0.0.1:4317, \
             found a number (quote it if it is text)",
            "regions/eu-west.yaml:9:5: clusters.b.listen: duplicate key, first given in line 8",
            "regions/eu-west.yaml:10:12: clusters.b.stamp: missing key \"environment\"",
            "regions/eu-west.yaml:10:13: clusters.b.stamp.enviroment: unknown key, did you mean \"environment\"?",
            "regions/eu-west.yaml:11:52: clusters.b.drop[0].matches: not a regular expression",
            "regions/eu-west.yaml:12:12: clusters.b.batch: send_batch_size and timeout are greater than zero",
            "regions/eu-west.yaml:12:42: clusters.b.batch.timeout: expected a duration such as 5s, 200ms, 72h or 30d, below 584 years, \
             found a number (quote it if it is text)",
            "regions/eu-west.yaml:13:24: gateway.nodes.dns: expected a host name or an ip address",
            "regions/eu-west.yaml:13:36: gateway.port: out of range, expected 0 to 65535",
            "regions/eu-west.yaml:15:22: backends.tempo.otlp_grpc: expected host:port, such as tempo.example:4317",
            "regions/eu-west.yaml:15:38: backends.tempo.signals: expected a list, found text",
            "regions/eu-west.yaml:15:56: backends.tempo.headers[\"x y\"]: not the name of a header (RFC 9110 section 5.6.2)",
            "regions/eu-west.yaml:15:70: backends.tempo.headers.ok: a name consists of a-z, 0-9 and '-', and neither begins \
             nor ends with '-'",
            "regions/eu-west.yaml:15:97: backends.tempo.tls: expected one of: off, system",
            "regions/eu-west.yaml:16:8: backends.two: a backend is one of otlp_grpc, otlp_http and file",
            "regions/eu-west.yaml:16:55: backends.two.signals: at least one signal is needed",
            "regions/federation.yaml:1:40: federation.trust_domain: a trust domain consists of a-z, 0-9, '-' and '.'",
            "regions/federation.yaml:3:12: links[0].from: no region is named eu-wets",
            "regions/federation.yaml:4:25: links[1].to: expected <region>/gateway, <region>/central or <region>/backend/<name>",
            "regions/federation.yaml:4:50: links[1].carries: a link names the regimes whose data it carries",
            "regions/federation.yaml:4:64: links[1].signals[0]: expected one of: traces, metrics, logs",
            "regions/federation.yaml:5:25: links[2].to: no region is named uk-south",
            "regions/federation.yaml:5:95: links[2].instruments: no instrument for CH, which the link carries",
            "regions/federation.yaml:5:104: links[2].instruments.US: the link does not carry this regime",
            "regions/federation.yaml:6:1: lnks: unknown key, did you mean \"links\"?",
            "regions/us-east.yaml:1:9: region: the document's file is named after another region, us-east",
            "regions/us-east.yaml:6:27: central.handover_after: must be longer than zero: a restart would split traces",
        ]
    );
}

/// Guarantees: the readers of other documents find their faults in the same run, whatever is wrong here.
#[test]
fn what_is_known_is_there_for_other_readers() {
    let federation = FEDERATION.replace("acme.example", "Acme").replace("signals: [traces]", "signals: []");
    let us = US.replace("entity: Acme Inc", "entity: 7");
    let texts =
        [("regions/federation.yaml", &*federation), ("regions/eu-west.yaml", EU), ("regions/us-east.yaml", &us)];
    let (set, faults) = Set::from_texts(texts);
    let draft = FederationDraft::read(&set, &faults);
    assert_eq!(faults.len(), 3, "{faults}");
    let regimes: Vec<String> = draft.regimes().iter().map(|regime| format!("{} {}", regime.at, regime.value)).collect();
    assert_eq!(regimes, ["regions/eu-west.yaml:2:9: regime EEA", "regions/us-east.yaml:2:9: regime US"]);
    let [reliance] = draft.reliances() else { panic!("one link names one instrument: {:?}", draft.reliances()) };
    assert_eq!(reliance.instrument.at.to_string(), "regions/federation.yaml:3:90: links[0].instruments.EEA");
    assert_eq!((reliance.origin.as_str(), reliance.instrument.value.as_str()), ("EEA", "dpf"));
    assert_eq!(reliance.reaching.as_ref().map(Regime::as_str), Some("US"));
    assert_eq!(reliance.recipient, None, "the entity could not be read");
    assert!(draft.whole().is_none());
    let (set, faults) = Set::from_texts([("regions/eu-west.yaml", EU)]);
    assert!(Federation::read(&set, &faults).is_none());
    assert_eq!(faults.to_string(), "regions/federation.yaml:1:1: the document is missing");
}

/// Guarantees: a fault elsewhere in a region's document does not hide where a link cannot lead, and a region that
/// cannot be read at all is not called missing.
#[test]
fn links_are_judged_by_what_is_known_of_their_ends() {
    let us = US.replace("central: {nodes: {dns: central.us-east.svc}}", "entitty: x").replace("Acme Inc", "7");
    let eu = format!("{EU}backends: {{tempo: {{otlp_grpc: tempo, signals: [traces]}}, 5: {{}}}}\n");
    let more = "  - {from: eu-west, to: eu-west/gateway, carries: [EEA], signals: [traces], instruments: {EEA: a}}
  - {from: us-east, to: eu-west/backend/tempo, carries: [US], signals: [traces], instruments: {US: b}}
  - {from: eu-west, to: eu-west/backend/tempo, carries: [EEA], signals: [traces], instruments: {EEA: c}}
  - {from: eu-west, to: eu-west/backend/gone, carries: [EEA], signals: [traces], instruments: {EEA: d}}
";
    let (_, faults) = read(&format!("{FEDERATION}{more}"), &eu.replace(", 5: {}", ""), &us);
    assert_eq!(
        faults,
        [
            "regions/eu-west.yaml:10:31: backends.tempo.otlp_grpc: expected host:port, such as tempo.example:4317",
            "regions/federation.yaml:3:25: links[0].to: us-east has no central tier",
            "regions/federation.yaml:4:25: links[1].to: inside a region nothing needs a link",
            "regions/federation.yaml:5:25: links[2].to: a link to a backend starts in the backend's own region, eu-west",
            "regions/federation.yaml:6:25: links[3].to: the backend lies in its region's own regime and needs no link",
            "regions/federation.yaml:7:25: links[4].to: eu-west has no backend named gone",
            "regions/us-east.yaml:3:9: entity: expected text, found a number (quote it if it is text)",
            "regions/us-east.yaml:6:1: entitty: unknown key, did you mean \"entity\"?",
        ]
    );
    for us in ["- a list", "region: ["] {
        assert_eq!(read(FEDERATION, EU, us).1.len(), 1, "a document that cannot be read is one fault");
    }
}

/// Guarantees: of several things that are wrong with one link each is said, and none twice.
#[test]
fn a_link_says_all_that_is_wrong_with_it() {
    let link = "  - {from: eu-west, to: us-east/central, carries: [eea, CH, CH], signals: [traces], instruments: {EEA: 7, ch: x}}\n";
    let (_, faults) = read(&format!("federation: {{name: acme}}\nlinks:\n{link}"), EU, US);
    assert_eq!(
        faults,
        [
            "regions/federation.yaml:1:13: federation: missing key \"trust_domain\"",
            "regions/federation.yaml:3:52: links[0].carries[0]: a regime is 1 to 16 of A-Z, 0-9 and '-', beginning with a letter, \
             such as EEA",
            "regions/federation.yaml:3:57: links[0].carries[1]: no region lies in CH",
            "regions/federation.yaml:3:61: links[0].carries[2]: named twice",
            "regions/federation.yaml:3:61: links[0].carries[2]: no region lies in CH",
            "regions/federation.yaml:3:104: links[0].instruments.EEA: expected text, found a number (quote it if it is text)",
            "regions/federation.yaml:3:107: links[0].instruments.ch: a regime is 1 to 16 of A-Z, 0-9 and '-', beginning with \
             a letter, such as EEA",
        ]
    );
}

/// Guarantees: what can never come over a link is said even while clusters, entities or instruments have faults, and is
/// not said while it is open what another link brings.
#[test]
fn what_never_reaches_a_link_is_said_as_soon_as_it_is_certain() {
    let back = "  - {from: us-east, to: eu-west/gateway, carries: [EEA], signals: [traces], instruments: {EEA: 7}}\n";
    let never = "regions/federation.yaml:4:52: links[1].carries[0]: data of EEA (traces) never reaches us-east/gateway";
    let us = US.replace("Acme Inc", "7");
    let (_, faults) = read(&format!("{FEDERATION}{back}"), &EU.replace("tls: off", "tls: on"), &us);
    assert!(faults.iter().any(|fault| fault == never) && faults.len() == 4, "{faults:?}");
    for open in ["signals: []", "to: us-east/centre"] {
        let key = open.split(':').next().unwrap();
        let first = FEDERATION.replace(if key == "to" { "to: us-east/central" } else { "signals: [traces]" }, open);
        let (_, faults) = read(&format!("{first}{back}"), EU, US);
        assert_eq!(faults.len(), 2, "{faults:?}");
    }
}

/// Guarantees: a name that cannot be used does not hide what is wrong below it.
#[test]
fn what_stands_below_a_wrong_name_is_read() {
    let cluster = "  b b: {listen: {tls: off, otlp_grpc: x}, stamp: {environment: 1}}\ngateway: {nodes: {dns: a b, static: {}}}\n";
    let backends = "backends: {T: {otlp_grpc: x, otlp_http: y, signals: z, headers: {'a b': 1}}, f: {file: {rotate: 0B}, tls: on, timeout: 1s}}\n";
    let eu = EU.replace("gateway: {nodes: {dns: gateway.eu-west.svc}}\n", cluster);
    let (_, faults) = read(FEDERATION, &format!("{eu}{backends}"), US);
    let places: Vec<&str> = faults.iter().map(|fault| fault.split(": ").nth(1).unwrap()).collect();
    assert_eq!(
        places,
        [
            "clusters[\"b b\"]",
            "clusters[\"b b\"].listen.otlp_grpc",
            "clusters[\"b b\"].stamp.environment",
            "gateway.nodes",
            "gateway.nodes.dns",
            "gateway.nodes.static",
            "backends.T",
            "backends.T",
            "backends.T.otlp_grpc",
            "backends.T.otlp_http",
            "backends.T.signals",
            "backends.T.headers[\"a b\"]",
            "backends.T.headers[\"a b\"]",
            "backends.f",
            "backends.f.file",
            "backends.f.tls",
            "backends.f.tls",
            "backends.f.timeout",
        ],
        "{faults:#?}"
    );
}

/// Guarantees: a region whose file has a wrong name is still the region that its document says.
#[test]
fn a_misnamed_file_is_one_fault() {
    let texts = [("regions/federation.yaml", FEDERATION), ("regions/EU-west.yaml", EU), ("regions/us-east.yaml", US)];
    let (set, faults) = Set::from_texts(texts);
    assert!(Federation::read(&set, &faults).is_some() && faults.len() == 1, "{faults}");
    assert!(
        faults.to_string().starts_with("regions/EU-west.yaml:1:1: the file is named after its region:"),
        "{faults}"
    );
}

#[test]
fn references_that_lead_nowhere_are_faults() {
    for (from, to, fault) in [
        ("from: eu-west", "from: eu", "regions/federation.yaml:3:12: links[0].from: no region is named eu"),
        ("us-east/central,", "us/central,", "regions/federation.yaml:3:25: links[0].to: no region is named us"),
        (
            "us-east/central,",
            "us-east/backend/x,",
            "links[0].to: a link to a backend starts in the backend's own region, us-east",
        ),
        ("us-east/central,", "eu-west/backend/x,", "links[0].to: eu-west has no backend named x"),
        ("us-east/central,", "eu-west/gateway,", "links[0].to: inside a region nothing needs a link"),
        ("central: {nodes: {dns: central.us-east.svc}}", "", "links[0].to: us-east has no central tier"),
    ] {
        let faults = faults_with(from, to);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults.iter().all(|found| found.ends_with(fault)), "{fault}: {faults:?}");
    }
}

#[test]
fn a_regime_that_no_region_lies_in_is_a_fault() {
    let faults = faults_with("carries: [EEA]", "carries: [EEA, CH]");
    assert_eq!(
        faults,
        [
            "regions/federation.yaml:3:57: links[0].carries[1]: no region lies in CH",
            "regions/federation.yaml:3:94: links[0].instruments: no instrument for CH, which the link carries",
        ]
    );
}

#[test]
fn a_link_carries_only_what_can_be_where_it_starts() {
    let back = "  - {from: us-east, to: eu-west/gateway, carries: [EEA], signals: [traces], instruments: {EEA: x}}\n";
    let (_, faults) = read(&format!("{FEDERATION}{back}"), EU, US);
    // What came to the central tier is not at the gateway.
    assert_eq!(
        faults,
        ["regions/federation.yaml:4:52: links[1].carries[0]: data of EEA (traces) never reaches us-east/gateway"]
    );
}

#[test]
fn an_origin_travels_only_by_links_that_carry_its_signal() {
    let there = "  - {from: eu-west, to: us-east/gateway, carries: [EEA], signals: [traces], instruments: {EEA: a}}\n";
    let back = "  - {from: us-east, to: eu-west/gateway, carries: [EEA, US], signals: [traces, logs], \
                instruments: {EEA: a, US: b}}\n";
    let links = format!("{there}{back}");
    let federation = sound(&format!("{FEDERATION}{links}"), EU, US);
    let lets = |signal, origin: &str| federation.lets_over(LinkId(2), signal, &origin.parse().unwrap());
    assert!(lets(Signal::Traces, "EEA") && lets(Signal::Traces, "US") && lets(Signal::Traces, "EEA+US"));
    assert!(lets(Signal::Logs, "US"));
    assert!(!lets(Signal::Logs, "EEA"), "no link brings logs of the EEA to us-east");
    assert!(!lets(Signal::Logs, "EEA+US") && !lets(Signal::Metrics, "US"));
    assert_eq!(federation.origins_over(LinkId(2)).len(), 2);
}

#[test]
fn two_links_between_the_same_places_are_a_fault() {
    let link = FEDERATION.lines().last().unwrap();
    let (_, faults) = read(&format!("{FEDERATION}{link}\n"), EU, US);
    assert_eq!(
        faults,
        ["regions/federation.yaml:4:5: links[1]: a link from eu-west to us-east/central stands in line 3"]
    );
}

#[test]
fn more_links_than_have_numbers_are_a_fault() {
    let links = "  - x\n".repeat((1 << 16) + 1);
    let (set, faults) = Set::from_texts([("regions/federation.yaml", &*format!("links:\n{links}"))]);
    let _ = Federation::read(&set, &faults);
    assert!(faults.to_string().contains("regions/federation.yaml:2:3: links: more than 65536 links"));
}

#[test]
fn regions_never_share_a_ca() {
    let faults = faults_with("ca/us-east.pem", "ca/eu-west.pem");
    assert_eq!(faults, ["regions/us-east.yaml:4:13: trust.ca: the ca of eu-west: only its own ca speaks for a region"]);
}

#[test]
fn a_backend_in_another_regime_needs_a_link_and_is_then_not_local() {
    let eu = format!(
        "{EU}backends:\n  vendor: {{otlp_http: https://otlp.vendor.example, signals: [traces], regime: US, entity: Vendor Inc}}\n"
    );
    let (_, faults) = read(FEDERATION, &eu, US);
    assert_eq!(
        faults,
        [
            "regions/eu-west.yaml:11:11: backends.vendor: lies in US, not in EEA: declare a link to eu-west/backend/vendor, or \
             remove it"
        ]
    );
    let link =
        "  - {from: eu-west, to: eu-west/backend/vendor, carries: [EEA], signals: [traces], instruments: {EEA: scc}}\n";
    let federation = sound(&format!("{FEDERATION}{link}"), &eu, US);
    let node = "eu-west/gateway/0".parse().unwrap();
    assert!(federation.local_backend(&node, "vendor").is_none());
    let link = federation.link(LinkId(1)).unwrap();
    assert!(matches!(link.to(), PlaceId::Backend(backend) if backend.name() == "vendor"));
    assert_eq!(
        (link.source().to_string(), link.regime().as_str(), link.entity()),
        ("eu-west/gateway".into(), "US", "Vendor Inc")
    );
    let place = federation.places().into_iter().find(|place| place.id == *link.to()).unwrap();
    assert_eq!((place.over, place.entity.as_str()), (vec![LinkId(1)], "Vendor Inc"));
    let embedded = federation.region("eu-west").unwrap().gateway().backend("embedded").unwrap();
    assert_eq!(embedded.signals().to_string(), "metrics, logs");
    assert!(federation.local_backend(&node, "embedded").is_some());
}

#[test]
fn a_backend_in_another_regime_names_its_entity() {
    let eu = format!("{EU}backends: {{vendor: {{otlp_grpc: a:1, signals: [traces], regime: US}}}}\n");
    let to =
        "  - {from: eu-west, to: eu-west/backend/vendor, carries: [EEA], signals: [traces], instruments: {EEA: scc}}\n";
    let missing = "regions/eu-west.yaml:10:20: backends.vendor: a backend in another regime names its legal entity: \
                   missing key \"entity\"";
    assert_eq!(read(&format!("{FEDERATION}{to}"), &eu, US).1, [missing]);
    let (_, faults) = read(FEDERATION, &eu, US);
    assert!(faults.len() == 2 && faults.iter().any(|fault| fault.contains("declare a link")), "{faults:?}");
}

#[test]
fn a_link_to_a_backend_of_the_own_regime_is_a_fault() {
    let eu = format!("{EU}backends: {{tempo: {{otlp_grpc: tempo:4317, signals: [traces]}}}}\n");
    let (_, faults) = read(&FEDERATION.replace("us-east/central", "eu-west/backend/tempo"), &eu, US);
    assert_eq!(
        faults,
        ["regions/federation.yaml:3:25: links[0].to: the backend lies in its region's own regime and needs no link"]
    );
}

/// Guarantees: what crosses to a tier is compressed unless the link says otherwise; a backend has its own say.
#[test]
fn a_link_to_a_tier_says_how_it_is_compressed() {
    assert_eq!(sound(FEDERATION, EU, US).link(LinkId(0)).unwrap().compression(), Compression::Zstd);
    let plain = FEDERATION.replace("signals: [traces]", "signals: [traces], compression: none");
    assert_eq!(sound(&plain, EU, US).link(LinkId(0)).unwrap().compression(), Compression::None);
    let (_, faults) = read(&plain.replace("us-east/central", "eu-west/backend/embedded"), EU, US);
    assert!(faults.iter().any(|fault| fault.contains("a backend says itself how what goes to it")), "{faults:?}");
}

#[test]
fn a_cluster_and_a_link_say_what_they_thin() {
    let thinned = |text: &str| text.replace("signals: [traces]", "signals: [traces], thin: {sampling_percentage: 25}");
    let eu = EU.replace("    stamp:", "    thin: {spans_per_second: 100}\n    stamp:");
    let federation = sound(&thinned(FEDERATION), &eu, US);
    assert_eq!(federation.link(LinkId(0)).unwrap().thinning().unwrap().percentage, Some(25.0));
    let cluster = federation.clusters("eu-west").next().unwrap();
    assert_eq!(cluster.thinning().unwrap().spans_per_second, Some(100));
    let nothing = sound(FEDERATION, EU, US);
    assert_eq!(nothing.link(LinkId(0)).unwrap().thinning(), None);
    assert_eq!(nothing.clusters("eu-west").next().unwrap().thinning(), None);
    let logs = thinned(FEDERATION).replace("[traces]", "[logs]");
    let eu = EU.replace("    stamp:", "    thin: {sampling_percentage: 0}\n    stamp:");
    assert_eq!(
        read(&logs, &eu, US).1,
        [
            "regions/eu-west.yaml:8:33: clusters.a.thin.sampling_percentage: out of range, expected above 0 and up to 100",
            "regions/federation.yaml:3:81: links[0].thin: the link carries no traces, and nothing else is thinned",
        ]
    );
}

#[test]
fn backends_say_aloud_what_is_unusual() {
    for (backend, fault) in [
        ("{otlp_http: http://a, signals: [logs]}", "plain text is said aloud: an http url needs `tls: off`"),
        ("{otlp_http: https://a, signals: [logs], tls: off}", "the url says https and tls is off"),
        ("{file: {}, signals: [logs], tls: off}", "means nothing for a file"),
        ("{file: {rotate: 0B}, signals: [logs]}", "rotate is greater than zero"),
        ("{otlp_grpc: a:1, signals: [logs], timeout: 0s}", "must be longer than zero"),
        (
            "{otlp_grpc: a:1, signals: [logs], headers: {a: \"x\\ny\"}}",
            "a header consists of printable ascii characters",
        ),
        ("{otlp_grpc: a:1, signals: [logs], compression: snappy}", "expected one of: none, gzip, zstd"),
        ("{otlp_grpc: a:1, signals: [logs], sampled: true}", "only traces are sampled, and this backend takes none"),
        ("{signals: [logs]}", "a backend is one of otlp_grpc, otlp_http and file"),
    ] {
        let (_, faults) = read(FEDERATION, &format!("{EU}backends: {{b: {backend}}}\n"), US);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults.iter().all(|found| found.ends_with(fault)), "{fault}: {faults:?}");
    }
}

#[test]
fn only_a_gateway_samples_for_some_of_its_backends() {
    let few = "{few: {otlp_grpc: few:1, signals: [traces], sampled: true}}";
    let federation = sound(FEDERATION, &format!("{EU}backends: {few}\n"), US);
    let backends = federation.region("eu-west").unwrap().gateway().backends();
    let traces: Vec<_> = backends.iter().map(|backend| (backend.id().name().as_str(), backend.traces())).collect();
    assert_eq!(traces, [("few", Traces::Kept), ("embedded", Traces::All)]);
    let (_, faults) = read(FEDERATION, EU, &US.replace("svc}}", &format!("svc}}, backends: {few}}}")));
    assert!(faults.len() == 1 && faults[0].ends_with("what a central tier sends is sampled anyway"), "{faults:?}");
}

#[test]
fn backend_names_are_unique_in_a_region() {
    let us = US.replace(
        "svc}}",
        "svc}, backends: {a: {otlp_grpc: a:1, signals: [logs]}, embedded: {file: {}, signals: [logs]}}}",
    );
    let (_, faults) = read(FEDERATION, EU, &format!("{us}backends: {{a: {{otlp_grpc: a:1, signals: [logs]}}}}\n"));
    assert_eq!(
        faults,
        [
            "regions/us-east.yaml:6:57: central.backends.a: the region's gateway has a backend of this name",
            "regions/us-east.yaml:6:95: central.backends.embedded: this is the name of the embedded file exporter",
        ]
    );
}

#[test]
fn static_tiers_admit_only_their_listed_nodes() {
    let federation = sound(FEDERATION, EU, US);
    let region = federation.region("us-east").unwrap();
    let Nodes::Static(nodes) = region.gateway().nodes() else { panic!("the nodes are listed") };
    let nodes: Vec<String> = nodes.iter().map(|node| format!("{} {}", node.name, node.address)).collect();
    assert_eq!(nodes, ["0 10.0.0.1:4417", "1 10.0.0.2:5000"]);
    let central = "us-east/central/any".parse().unwrap();
    assert!(federation.admits(&central, &"us-east/gateway/1".parse().unwrap()).is_ok());
    assert!(federation.admits(&central, &"us-east/gateway/2".parse().unwrap()).is_err());
    assert_eq!(
        faults_with("10.0.0.2:5000", "10.0.0.1:4417"),
        ["regions/us-east.yaml:5:44: gateway.nodes.static.1: another node has this address"]
    );
}

#[test]
fn notes_name_what_is_allowed_and_should_be_seen() {
    let eu = format!(
        "{EU}backends:\n  a: {{otlp_grpc: a:1, signals: [logs], tls: off, entity: Vendor SE, headers: {{API-Key: x, b: secret:c}}}}\n"
    );
    let federation = sound(FEDERATION, &eu, US);
    let notes: Vec<String> = federation.notes().iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "regions/eu-west.yaml:7:13: clusters.a.listen: plain text: services reach this listener without tls",
            "regions/eu-west.yaml:11:6: backends.a: plain text: this backend is reached without tls",
            "regions/eu-west.yaml:11:6: backends.a: another legal entity inside the regime: Vendor SE",
            "regions/eu-west.yaml:11:6: backends.a: the header API-Key stands in the documents; write secret:NAME instead",
        ]
    );
}

#[test]
fn a_broken_document_is_one_fault_and_its_region_is_not_missed() {
    let (federation, faults) = read(FEDERATION, &format!("{EU}x: ["), US);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(federation.is_none());
}

#[test]
fn variables_are_refused_in_documents() {
    let faults = faults_with("production", "'${env:STAGE}'");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.starts_with("regions/eu-west.yaml:8:26: clusters.a.stamp.environment:")));
}

#[test]
fn the_digest_follows_meaning_and_names() {
    let digest = |federation: &str, eu: &str| sound(federation, eu, US).digest();
    let first = digest(FEDERATION, EU);
    assert_eq!(first, digest(&format!("# note\n{FEDERATION}"), &EU.replace("production", "'production'")));
    assert_ne!(first, digest(FEDERATION, &EU.replace("production", "staging")));
    let texts = [("regions/federation.yaml", FEDERATION), ("regions/eu-west.yaml", EU), ("regions/us-east.yaml", US)];
    let (with_policy, faults) = Set::from_texts(texts.into_iter().chain([("policies/residency.yaml", "a: 1")]));
    assert_ne!(first, Federation::read(&with_policy, &faults).unwrap().digest());
}
