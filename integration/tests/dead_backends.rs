//! Backends that are dead for ever: one whose kernel takes connections and that never answers, one that answers 503, one
//! that resets every connection.
//!
//! Guarantees: however many of a region's backends are dead, and with whatever signal, the sound one and the links get
//! everything at full pace; what the dead ones must have waits on disk and nothing of it is given up; the node stays well,
//! ends when it is told to, and starts again.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use tollgate_federation::Signal;
use tollgate_integration::fleet::ALL;
use tollgate_integration::requests::request;
use tollgate_integration::{Delivered, Fleet, Traffic};
use tollgate_otlp::Writer;
use tollgate_testkit::backend::{Behaviour, text_of};
use tollgate_testkit::{Client, FakeBackend, Service, wait_until};
use tonic::Code;

const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAY: &str = "eu-west-gateway-0";
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
const UK: &str = "uk-south-gateway-0";
const DEAD: [&str; 3] = ["backend/mute", "backend/refusing", "backend/broken"];
const SIGNALS: [&str; 3] = ["traces", "metrics", "logs"];

const EVERY: Duration = Duration::from_millis(30);
const LIMIT: Duration = Duration::from_secs(40);
/// What arrives at the sound destinations arrives there within this time, whatever the others do.
const PACE: Duration = Duration::from_secs(5);
/// What a sound consumer may have in front of it at any time: a few requests.
const BOUND: u64 = 64 << 10;
/// What windows and parcels of nine dead lanes may take.
const GROWTH: u64 = 64 << 20;

/// A region with three dead backends and a sound one.
struct Region {
    fleet: Fleet,
    sound: FakeBackend,
    _mute: TcpListener,
    _dead: [FakeBackend; 2],
}

impl Region {
    fn start() -> Self {
        let mut fleet = Fleet::lay_out();
        fleet.sample(ALL);
        let mute = TcpListener::bind(fleet.block().socket(201, 4317)).unwrap();
        let backend = |host, behaviour| {
            let backend = FakeBackend::start(fleet.block().socket(host, 4317));
            backend.behave(behaviour);
            backend
        };
        let refusing = backend(202, Behaviour::Refuse(Code::Unavailable));
        let broken = backend(203, Behaviour::Kill);
        let sound = backend(204, Behaviour::Accept);
        let mut backends = String::new();
        for (name, target) in [
            ("mute", format!("otlp_grpc: \"{}\"", mute.local_addr().unwrap())),
            ("refusing", format!("otlp_http: \"http://{}\"", refusing.address())),
            ("broken", format!("otlp_grpc: \"{}\"", broken.address())),
            ("sound", format!("otlp_grpc: \"{}\"", sound.address())),
        ] {
            let signals = "[traces, metrics, logs]";
            write!(backends, "{name}: {{{target}, signals: {signals}, tls: off, timeout: 2s}}, ").unwrap();
        }
        fleet.with_one_eu_gateway();
        fleet.add_backends("eu-west/gateway", &format!("{{{backends}}}"));
        fleet.start([COLLECTOR, GATEWAY, UK].into_iter().chain(CENTRAL));
        Self { fleet, sound, _mute: mute, _dead: [refusing, broken] }
    }

    /// Sends one metric and one log record of this number.
    fn send(&self, client: &Client, number: usize) {
        for (service, item) in [(Service::Metrics, metric(number)), (Service::Logs, log(number))] {
            client.export(service, request(&[item])).unwrap();
        }
    }

    /// Which metrics and log records the sound backend has.
    fn arrived(&self) -> [BTreeSet<usize>; 2] {
        let metrics = self.sound.metrics().iter().filter_map(|found| found.metric.name.parse().ok()).collect();
        let logs = self.sound.logs();
        let logs = logs.iter().filter_map(|found| text_of(&found.record.attributes, "number")?.parse().ok()).collect();
        [metrics, logs]
    }

    /// The consumers of the gateway that lag, but for those of dead backends.
    fn late(&self) -> Vec<String> {
        let lags = self.fleet.lags(GATEWAY).into_iter();
        let is_dead = |name: &str| DEAD.iter().any(|dead| name.ends_with(dead));
        lags.filter(|(name, lag)| *lag > BOUND && !is_dead(name)).map(|(name, _)| name).collect()
    }

    fn items(&self, consumer: &str, outcome: &str) -> f64 {
        Signal::ALL.map(|signal| self.fleet.items(GATEWAY, consumer, signal, outcome)).iter().sum()
    }
}

/// A gauge of one point, named by its number.
fn metric(number: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut metric = Writer::new(&mut body);
    metric.string(1, &number.to_string());
    metric.message(5, |gauge| gauge.message(1, |point| point.double(4, 1.5)));
    body
}

/// A log record with its number.
fn log(number: usize) -> Vec<u8> {
    let mut body = Vec::new();
    Writer::new(&mut body).key_string(6, "number", &number.to_string());
    body
}

#[test]
fn backends_that_are_dead_for_ever_hold_up_nobody_and_lose_nothing_and_let_the_node_end_and_start() {
    let mut region = Region::start();
    let before = region.fleet.peak_memory(GATEWAY);
    let client = Client::plain(region.fleet.otlp(COLLECTOR));
    let traffic = Traffic::start(&[region.fleet.otlp(COLLECTOR)], EVERY, 1);
    let mut sent = 0;
    let mut round = |region: &Region| {
        let first = sent;
        wait_until(LIMIT, "every dead backend falls behind with every signal", || {
            region.send(&client, sent);
            sent += 1;
            assert_eq!(region.late(), Vec::<String>::new(), "held up by dead backends");
            let lags = region.fleet.lags(GATEWAY);
            let all = DEAD.iter().flat_map(|dead| SIGNALS.map(|signal| format!("{signal}/{dead}")));
            let waits = |(name, least)| lags.get(&name).is_some_and(|lag| *lag > least);
            all.map(|name| (name.clone(), if name.starts_with("traces") { BOUND } else { 0 })).all(waits)
                && sent > first + 50
        });
        let (spans, numbers) = (traffic.acknowledged(), (0..sent).collect::<BTreeSet<_>>());
        wait_until(PACE, "the sound backend has every metric and log", || {
            region.arrived().iter().all(|found| *found == numbers)
        });
        wait_until(PACE, "the sound backend has every span", || Delivered::accepted(&[&region.sound]).spans() >= spans);
        for nodes in [&CENTRAL[..], &[UK]] {
            wait_until(PACE, "the links keep pace", || region.fleet.exported(nodes).spans() >= spans);
        }
        assert!(region.fleet.is_ready(GATEWAY));
        for dead in DEAD {
            for outcome in ["sent", "rejected", "quarantined", "dropped"] {
                assert_eq!(region.items(dead, outcome), 0.0, "{dead} {outcome}");
            }
        }
    };
    round(&region);
    let grown = region.fleet.peak_memory(GATEWAY).saturating_sub(before);
    assert!(grown < GROWTH, "{} MiB more", grown >> 20);
    assert!(region.fleet.stop(GATEWAY).success(), "it ends in its time, whoever does not answer");
    region.fleet.start([GATEWAY]);
    wait_until(LIMIT, "what waited for the node is passed on", || {
        region.fleet.lags(COLLECTOR).values().all(|lag| *lag < BOUND / 4) && region.late().is_empty()
    });
    round(&region);
    let ledger = traffic.stop();
    wait_until(LIMIT, "nothing is missing", || {
        ledger.missing_anywhere(&Delivered::accepted(&[&region.sound])).is_empty()
    });
    assert_eq!(Delivered::accepted(&[&region.sound]).repeated(), 0);
}
