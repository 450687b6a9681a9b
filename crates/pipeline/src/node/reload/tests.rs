use std::fs;

use tollgate_disk::Disk;
use tollgate_runtime::Metrics;

use super::*;
use crate::node::counters::Counters;
use crate::node::logs::Division;
use crate::rig::{self, node};

/// A node's reloader on a copy of the example.
struct Bench {
    reloader: Reloader,
    metrics: Metrics,
    folder: tempfile::TempDir,
    _archive: tempfile::TempDir,
}

impl Bench {
    fn new(me: &str) -> Self {
        let ((folder, documents), dir) = (rig::edited(|_, text| text), tempfile::tempdir().unwrap());
        let archive = Arc::new(Archive::new(&Disk::real(), dir.path().join("documents")));
        let (first, metrics) = (archive.adopt(&documents).unwrap(), Metrics::new());
        let counters = Counters::register(&metrics, Division::Passing).reload.clone();
        let reloader = Reloader::new(node(me), archive, first, Clock::system(), counters);
        Self { reloader, metrics, folder, _archive: dir }
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn in_force(&self) -> [u8; 32] {
        self.reloader.follow().edition().documents.federation.digest()
    }
}

const GATEWAY: &str = "eu-west/gateway/0";
const RESIDENCY: &str = "policies/residency.yaml";

/// Guarantees: a valid set comes into force whole; a faulty one changes nothing, and log, status and metrics can say what
/// is wrong with it until there is a good one.
#[test]
fn a_valid_set_comes_into_force_and_a_faulty_one_does_not() {
    let bench = Bench::new(GATEWAY);
    let before = bench.in_force();
    assert_eq!(bench.reloader.reload().unwrap(), Reloaded::Unchanged);
    bench.edit(RESIDENCY, "RISK-77", "RISK-78");
    assert_eq!(bench.reloader.reload().unwrap(), Reloaded::Adopted);
    let adopted = bench.in_force();
    assert_ne!(before, adopted);
    let previous = bench.reloader.follow().edition().previous[0].clone();
    assert_eq!(previous.federation.digest(), before);

    bench.edit(RESIDENCY, "op: raw", "op: cooked");
    assert!(matches!(bench.reloader.reload(), Err(ReloadError::Invalid(_))));
    assert_eq!(bench.in_force(), adopted);
    let refused = bench.reloader.refused().unwrap();
    assert!(refused.reason == "invalid" && refused.why.contains("policies/residency.yaml:"), "{refused:?}");
    assert!(bench.metrics.encode().contains("tollgate_documents_refused 1\n"));

    bench.edit(RESIDENCY, "op: cooked", "op: raw");
    assert_eq!(bench.reloader.reload().unwrap(), Reloaded::Unchanged);
    assert!(bench.reloader.refused().is_none());
    let counted = bench.metrics.encode();
    assert!(counted.contains("tollgate_documents_refused 0\n"), "{counted}");
    assert!(counted.contains("tollgate_documents_reloads_total{outcome=\"invalid\"} 1\n"), "{counted}");
}

/// Guarantees: an invariant that would break keeps the set out, as at the start.
#[test]
fn a_set_that_breaks_an_invariant_does_not_come_into_force() {
    let bench = Bench::new(GATEWAY);
    let before = bench.in_force();
    let secret = "  - never: {class: secret, crosses: any}";
    bench.edit(RESIDENCY, secret, &format!("{secret}\n  - never: {{class: op, crosses: any}}"));
    let error = bench.reloader.reload().unwrap_err().to_string();
    assert!(error.contains("policies/residency.yaml:"), "{error}");
    assert_eq!(bench.in_force(), before);
}

/// Guarantees: what a running node was built from is refused by file, line and path; what concerns others only is not.
#[test]
fn what_cannot_change_without_a_restart_is_refused_by_name() {
    let changes = [
        (GATEWAY, "regions/eu-west.yaml", "port: 4417}", "port: 4418}", "gateway.port"),
        (GATEWAY, "regions/us-east.yaml", "handover_after: 60s", "handover_after: 61s", "central.handover_after"),
        (GATEWAY, "regions/federation.yaml", "acme.example", "acme.test", "federation.trust_domain"),
        (GATEWAY, "regions/uk-south.yaml", "ca/uk-south.pem", "ca/uk.pem", "trust.ca"),
        (
            GATEWAY,
            "regions/federation.yaml",
            "signals: [traces], instruments: {EEA: dpf}",
            "signals: [traces], thin: {sampling_percentage: 10}, instruments: {EEA: dpf}",
            "the way out to link/us-east/central",
        ),
        (
            "eu-west/collector/eu-west-a-0",
            "regions/eu-west.yaml",
            "environment: production",
            "environment: test",
            "stamp",
        ),
    ];
    for (me, file, from, to, place) in changes {
        let bench = Bench::new(me);
        let before = bench.in_force();
        bench.edit(file, from, to);
        let error = bench.reloader.reload().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ReloadError::NeedsRestart(_)), "{me} {file}: {text}");
        assert!(text.contains(&format!("{file}:")) && text.contains(place), "{me} {file}: {text}");
        assert_eq!(bench.in_force(), before);
    }
    for (me, file, from, to) in [
        (GATEWAY, "regions/eu-west.yaml", "environment: production", "environment: test"),
        (GATEWAY, "policies/sampling.yaml", "decision_wait: ", "decision_wait: 1"),
        ("us-east/central/0", "policies/sampling.yaml", "decision_wait: ", "decision_wait: 1"),
        ("uk-south/gateway/0", "regions/eu-west.yaml", "port: 4417}", "port: 4418}"),
        (GATEWAY, "regions/federation.yaml", "instruments: {EEA: dpf}", "instruments: {EEA: scc}"),
    ] {
        let bench = Bench::new(me);
        bench.edit(file, from, to);
        assert_eq!(bench.reloader.reload().unwrap(), Reloaded::Adopted, "{me} {file}");
    }
}

/// Guarantees: that gateways sample from now on, so that their traces wait for them, is no news to whoever sends elsewhere, and
/// needs a restart of whoever sends to them.
#[test]
fn a_tier_that_begins_to_sample_needs_a_restart_of_those_that_send_to_it() {
    let sampled = "backends:\n  few: {otlp_grpc: few.example:4317, signals: [traces], sampled: true}\nregime: UK";
    let reload = |me: &str| {
        let bench = Bench::new(me);
        bench.edit("regions/uk-south.yaml", "regime: UK", sampled);
        bench.reloader.reload().map_err(|error| error.to_string())
    };
    for (me, way) in [("uk-south/collector/uk-south-a-0", "gateway"), (GATEWAY, "link/uk-south/gateway")] {
        let error = reload(me).unwrap_err();
        assert!(error.contains(&format!("the way out to {way}")), "{me}: {error}");
    }
    assert_eq!(reload("us-east/gateway/0"), Ok(Reloaded::Adopted));
}

/// Guarantees: a link more or less, or one that carries another signal, is a way out that needs a restart where it begins,
/// and none where it does not; links may be listed in another order.
#[test]
fn a_way_out_opens_and_closes_only_with_a_restart() {
    let file = "regions/federation.yaml";
    let uk_to_us = "  - {from: uk-south, to: us-east/central, carries: [UK], signals: [traces], instruments: {UK: uk-us-extension}}\n";
    for (me, refused) in [("uk-south/gateway/0", true), (GATEWAY, false)] {
        let bench = Bench::new(me);
        bench.edit(file, uk_to_us, "");
        let outcome = bench.reloader.reload();
        let told = |error: &ReloadError| error.to_string().contains("the way out to link/us-east/central");
        assert_eq!(outcome.as_ref().is_err_and(told), refused, "{me}: {outcome:?}");
        let bench = Bench::new(me);
        bench.edit(file, uk_to_us, &uk_to_us.replace("signals: [traces]", "signals: [traces, logs]"));
        let outcome = bench.reloader.reload();
        let told = |error: &ReloadError| error.to_string().contains("regions/federation.yaml:5:");
        assert_eq!(outcome.as_ref().is_err_and(told), refused, "{me}: {outcome:?}");
    }
    let bench = Bench::new("uk-south/gateway/0");
    bench.edit(file, uk_to_us, "");
    bench.edit(file, "links:\n", &format!("links:\n{uk_to_us}"));
    assert_eq!(bench.reloader.reload().unwrap(), Reloaded::Adopted);
}
