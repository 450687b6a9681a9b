//! A dead link or backend is trouble of its own: the other consumers of the same log do not notice.
//!
//! Guarantees: whatever a destination does (hangs, refuses, breaks off, is not there, stands still), everyone else gets
//! everything at full pace, and it gets everything itself when it is back. One item that is refused for good ends in
//! quarantine, alone. A destination that does not want us is waited for; nothing is dropped.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tollgate_federation::Signal;
use tollgate_integration::fleet::ALL;
use tollgate_integration::requests::one_span;
use tollgate_integration::{Delivered, Fleet, Traffic};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_testkit::backend::Behaviour;
use tollgate_testkit::{Client, FakeBackend, Service, wait_until};
use tonic::Code;

const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAY: &str = "eu-west-gateway-0";
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
const UK: &str = "uk-south-gateway-0";

const TO_GRPC: &str = "traces/backend/grpc";
const TO_HTTP: &str = "traces/backend/http";
const TO_UK: &str = "traces/link/uk-south/gateway";
const TO_CENTRAL: &str = "traces/link/us-east/central";

const EVERY: Duration = Duration::from_millis(30);
const LIMIT: Duration = Duration::from_secs(40);
/// What arrives at the sound destinations arrives there within this time, whatever the others do.
const PACE: Duration = Duration::from_secs(3);
/// What a sound consumer may have in front of it at any time: a few requests.
const BOUND: u64 = 64 << 10;

/// One EU collector and one EU gateway with two backends and two links.
struct Region {
    traffic: Traffic,
    grpc: FakeBackend,
    http: FakeBackend,
    fleet: Fleet,
}

impl Region {
    /// Starts the region; `also` are the nodes at the far ends of its links.
    fn start(seed: u64, also: &[&str]) -> Self {
        let mut fleet = Fleet::lay_out();
        fleet.sample(ALL);
        let backend = |host| FakeBackend::start(fleet.block().socket(host, 4317));
        let (grpc, http) = (backend(201), backend(202));
        let common = "signals: [traces], tls: off, timeout: 2s";
        let to_grpc = format!("grpc: {{otlp_grpc: \"{}\", {common}}}", grpc.address());
        let to_http = format!("http: {{otlp_http: \"http://{}\", {common}}}", http.address());
        fleet.with_one_eu_gateway();
        fleet.add_backends("eu-west/gateway", &format!("{{{to_grpc}, {to_http}}}"));
        fleet.start([COLLECTOR, GATEWAY].iter().chain(also).copied());
        let traffic = Traffic::start(&[fleet.otlp(COLLECTOR)], EVERY, seed);
        Self { traffic, grpc, http, fleet }
    }

    fn lags(&self) -> BTreeMap<String, u64> {
        self.fleet.lags(GATEWAY)
    }

    /// Waits until a consumer that was behind has next to nothing in front of it.
    #[track_caller]
    fn catches_up(&self, consumer: &str) {
        let lag = || self.lags().get(consumer).copied();
        wait_until(LIMIT, "it catches up", || lag().is_some_and(|lag| lag < BOUND / 4));
    }

    /// Waits until these consumers are behind and so many more spans are acknowledged; all the while every other consumer
    /// keeps pace.
    #[track_caller]
    fn others_keep_pace_without(&self, dead: &[&str], spans: usize) {
        let before = self.traffic.acknowledged();
        wait_until(LIMIT, "traffic flows while the dead ones fall behind", || {
            let lags = self.lags();
            let late = lags.iter().find(|(name, lag)| !dead.contains(&name.as_str()) && **lag > BOUND);
            assert_eq!(late, None, "is held up by {dead:?}: {lags:?}");
            let behind = dead.iter().all(|dead| lags.get(*dead).is_some_and(|lag| *lag > BOUND));
            behind && self.traffic.acknowledged() >= before + spans
        });
    }

    /// What this place has arrives there within [`PACE`] of its acknowledgement.
    #[track_caller]
    fn keeps_pace(&self, what: &str, arrived: impl Fn() -> usize) {
        let now = self.traffic.acknowledged();
        wait_until(PACE, what, || arrived() >= now);
    }

    fn quarantined(&self, consumer: &str) -> Vec<PathBuf> {
        let data = self.fleet.folder().join(&self.fleet.planned(GATEWAY).data);
        let folder = data.join("quarantine").join(consumer).join("traces");
        let files = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        // An item that is still being written has another ending.
        files.filter(|file| file.extension().is_some_and(|ending| ending == "binpb")).collect()
    }

    fn count(&self, consumer: &str, outcome: &str) -> f64 {
        self.fleet.items(GATEWAY, consumer, Signal::Traces, outcome)
    }

    fn held(&self, consumer: &str) -> Option<f64> {
        let labels = [&format!("consumer=\"{consumer}\"")[..], "signal=\"traces\""];
        self.fleet.metric(GATEWAY, "tollgate_consumer_held", &labels)
    }
}

fn accepted(backend: &FakeBackend) -> usize {
    Delivered::accepted(&[backend]).spans()
}

#[test]
fn a_backend_that_hangs_refuses_or_breaks_off_holds_up_nobody_and_catches_up() {
    let region = Region::start(1, &CENTRAL);
    let (grpc, http) = ((&region.grpc, TO_GRPC, &region.http), (&region.http, TO_HTTP, &region.grpc));
    let unavailable = Behaviour::Refuse(Code::Unavailable);
    let mut rounds = vec![(grpc, Behaviour::Hang), (http, unavailable), (grpc, Behaviour::Kill)];
    if std::env::var_os("TOLLGATE_FULL").is_some() {
        rounds.extend([(http, Behaviour::Hang), (grpc, unavailable), (http, Behaviour::Kill)]);
    }
    for ((dead, name, alive), trouble) in rounds {
        dead.behave(trouble);
        region.others_keep_pace_without(&[name, TO_UK], 100);
        region.keeps_pace("the other backend keeps pace", || accepted(alive));
        region.keeps_pace("central keeps pace", || region.fleet.exported(&CENTRAL).spans());
        dead.behave(Behaviour::Accept);
        region.catches_up(name);
    }
    let Region { traffic, grpc, http, fleet } = region;
    let ledger = traffic.stop();
    for backend in [&grpc, &http] {
        let missing = || ledger.missing_anywhere(&Delivered::accepted(&[backend]));
        wait_until(LIMIT, "each backend has everything", || missing().is_empty());
    }
    wait_until(LIMIT, "central has everything", || ledger.missing_anywhere(&fleet.exported(&CENTRAL)).is_empty());
}

#[test]
fn a_link_to_nobody_or_to_a_node_that_stands_still_holds_up_nobody_and_catches_up() {
    let mut region = Region::start(2, &[CENTRAL[0]]);
    // The UK is not there from the start, and of central only one of two.
    region.others_keep_pace_without(&[TO_UK, TO_CENTRAL], 200);
    region.keeps_pace("the backend keeps pace", || accepted(&region.grpc));
    assert!(region.fleet.exported(&CENTRAL[..1]).spans() > 0, "the node that is there gets its share");
    region.fleet.start([CENTRAL[1], UK]);
    region.catches_up(TO_CENTRAL);
    region.catches_up(TO_UK);

    region.fleet.process(UK).pause();
    region.others_keep_pace_without(&[TO_UK], 200);
    region.keeps_pace("central keeps pace", || region.fleet.exported(&CENTRAL).spans());
    region.fleet.process(UK).resume();
    region.catches_up(TO_UK);
    let ledger = region.traffic.stop();
    for nodes in [&CENTRAL[..], &[UK]] {
        let missing = || ledger.missing_anywhere(&region.fleet.exported(nodes));
        wait_until(LIMIT, "every link has carried everything", || missing().is_empty());
    }
}

#[test]
fn one_item_that_is_refused_for_good_ends_in_quarantine_and_all_others_arrive_once() {
    const POISON: &str = "a span that this backend cannot bear";
    let region = Region::start(3, &CENTRAL);
    let backends = [&region.grpc, &region.http];
    // A backlog first, so that the guilty item has to be found among many.
    for backend in backends {
        backend.behave(Behaviour::Refuse(Code::Unavailable));
    }
    let guilty = (TraceId([9; 16]), SpanId([9; 8]));
    Client::plain(region.fleet.otlp(COLLECTOR))
        .export(Service::Traces, one_span(guilty, |span| span.string(5, POISON)))
        .unwrap();
    region.others_keep_pace_without(&[TO_GRPC, TO_HTTP, TO_UK], 100);
    for backend in backends {
        backend.behave(Behaviour::RefuseWith(POISON.as_bytes()));
    }
    for name in ["backend/grpc", "backend/http"] {
        wait_until(LIMIT, "the item is in quarantine", || region.quarantined(name).len() == 1);
        let text = fs::read(&region.quarantined(name)[0]).unwrap();
        assert!(text.windows(POISON.len()).any(|window| window == POISON.as_bytes()));
        region.catches_up(&format!("traces/{name}"));
        assert_eq!(region.count(name, "quarantined"), 1.0);
    }
    let central = || region.fleet.exported(&CENTRAL);
    wait_until(LIMIT, "central takes it", || !central().places_of(&guilty).is_empty());
    let Region { traffic, grpc, http, fleet: _fleet } = region;
    let ledger = traffic.stop();
    for backend in [&grpc, &http] {
        let delivered = || Delivered::accepted(&[backend]);
        wait_until(LIMIT, "all others arrive", || ledger.missing_anywhere(&delivered()).is_empty());
        assert!(delivered().places_of(&guilty).is_empty());
        assert_eq!(delivered().repeated(), 0);
    }
}

#[test]
fn a_destination_that_does_not_want_us_is_waited_for_and_said_to_be_held() {
    let region = Region::start(4, &CENTRAL);
    wait_until(LIMIT, "traffic flows", || accepted(&region.grpc) > 0 && accepted(&region.http) > 0);
    assert_eq!(region.held("backend/http"), Some(0.0));
    region.http.behave(Behaviour::Refuse(Code::PermissionDenied));
    wait_until(LIMIT, "it is said to be held", || region.held("backend/http") == Some(1.0));
    region.others_keep_pace_without(&[TO_HTTP, TO_UK], 100);
    assert_eq!(region.held("backend/grpc"), Some(0.0));
    assert_eq!((region.count("backend/http", "quarantined"), region.count("backend/http", "rejected")), (0.0, 0.0));
    region.http.behave(Behaviour::Accept);
    wait_until(LIMIT, "it is held no more", || region.held("backend/http") == Some(0.0));
    let Region { traffic, http, .. } = &region;
    let now = traffic.acknowledged();
    wait_until(LIMIT, "nothing was dropped", || accepted(http) >= now);
}
