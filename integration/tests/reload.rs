//! Documents change while everything runs: by SIGHUP, region by region, under traffic.
//!
//! Guarantees: two regions that switch one long after the other lose nothing. While they differ, what only one of them
//! allows does not arrive; what the receiver does not know or no longer allows waits at its sender, with nothing refused
//! for good; when both have the same documents, all of it arrives. A set that is wrong changes nothing and says so.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tollgate_federation::Signal;
use tollgate_integration::Fleet;
use tollgate_integration::fleet::{ALL, ERRORS};
use tollgate_integration::held::attributes_of;
use tollgate_integration::requests::{fail, numbered, one_span, request, span};
use tollgate_runtime::Clock;
use tollgate_testkit::{Client, FakeBackend, Service, wait_until};

const LIMIT: Duration = Duration::from_secs(90);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAYS: [&str; 2] = ["eu-west-gateway-0", "eu-west-gateway-1"];
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
const LINK: &str = "link/us-east/central";

const RESIDENCY: &str = "policies/residency.yaml";
const COUNTRY: &str = "geo.country.iso_code";
const ALLOWS_COUNTRY: &str = "quasi: {only: {geo.country.iso_code: raw}}";
const ALLOWS_NONE: &str = "quasi: {only: {}}";

/// One request after the other, in rounds with a number each, each acknowledged before the next.
struct Sender {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    fn start(collector: SocketAddr, requests: impl Fn(u64) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&acknowledged));
        let thread = std::thread::spawn(move || {
            let client = Client::plain(collector);
            for number in 1.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                for request in requests(number) {
                    client.export(Service::Traces, request).unwrap();
                }
                count.store(number, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { stop, acknowledged, thread: Some(thread) }
    }

    /// The number of the last round that was acknowledged.
    fn last(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn flow(&self) {
        let enough = self.last() + 100;
        wait_until(LIMIT, "traffic flows", || self.last() >= enough);
    }

    fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.last()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A span that says where its user is.
fn abroad(number: u64) -> Vec<u8> {
    let now = Clock::system().now().nanos();
    let one = span(numbered(number), |span| {
        span.string(5, "GET");
        span.fixed64(7, now);
        span.fixed64(8, now + 1);
        span.key_string(9, COUNTRY, "DE");
    });
    request(&[one])
}

/// What arrived: the number of each span and whether it said where its user is.
fn arrived(backend: &FakeBackend) -> BTreeMap<u64, bool> {
    let spans = backend.spans().into_iter().map(|found| found.span);
    let number = |id: &[u8]| u64::from_be_bytes(id.try_into().unwrap());
    spans.map(|span| (number(&span.span_id), attributes_of(&span.attributes).contains_key(COUNTRY))).collect()
}

#[track_caller]
fn wait_for_all(backend: &FakeBackend, last: u64) {
    wait_until(LIMIT, "all that was acknowledged arrives", || {
        let arrived = arrived(backend);
        (1..=last).all(|number| arrived.contains_key(&number))
    });
}

fn refused(fleet: &Fleet, reason: &str) -> f64 {
    let labels = [&format!("reason=\"{reason}\"")[..]];
    let of = |name: &&str| fleet.metric(name, "tollgate_refused_requests_total", &labels).unwrap_or(0.0);
    CENTRAL.iter().map(of).sum()
}

fn fleet() -> (Fleet, FakeBackend) {
    fleet_that(1, ALL)
}

/// One that keeps by these policies, after so many seconds.
fn fleet_that(seconds: u64, policies: &str) -> (Fleet, FakeBackend) {
    let mut fleet = Fleet::lay_out();
    let backend = FakeBackend::start(fleet.block().socket(100, 0));
    let sink = format!("{{sink: {{otlp_grpc: \"{}\", signals: [traces], tls: off}}}}", backend.address());
    fleet.add_backends("us-east/central", &sink);
    fleet.sample_after(seconds, policies);
    fleet.start([COLLECTOR].into_iter().chain(GATEWAYS).chain(CENTRAL));
    (fleet, backend)
}

#[track_caller]
fn assert_nothing_was_given_up(fleet: &Fleet) {
    for gateway in GATEWAYS {
        for outcome in ["withheld", "rejected", "quarantined"] {
            assert_eq!(fleet.items(gateway, LINK, Signal::Traces, outcome), 0.0, "{gateway} {outcome}");
        }
    }
}

#[test]
fn two_regions_that_switch_one_after_the_other_lose_nothing_and_let_nothing_cross_that_either_forbids() {
    let (mut fleet, backend) = fleet();
    let sender = Sender::start(fleet.otlp(COLLECTOR), |number| vec![abroad(number)]);
    sender.flow();
    wait_for_all(&backend, sender.last());
    assert!(arrived(&backend).values().all(|abroad| *abroad), "both allow it");

    // The sender's region forbids it first: central does not know that policy and asks for the parcels later.
    fleet.edit(RESIDENCY, |text| text.replace(ALLOWS_COUNTRY, ALLOWS_NONE));
    fleet.reload(&GATEWAYS);
    let forbidden_from = sender.last() + 2;
    wait_until(LIMIT, "central does not know the policy", || refused(&fleet, "unknown_policy") > 0.0);
    sender.flow();
    fleet.reload(&CENTRAL);
    let last = sender.last();
    wait_for_all(&backend, last);
    assert!(arrived(&backend).range(forbidden_from..).all(|(_, abroad)| !abroad), "one of both forbids it");

    // Both allow it again, central first, and central is restarted before the sender follows: it still knows what was
    // in force before, and takes it, because it lets through less.
    let unknown = refused(&fleet, "unknown_policy");
    fleet.edit(RESIDENCY, |text| text.replace(ALLOWS_NONE, ALLOWS_COUNTRY));
    fleet.reload(&CENTRAL);
    fleet.kill(CENTRAL[0]);
    fleet.start([CENTRAL[0]]);
    sender.flow();
    let still_forbidden = sender.last();
    wait_for_all(&backend, still_forbidden);
    assert!(refused(&fleet, "unknown_policy") <= unknown, "the narrower policy is known");
    assert!(arrived(&backend).range(forbidden_from..).all(|(_, abroad)| !abroad), "one of both forbids it");
    fleet.reload(&GATEWAYS);
    let allowed_from = sender.last() + 2;
    sender.flow();
    wait_for_all(&backend, sender.last());
    assert!(arrived(&backend).range(allowed_from..).all(|(_, abroad)| *abroad), "both allow it");

    // Central forbids it first: what was sealed by the wider policy waits, and is sealed anew.
    fleet.edit(RESIDENCY, |text| text.replace(ALLOWS_COUNTRY, ALLOWS_NONE));
    fleet.reload(&CENTRAL);
    let forbidden_from = sender.last() + 2;
    wait_until(LIMIT, "the wider policy is not taken any more", || refused(&fleet, "wider_policy") > 0.0);
    sender.flow();
    fleet.reload(&GATEWAYS);
    let last = sender.stop();
    wait_for_all(&backend, last);
    assert!(arrived(&backend).range(forbidden_from..).all(|(_, abroad)| !abroad), "also of what waited");
    assert_nothing_was_given_up(&fleet);
}

/// Guarantees: a set that is wrong, or that a running node cannot take in, changes nothing; log, status and metrics say
/// what is wrong with it until there is a good one.
#[test]
fn documents_that_cannot_come_into_force_are_refused_aloud() {
    let mut fleet = Fleet::lay_out();
    let gateway = GATEWAYS[0];
    fleet.start([gateway]);
    let before = fleet.status(gateway)["documents"].clone();
    fleet.edit(RESIDENCY, |text| text.replace("op: raw", "op: cooked"));
    fleet.reload(&[gateway]);
    let status = fleet.status(gateway);
    assert_eq!(status["documents"], before);
    assert_eq!(status["documents_refused"]["reason"], "invalid");
    let faults = status["documents_refused"]["faults"].to_string();
    assert!(faults.contains("policies/residency.yaml:") && faults.contains("cooked"), "{faults}");
    assert_eq!(fleet.metric(gateway, "tollgate_documents_refused", &[]), Some(1.0));
    assert!(fleet.process(gateway).log().contains("the old ones stay in force"));

    fleet.edit(RESIDENCY, |text| text.replace("op: cooked", "op: raw"));
    let tier = fleet.planned("eu-west-gateway-1").tier().unwrap();
    fleet.edit("regions/eu-west.yaml", |text| text.replace(&format!(", \"1\": {tier}"), ""));
    fleet.reload(&[gateway]);
    let status = fleet.status(gateway);
    assert_eq!((&status["documents"], &status["documents_refused"]["reason"]), (&before, &"needs_restart".into()));
    assert!(
        status["documents_refused"]["faults"][0].as_str().unwrap().starts_with("regions/eu-west.yaml:"),
        "{status}"
    );
    fleet.stop(gateway);
    fleet.start([gateway]);
    let status = fleet.status(gateway);
    assert_ne!(status["documents"], before);
    assert_eq!(status["documents_before"], before, "who sent under it is still known");
    assert!(status["documents_refused"].is_null());
}

/// The rounds between the two spans of a trace: about a second.
const APART: u64 = 100;

/// Whether a trace has an error, in its first span.
fn fails(trace: u64) -> bool {
    trace.is_multiple_of(5)
}

/// The first span of one trace and the second of an older one.
fn halves(number: u64) -> Vec<Vec<u8>> {
    let half = |trace: u64, second: u64| {
        let (id, _) = numbered(trace);
        let (_, span_id) = numbered(trace * 2 + second);
        one_span((id, span_id), |span| {
            if fails(trace) && second == 0 {
                fail(span);
            }
        })
    };
    let second = number.checked_sub(APART).filter(|trace| *trace > 0).map(|trace| half(trace, 1));
    [half(number, 0)].into_iter().chain(second).collect()
}

/// The traces of which a first or a second span arrived.
fn arrived_halves(backend: &FakeBackend) -> [BTreeSet<u64>; 2] {
    let spans = backend.spans().into_iter().map(|found| u64::from_be_bytes(found.span.span_id.try_into().unwrap()));
    let (firsts, seconds): (BTreeSet<u64>, BTreeSet<u64>) = spans.partition(|span| span % 2 == 0);
    [firsts, seconds].map(|halves| halves.into_iter().map(|span| span / 2).collect())
}

/// Reloads other sampling policies at central and waits until they judge.
#[track_caller]
fn switch(fleet: &mut Fleet, policies: &str) {
    let count = |fleet: &Fleet, name: &str| fleet.metric(name, "tollgate_sampling_takeovers_total", &[]).unwrap_or(0.0);
    let before = CENTRAL.map(|name| count(fleet, name));
    fleet.sample_after(3, policies);
    fleet.reload(&CENTRAL);
    wait_until(LIMIT, "the other policies take over", || {
        CENTRAL.iter().zip(before).all(|(name, before)| count(fleet, name) > before)
    });
}

/// Scenario: under traffic whose traces take a second, central goes from keeping errors to keeping all and back. Guarantees:
/// every trace is kept whole or not at all; errors always, also those that showed before the policies that ask for them came
/// into force; every trace that began and was judged under the one that keeps all; none without an error that began after it.
#[test]
fn sampling_policies_change_under_load_and_no_trace_is_lost_or_split() {
    let (mut fleet, backend) = fleet_that(3, ERRORS);
    let sender = Sender::start(fleet.otlp(COLLECTOR), halves);
    let all_of = |traces: &[u64]| {
        let [firsts, seconds] = arrived_halves(&backend);
        traces.iter().all(|trace| firsts.contains(trace) && seconds.contains(trace))
    };
    sender.flow();
    switch(&mut fleet, ALL);
    let all_from = sender.last() + 2;
    sender.flow();
    let all: Vec<u64> = (all_from..=sender.last()).collect();
    wait_until(LIMIT, "all is kept", || all_of(&all));

    let pending_from = sender.last();
    switch(&mut fleet, ERRORS);
    let errors_from = sender.last() + 2;
    sender.flow();
    sender.flow();
    let last = sender.stop() - APART;
    let errors: Vec<u64> = (1..=last).filter(|trace| fails(*trace)).collect();
    wait_until(LIMIT, "every error is kept", || all_of(&errors));
    let only_begun = |trace: &u64| *trace > last;
    wait_until(LIMIT, "what is kept is whole", || {
        let [firsts, seconds] = arrived_halves(&backend);
        firsts.iter().filter(|trace| !only_begun(trace)).eq(seconds.iter())
    });
    let [kept, _] = arrived_halves(&backend);
    assert!(kept.range(errors_from..).all(|trace| fails(*trace)), "{kept:?}");
    assert!(kept.range(pending_from..errors_from).any(|trace| fails(*trace)));
}

/// How often; more where time does not matter.
fn rounds() -> u64 {
    if std::env::var_os("TOLLGATE_FULL").is_some() { 16 } else { 4 }
}

/// Scenario: the same, and each time a central node is killed in the middle of it, at once or a little later. Guarantees: every trace
/// is kept whole or not at all, by whichever policies it was judged, and every error is kept.
#[test]
fn a_central_node_that_is_killed_while_policies_change_splits_and_loses_no_trace() {
    let (mut fleet, backend) = fleet_that(3, ERRORS);
    let sender = Sender::start(fleet.otlp(COLLECTOR), halves);
    sender.flow();
    for round in 0..rounds() {
        fleet.sample_after(3, if round % 2 == 0 { ALL } else { ERRORS });
        CENTRAL.iter().for_each(|name| fleet.process(name).hang_up());
        // Before it has read them, while what waits is read again, or when they are in force.
        std::thread::sleep(Duration::from_millis(round * 30));
        let victim = CENTRAL[usize::from(round / 2 % 2 == 1)];
        fleet.kill(victim);
        fleet.start([victim]);
        sender.flow();
    }
    let last = sender.stop() - APART;
    let errors: Vec<u64> = (1..=last).filter(|trace| fails(*trace)).collect();
    wait_until(LIMIT, "every error is kept", || {
        let [firsts, seconds] = arrived_halves(&backend);
        errors.iter().all(|trace| firsts.contains(trace) && seconds.contains(trace))
    });
    wait_until(LIMIT, "what is kept is whole", || {
        let [firsts, seconds] = arrived_halves(&backend);
        firsts.iter().filter(|trace| **trace <= last).eq(seconds.iter())
    });
}
