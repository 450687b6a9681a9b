use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tollgate_federation::Manifest;
use tollgate_otlp::Limits;
use tollgate_runtime::{ByteBudget, ManualClock, Metrics};
use tollgate_transport::Transport;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use super::*;
use crate::admit::recognition::Recognition;
use crate::node::logs::Division;
use crate::rig::{self, node, spans};

/// What was logged as a warning or worse, a line each.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Said {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// A central node's path, and what can be seen of it.
struct Bench {
    path: Path,
    metrics: Metrics,
    hand: ManualClock,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let (dir, (clock, hand)) = (tempfile::tempdir().unwrap(), rig::standing());
        let me = node("us-east/central/0");
        let log = |signal: Signal| Ok::<_, ()>(rig::log(&dir.path().join(signal.as_str()), "there", &clock));
        let metrics = Metrics::new();
        let path = Path {
            notices: Notices::new(me.spiffe("acme.example"), clock.clone()),
            logs: BySignal::try_new(log).unwrap(),
            counters: Counters::register(&metrics, Division::Central),
            shutdown: Shutdown::new().1,
            observer: None,
            attendance: None,
            admission: Admission {
                me,
                in_force: rig::in_force(&rig::documents()),
                recognition: Recognition::new(clock.clone()),
                home: "US".parse().unwrap(),
                limits: Limits::default(),
            },
        };
        Self { path, metrics, hand, _dir: dir }
    }

    async fn send(&self, signal: Signal, from: &str, manifest: Option<Manifest>) -> Result<Receipt, Denial> {
        let permit = ByteBudget::new(1 << 20).try_take(1).unwrap();
        let payload = spans([1, 2]).into();
        let (transport, peer) = (Transport::Grpc, Peer::Node(node(from)));
        self.path.receive(Inbound { signal, transport, payload, peer, manifest, permit }).await
    }

    fn count(&self, series: &str) -> u64 {
        let text = self.metrics.encode();
        let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(name, _)| name == series));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }
}

fn manifest(from: &str, origin: &str) -> Manifest {
    rig::manifest(from, origin, 2)
}

/// As it was sealed for the link to central.
fn sealed(from: &str, origin: &str) -> Manifest {
    rig::over_link(from, "us-east/central", origin, 2)
}

/// Scenario: nodes send what they may not. Guarantees: the operator reads who and why, both as SPIFFE ids, once a minute for
/// each peer and reason however often they try; the metrics count every one by its reason.
#[tokio::test]
async fn a_refused_peer_is_named_in_the_log_and_counted_by_its_reason() {
    let (bench, said) = (Bench::new(), Said::default());
    let _guard = tracing::subscriber::set_default(said.clone());
    let eu = "eu-west/gateway/0";
    let (us, them) =
        ("spiffe://acme.example/region/us-east/central/0", "spiffe://acme.example/region/eu-west/gateway/0");
    for (signal, from, manifest, reason) in [
        (Signal::Traces, "eu-west/collector/eu-west-a-0", Some(manifest(eu, "EEA")), "not_admitted"),
        (Signal::Traces, eu, None, "no_manifest"),
        (Signal::Traces, eu, Some(manifest("eu-west/gateway/1", "EEA")), "foreign_manifest"),
        (Signal::Traces, eu, Some(manifest(eu, "UK")), "origin_not_carried"),
        (Signal::Traces, eu, Some(Manifest { signal: Signal::Logs, ..manifest(eu, "EEA") }), "foreign_signal"),
    ] {
        for _ in 0..3 {
            assert!(matches!(bench.send(signal, from, manifest.clone()).await, Err(Denial::Forbidden(_))), "{reason}");
        }
        let peer = node(from).spiffe("acme.example");
        let lines = said.lines();
        let told = |line: &String| [us, &peer, reason].iter().all(|part| line.contains(part));
        assert!(lines.len() == 1 && lines.iter().all(told), "{reason}: {lines:?}");
        let series = format!("tollgate_refused_requests_total{{signal=\"{signal}\",reason=\"{reason}\"}}");
        assert_eq!(bench.count(&series), 3, "{series}");
    }
    bench.hand.advance(Duration::from_secs(60));
    assert!(bench.send(Signal::Traces, eu, None).await.is_err());
    let lines = said.lines();
    assert!(lines[0].contains(them) && lines[0].contains("left_out=2"), "{lines:?}");
}

/// Scenario: a gateway has documents that this node does not have. Guarantees: it is told to come back, in words that say
/// why, and so is the operator; nothing is stored.
#[tokio::test]
async fn a_parcel_under_an_unknown_policy_is_asked_for_again_later() {
    let (bench, said) = (Bench::new(), Said::default());
    let _guard = tracing::subscriber::set_default(said.clone());
    let eu = "eu-west/gateway/0";
    let unknown = Manifest { policy: [9; 32], in_force: [9; 32], ..sealed(eu, "EEA") };
    for _ in 0..3 {
        let denial = bench.send(Signal::Traces, eu, Some(unknown.clone())).await.unwrap_err();
        let Denial::Disagrees { why, retry_after } = denial else { panic!("{denial}") };
        assert!(why.contains(eu) && why.contains("not known here") && retry_after > Duration::ZERO, "{why}");
    }
    assert!(matches!(said.lines().as_slice(), [line] if line.contains("unknown_policy")));
    assert_eq!(bench.count("tollgate_refused_requests_total{signal=\"traces\",reason=\"unknown_policy\"}"), 3);
    assert_eq!(bench.path.logs.of(Signal::Traces).status().end.value(), 0);
    bench.send(Signal::Traces, eu, Some(sealed(eu, "EEA"))).await.unwrap();
}

/// Guarantees: who proved nothing is named as what they claim, or by their address, and a probe of the port fills no log.
#[test]
fn a_stranger_is_named_by_claim_or_address() {
    let (bench, said) = (Bench::new(), Said::default());
    let _guard = tracing::subscriber::set_default(said.clone());
    let claimed = "spiffe://acme.example/region/eu-west/gateway/0";
    let stranger = |port, claims| Stranger { address: ([127, 0, 0, 9], port).into(), claims };
    bench.path.turned_away(&stranger(1, Some(claimed.to_owned())), &HandshakeFault::Expired);
    let lines = said.lines();
    assert!(lines.len() == 1 && lines[0].contains(claimed) && lines[0].contains("not proved"), "{lines:?}");
    for port in 1..9 {
        bench.path.turned_away(&stranger(port, None), &HandshakeFault::NoCertificate);
        bench.path.turned_away(&stranger(port, None), &HandshakeFault::BrokeOff);
    }
    let lines = said.lines();
    assert!(lines.len() == 1 && lines[0].contains("127.0.0.9:1"), "{lines:?}");
    for (reason, count) in [("expired", 1), ("no_certificate", 8), ("broke_off", 8)] {
        let series = format!("tollgate_refused_connections_total{{reason=\"{reason}\"}}");
        assert_eq!(bench.count(&series), count, "{series}");
    }
}

/// Guarantees: what is ours is counted as items, by how it came; refused items are those of requests that were read.
#[tokio::test]
async fn items_are_counted_where_the_collector_counts_them() {
    let bench = Bench::new();
    let eu = "eu-west/gateway/0";
    bench.send(Signal::Traces, eu, Some(sealed(eu, "EEA"))).await.unwrap();
    let labels = r#"{receiver="otlp",transport="grpc"}"#;
    assert_eq!(bench.count(&format!("otelcol_receiver_accepted_spans_total{labels}")), 2);
    assert_eq!(bench.count(&format!("otelcol_receiver_refused_spans_total{labels}")), 0);
    bench.path.logs.of(Signal::Traces).close().await;
    assert!(matches!(bench.send(Signal::Traces, eu, Some(sealed(eu, "EEA"))).await, Err(Denial::Unavailable { .. })));
    assert_eq!(bench.count(&format!("otelcol_receiver_refused_spans_total{labels}")), 2);
}
