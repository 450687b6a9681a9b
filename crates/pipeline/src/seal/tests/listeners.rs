//! Rules that are narrowed to listeners hold for what collectors say to have received by them.

use super::*;

/// The example, where the country crosses for what came by one listener alone, and the method for what did not come by HTTP.
fn country_by(listener: &str) -> (TempDir, Arc<Documents>) {
    let rules = format!(
        "rules:\n  - {{id: country, origin: EEA, reaching: US, signal: traces, where: {{listener: {listener}}}, allow: \
         {{quasi: {{only: {{geo.country.iso_code: raw}}}}}}}}\n  - {{id: method, origin: EEA, reaching: US, signal: traces, \
         where: {{listener: otlp_http}}, deny: [{{attribute: http.request.method}}]}}\n"
    );
    rig::edited(|name, text| match name {
        "policies/residency.yaml" => {
            text.replace("quasi: {only: {geo.country.iso_code: raw}}", "").replacen("rules:\n", &rules, 1)
        }
        _ => text,
    })
}

/// Whether country and method cross of records that this peer sent.
fn crosses(seal: &mut Seal, peer: &str, arrived: &Documents) -> [bool; 2] {
    [("geo.country.iso_code", "DE"), ("http.request.method", "GET")].map(|(key, value)| {
        let record = record(with_attribute(key, value), arrived.federation.digest());
        let record = Record { peer: Name::from(peer), ..record };
        let sealed = run(seal, &record, &["a"], &["a"]).remove(0).expect("the span itself crosses");
        attribute(&sealed, key).is_some()
    })
}

const BY_GRPC: &str = "eu-west/collector/eu-west-a-0/otlp_grpc";
const BY_HTTP: &str = "eu-west/collector/eu-west-b-1/otlp_http";

/// Scenario: one rule allows for what came by gRPC, another denies for what came by HTTP. Guarantees: each holds for its own;
/// what nobody knows the listener of, or no collector of this region sent, is allowed nothing and denied what is for any.
#[test]
fn a_narrowed_rule_holds_for_what_came_by_its_listener() {
    let (_dir, documents) = country_by("otlp_grpc");
    let bench = Bench::new(Arc::clone(&documents));
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    assert_eq!(crosses(&mut seal, BY_GRPC, &documents), [true, true]);
    for peer in [
        BY_HTTP,
        "eu-west/collector/eu-west-a-0",
        "eu-west/collector/eu-west-a-0/grpc",
        "uk-south/collector/uk-south-a-0/otlp_grpc",
        "eu-west/gateway/1/otlp_grpc",
        "uk-south/gateway/0",
        "service/otlp_grpc",
    ] {
        assert_eq!(crosses(&mut seal, peer, &documents), [false, false], "{peer}");
    }
}

/// Scenario: a reload moves the allow to the other listener while records of both wait. Guarantees: nothing of what waited is
/// released; what arrives after it crosses by the other listener alone.
#[test]
fn a_reload_that_moves_an_allow_to_another_listener_releases_nothing_that_waited() {
    let ((_one, first), (_two, second)) = (country_by("otlp_grpc"), country_by("otlp_http"));
    let bench = Bench::new(Arc::clone(&first));
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    assert!(crosses(&mut seal, BY_GRPC, &first)[0]);
    bench.adopt(&second);
    assert!(seal.renew());
    let country = |seal: &mut Seal, peer, arrived| crosses(seal, peer, arrived)[0];
    assert_eq!([BY_GRPC, BY_HTTP].map(|peer| country(&mut seal, peer, &first)), [false, false]);
    assert_eq!([BY_GRPC, BY_HTTP].map(|peer| country(&mut seal, peer, &second)), [false, true]);
}

/// Scenario: a deny of everything is narrowed to one listener, or to none. Guarantees: while the link is open for somebody it
/// says how far it is, under the name of its policy, or those behind it would wait for it; closed for all it says nothing.
#[test]
fn a_link_that_is_open_for_one_listener_says_how_far_it_is() {
    let seal = |narrowed: &str| {
        let rule =
            format!("rules:\n  - {{id: no, origin: EEA, reaching: US, signal: traces, {narrowed}deny: [all]}}\n");
        let (dir, documents) = rig::edited(|name, text| match name {
            "policies/residency.yaml" => text.replacen("rules:\n", &rule, 1),
            _ => text,
        });
        let bench = Bench::new(Arc::clone(&documents));
        (dir, bench.seal(CENTRAL, Signal::Traces), documents)
    };
    let (_dir, mut open, documents) = seal("where: {listener: otlp_http}, ");
    let record = record(with_attribute("http.route", "/cart"), documents.federation.digest());
    let record = Record { peer: Name::from(BY_GRPC), ..record };
    let crossed = run(&mut open, &record, &["a"], &["a"]).remove(0).expect("what came by gRPC crosses");
    let (origin, pulse) = open.pulse().expect("it says how far it is");
    assert_eq!((origin.as_str(), pulse.items(), pulse.digest()), ("EEA", 0, crossed.digest()));
    let (_dir, mut closed, _) = seal("");
    assert!(closed.pulse().is_none());
}
