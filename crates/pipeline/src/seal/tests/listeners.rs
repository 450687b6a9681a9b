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
