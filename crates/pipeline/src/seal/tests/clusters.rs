//! Rules that are narrowed to clusters hold for what the collectors of those clusters proved to have sent.

use super::*;

/// The example, where the country crosses for data of this cluster alone.
fn country_of(cluster: &str) -> (TempDir, Arc<Documents>) {
    country_of_and(cluster, |text| text)
}

/// The same with one more change of the policy.
fn country_of_and(cluster: &str, edit: impl Fn(String) -> String) -> (TempDir, Arc<Documents>) {
    let rule = format!(
        "rules:\n  - {{id: country, origin: EEA, reaching: US, signal: traces, where: {{cluster: {cluster}}}, allow: \
         {{quasi: {{only: {{geo.country.iso_code: raw}}}}}}}}\n"
    );
    rig::edited(|name, text| match name {
        "policies/residency.yaml" => {
            edit(text).replace("quasi: {only: {geo.country.iso_code: raw}}", "").replacen("rules:\n", &rule, 1)
        }
        _ => text,
    })
}

/// Whether the country crosses of a record that this peer sent, and the names of the policies in its manifest.
fn crosses(seal: &mut Seal, peer: &str, arrived: &Documents) -> (bool, [[u8; 32]; 2]) {
    let record = record(with_attribute("geo.country.iso_code", "DE"), arrived.federation.digest());
    let record = Record { peer: Name::from(peer), ..record };
    let sealed = run(seal, &record, &["a"], &["a"]).remove(0).expect("the span itself crosses");
    (attribute(&sealed, "geo.country.iso_code").is_some(), [sealed.digest(), sealed.in_force()])
}

const OF_A: &str = "eu-west/collector/eu-west-a-0";
const OF_B: &str = "eu-west/collector/eu-west-b-7";

/// Scenario: an allow is narrowed to one of two clusters. Guarantees: it lets through what a collector of that cluster sent and
/// nothing else, whatever the peer is called; all of it bears the name of the link's policy as a whole.
#[test]
fn a_narrowed_allow_lets_through_what_its_cluster_sent() {
    let (_dir, documents) = country_of("eu-west-a");
    let bench = Bench::new(Arc::clone(&documents));
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let (of_a, named) = crosses(&mut seal, OF_A, &documents);
    assert!(of_a && named[0] == named[1]);
    for peer in [
        OF_B,
        "eu-west/collector/eu-west-c-0",
        "uk-south/collector/eu-west-a-0",
        "uk-south/gateway/0",
        "eu-west/gateway/1",
        "service",
        "",
    ] {
        assert_eq!(crosses(&mut seal, peer, &documents), (false, named), "{peer}");
    }
    let strictest = rig::table(&documents, "eu-west", CENTRAL, "EEA").digest();
    assert_ne!(named[0], strictest, "the name covers what crosses for some");
}

/// Scenario: a reload narrows the allow to the other cluster while records of both wait. Guarantees: for each cluster what both
/// policies let through crosses, so nothing of what waited; what arrives after it crosses for the other cluster alone.
#[test]
fn a_reload_that_moves_an_allow_to_another_cluster_releases_nothing_that_waited() {
    let ((_one, first), (_two, second)) = (country_of("eu-west-a"), country_of("eu-west-b"));
    let bench = Bench::new(Arc::clone(&first));
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let (of_a, [before, _]) = crosses(&mut seal, OF_A, &first);
    assert!(of_a);
    bench.adopt(&second);
    assert!(seal.renew() && !seal.renew());
    let [of_a, of_b] = [OF_A, OF_B].map(|peer| crosses(&mut seal, peer, &first));
    let (after_a, after_b) = (crosses(&mut seal, OF_A, &second), crosses(&mut seal, OF_B, &second));
    assert_eq!([of_a.0, of_b.0, after_a.0, after_b.0], [false, false, false, true]);
    let now = after_b.1[0];
    assert_eq!([of_a.1, of_b.1, after_a.1], [[now, now], [before, now], [now, now]], "each is within what it names");
}

/// Scenario: a deny of everything is narrowed to one cluster. Guarantees: the link is open for the other, closed for that one
/// and for what no cluster is proved of.
#[test]
fn a_narrowed_deny_closes_the_link_for_its_cluster_and_for_what_is_not_proved() {
    let rule =
        "rules:\n  - {id: shut, origin: EEA, reaching: US, signal: traces, where: {cluster: eu-west-a}, deny: [all]}\n";
    let (_dir, documents) = rig::edited(|name, text| match name {
        "policies/residency.yaml" => text.replacen("rules:\n", rule, 1),
        _ => text,
    });
    let bench = Bench::new(Arc::clone(&documents));
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    for (peer, crossing) in [(OF_A, 0), ("uk-south/gateway/0", 0), (OF_B, 1)] {
        let record = Record { peer: Name::from(peer), ..bench.record(spans([1])) };
        assert_eq!(all(&mut seal, &record).len(), crossing, "{peer}");
    }
    assert_eq!(bench.counts(), [3, 2]);
}

/// Scenario: ids cross blinded, and clusters of one region are told apart. Guarantees: a trace with spans of both, and of a sender
/// that proved none, goes to one node under one id, while the narrowed allow holds for its own cluster alone.
#[test]
fn a_trace_of_two_clusters_that_are_told_apart_is_blinded_to_one() {
    let (_dir, documents) = country_of_and("eu-west-a", |text| text.replace("corr: raw", "corr: {blind: ids}"));
    let bench = Bench::new(Arc::clone(&documents));
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let nodes = ["a", "b", "c"];
    let mut sent = |peer: &str| {
        let record = record(with_attribute("geo.country.iso_code", "DE"), documents.federation.digest());
        let sealed = run(&mut seal, &Record { peer: Name::from(peer), ..record }, &nodes, &nodes);
        let mut at = sealed.into_iter().enumerate().filter_map(|(node, sealed)| Some((node, sealed?)));
        let (node, sealed) = at.next().expect("the span crosses");
        assert!(at.next().is_none());
        let trace = Batch::new(&sealed.bytes(), &walk_traces(&sealed.bytes(), &Limits::JOINED).unwrap().index)
            .items()
            .find_map(|item| item.trace_id());
        ((node, trace), attribute(&sealed, "geo.country.iso_code").is_some())
    };
    let [of_a, of_b, of_nobody] = [OF_A, OF_B, "uk-south/gateway/0"].map(&mut sent);
    assert_eq!([of_a.1, of_b.1, of_nobody.1], [true, false, false]);
    assert_eq!([of_b.0, of_nobody.0], [of_a.0; 2]);
    assert_ne!(of_a.0.1, Some(TraceId(rig::trace_id(1))));
}
