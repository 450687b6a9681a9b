//! Who may speak for whom: a tier port takes only what a certificate of the right region, role and authority, and a manifest
//! that fits it, may bring. Whoever calls a tier gives nothing to a server that does not prove to be of that tier.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use data_encoding::BASE64_NOPAD;
use tollgate_federation::{Manifest, NodeId, Signal};
use tollgate_integration::Fleet;
use tollgate_integration::requests::one_span;
use tollgate_otlp::{SpanId, TraceId};
use tollgate_scenario::certs::{Leaf, Validity};
use tollgate_testkit::{Client, FakeBackend, Identity, Service, binary, http, wait_until};
use tonic::{Code, Status};

const LIMIT: Duration = Duration::from_secs(15);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAY: &str = "eu-west-gateway-0";
const CENTRAL: &str = "us-east-central-0";

/// A tier port of a running process, its own region's authority, and a peer that it must take.
struct Port {
    name: &'static str,
    region: &'static str,
    me: &'static str,
    right: (&'static str, &'static str),
}

const PORTS: [Port; 2] = [
    Port { name: GATEWAY, region: "eu-west", me: "eu-west/gateway/0", right: ("eu-west/collector/eu-west-a-0", "EEA") },
    Port { name: CENTRAL, region: "us-east", me: "us-east/central/0", right: ("us-east/gateway/0", "US") },
];

/// A certificate of a node under its own region's authority.
fn usual(node: &str) -> (String, Leaf) {
    let region = node.split('/').next().unwrap();
    (region.to_owned(), Leaf::node(uri(node)))
}

fn uri(node: &str) -> String {
    node.parse::<NodeId>().unwrap().spiffe("acme.example")
}

fn with_validity(node: &str, validity: Validity) -> (String, Leaf) {
    let (region, leaf) = usual(node);
    (region, Leaf { validity, ..leaf })
}

fn identity(fleet: &Fleet, (region, leaf): &(String, Leaf)) -> Identity {
    let issued = fleet.authority(region).issue(leaf).unwrap();
    Identity { cert: issued.cert, key: issued.key }
}

fn client(fleet: &Fleet, port: &Port, who: &(String, Leaf)) -> Client {
    Client::tls(address(fleet, port), fleet.authority(port.region).cert(), Some(&identity(fleet, who)))
}

fn address(fleet: &Fleet, port: &Port) -> SocketAddr {
    fleet.planned(port.name).tier().unwrap()
}

fn manifest(node: &str, origin: &str, signal: Signal) -> Manifest {
    Manifest {
        node: node.parse().unwrap(),
        boot: 1,
        parcel: 1,
        origin: origin.parse().unwrap(),
        policy: [0; 32],
        in_force: [0; 32],
        signal,
        items: 1,
        interval: (1, 1),
        positions: (0, 1),
        progress: None,
        listener: None,
    }
}

/// Sends one span, log or metric with this manifest.
fn send(client: &Client, service: Service, manifest: Option<&Manifest>) -> Result<(), Status> {
    let encoded = manifest.map(|manifest| BASE64_NOPAD.encode(&manifest.encode()));
    let metadata: Vec<_> = encoded.iter().map(|text| ("tollgate-manifest-bin", text.as_str())).collect();
    client.export_with(service, request(), &metadata).map(|_| ())
}

/// One item with two ids; for metrics and logs it is an item with fields they do not know.
fn request() -> Vec<u8> {
    one_span((TraceId([7; 16]), SpanId([7; 8])), |span| span.string(5, "GET"))
}

/// Where each log of a process ends: what was refused moves none of them.
fn ends(fleet: &Fleet, port: &Port) -> Vec<u64> {
    let status = fleet.status(port.name);
    ["traces", "metrics", "logs"].map(|log| status["logs"][log]["end"].as_u64().unwrap()).to_vec()
}

/// The process is well, nothing of what was refused is in its logs, and it takes what is right.
#[track_caller]
fn assert_unmoved(fleet: &mut Fleet, port: &Port, before: &[u64]) {
    assert_eq!(ends(fleet, port), before, "{}: something refused was stored", port.name);
    assert!(fleet.is_ready(port.name), "{}", port.name);
    let (node, origin) = port.right;
    let right = client(fleet, port, &usual(node));
    send(&right, Service::Traces, Some(&manifest(node, origin, Signal::Traces))).unwrap();
    assert!(ends(fleet, port)[0] > before[0], "{}: what is right was not stored", port.name);
    assert!(fleet.process(port.name).is_running());
}

#[test]
fn who_does_not_prove_a_node_under_its_own_authority_gets_no_connection() {
    let mut fleet = Fleet::lay_out();
    fleet.start([GATEWAY, CENTRAL]);
    for port in &PORTS {
        let (before, right) = (ends(&fleet, port), port.right.0);
        let other = if right.starts_with("eu-west") { "us-east" } else { "eu-west" };
        let mut two_names = usual(right);
        two_names.1.uris.push(uri("us-east/gateway/0"));
        let nameless = ("eu-west".to_owned(), Leaf { uris: Vec::new(), ..Leaf::node("") });
        let foreign_domain = ("eu-west".to_owned(), Leaf::node(uri(right).replace("acme.example", "evil.example")));
        let unknown_region = ("eu-west".to_owned(), Leaf::node(uri("ap-south/gateway/0")));
        for (what, who) in [
            ("another region's authority", (other.to_owned(), Leaf::node(uri(right)))),
            ("expired", with_validity(right, Validity::Expired)),
            ("not valid yet", with_validity(right, Validity::NotYet)),
            ("two names", two_names),
            ("no name", nameless),
            ("another trust domain", foreign_domain),
            ("a region that is not there", unknown_region),
        ] {
            let sent = Some(manifest(right, "EEA", Signal::Traces));
            let refused = send(&client(&fleet, port, &who), Service::Traces, sent.as_ref()).expect_err(what);
            assert!(refused.source().is_some(), "{what}: the connection ends, the node answers nothing: {refused:?}");
        }
        let nobody = Client::tls(address(&fleet, port), fleet.authority(port.region).cert(), None);
        send(&nobody, Service::Traces, None).expect_err("no certificate");
        send(&Client::plain(address(&fleet, port)), Service::Traces, None).expect_err("plain text");
        let plain = http::post(address(&fleet, port), "/v1/traces", "application/x-protobuf", &[], &request());
        assert!(plain.is_err(), "plain HTTP: {plain:?}");
        assert_unmoved(&mut fleet, port, &before);
        let log = fleet.process(port.name).log();
        let expired =
            |line: &str| line.contains(&uri(right)) && line.contains(&uri(port.me)) && line.contains("expired");
        assert!(log.lines().any(expired), "the operator sees who and why:\n{log}");
        for reason in ["unknown_issuer", "expired", "not_valid_yet", "uri_names", "not_a_node", "unknown_region"] {
            let labels = [&format!("reason=\"{reason}\"")[..]];
            let refused = fleet.metric(port.name, "tollgate_refused_connections_total", &labels);
            assert!(refused.is_some_and(|refused| refused >= 1.0), "{reason}: {refused:?}");
        }
    }
}

#[test]
fn a_peer_of_the_wrong_region_or_role_is_told_both_names() {
    let mut fleet = Fleet::lay_out();
    fleet.start([GATEWAY, CENTRAL]);
    let wrong: [&[&str]; 2] = [
        &[
            "uk-south/gateway/0",              // another region, no link
            "us-east/gateway/0",               // another region, no link
            "us-east/central/0",               // the other end of a link that leads away from here
            "uk-south/collector/uk-south-a-0", // a collector of another region
            "eu-west/gateway/1",               // the same tier
            "eu-west/collector/nowhere-0",     // a cluster that is not there
        ],
        &[
            "eu-west/collector/eu-west-a-0", // a link is for gateways
            "us-east/collector/us-east-a-0", // also within the region
            "us-east/central/1",             // the same tier
            "eu-west/gateway/7",             // the documents list no such node
        ],
    ];
    for (port, peers) in PORTS.iter().zip(wrong) {
        let before = ends(&fleet, port);
        for peer in peers {
            let client = client(&fleet, port, &usual(peer));
            for manifest in [None, Some(manifest(peer, "EEA", Signal::Traces))] {
                let refused = send(&client, Service::Traces, manifest.as_ref()).unwrap_err();
                assert_eq!(refused.code(), Code::PermissionDenied, "{peer}: {refused}");
                let text = refused.message();
                assert!(text.contains(peer) && text.contains(port.me), "{peer} at {}: {text}", port.me);
            }
            let (ours, theirs) = (uri(port.me), uri(peer));
            let log = fleet.process(port.name).log();
            let told = |line: &&str| line.contains("WARN") && line.contains(&ours) && line.contains(&theirs);
            assert_eq!(log.lines().filter(told).count(), 1, "one line for two refusals of {peer}:\n{log}");
        }
        let refused = fleet.metric(port.name, "tollgate_refused_requests_total", &["reason=\"not_admitted\""]);
        assert_eq!(refused, Some(2.0 * peers.len() as f64));
        assert_unmoved(&mut fleet, port, &before);
    }
}

#[test]
fn a_parcel_without_a_manifest_that_fits_its_peer_and_link_is_refused() {
    let mut fleet = Fleet::lay_out();
    fleet.start([GATEWAY, CENTRAL]);
    let of = |node, origin, signal| Some(manifest(node, origin, signal));
    let central = [
        ("none", Service::Traces, None, "needs a manifest"),
        ("another node", Service::Traces, of("eu-west/gateway/1", "EEA", Signal::Traces), "names eu-west/gateway/1"),
        ("another origin", Service::Traces, of("eu-west/gateway/0", "UK", Signal::Traces), "data of origin UK"),
        ("more origins", Service::Traces, of("eu-west/gateway/0", "EEA+UK", Signal::Traces), "data of origin EEA+UK"),
        ("home's origin", Service::Traces, of("eu-west/gateway/0", "US", Signal::Traces), "data of origin US"),
        ("logs", Service::Logs, of("eu-west/gateway/0", "EEA", Signal::Logs), "does not carry logs"),
        ("metrics", Service::Metrics, of("eu-west/gateway/0", "EEA", Signal::Metrics), "does not carry metrics"),
        ("logs as traces", Service::Logs, of("eu-west/gateway/0", "EEA", Signal::Traces), "does not carry logs"),
    ];
    let gateway = [
        ("none", Service::Traces, None, "needs a manifest"),
        (
            "another node",
            Service::Logs,
            of("eu-west/collector/eu-west-b-0", "EEA", Signal::Logs),
            "names eu-west/collector/eu-west-b-0",
        ),
    ];
    for (port, peer, cases) in [(&PORTS[1], "eu-west/gateway/0", &central[..]), (&PORTS[0], PORTS[0].right.0, &gateway)]
    {
        let before = ends(&fleet, port);
        let client = client(&fleet, port, &usual(peer));
        for (what, service, manifest, text) in cases {
            let refused = send(&client, *service, manifest.as_ref()).expect_err(what);
            assert_eq!(refused.code(), Code::PermissionDenied, "{what}: {refused}");
            assert!(refused.message().contains(text), "{what}: {refused}");
        }
        for broken in ["not base64!", "Aw", "AwAA"] {
            let sent = client.export_with(Service::Traces, request(), &[("tollgate-manifest-bin", broken)]);
            let refused = sent.expect_err(broken);
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
            assert!(refused.message().contains("manifest") && !refused.message().contains(broken), "{refused}");
        }
        // Of an earlier release: it is not the parcel that is wrong.
        let sent = client.export_with(Service::Traces, request(), &[("tollgate-manifest-bin", "AgAA")]);
        assert_eq!(sent.expect_err("another release").code(), Code::Unavailable);
        assert_unmoved(&mut fleet, port, &before);
    }
}

#[test]
fn nothing_is_sent_to_a_server_that_does_not_prove_to_be_of_the_tier_that_was_called() {
    let mut fleet = Fleet::lay_out();
    let tier = [GATEWAY, "eu-west-gateway-1"].map(|name| fleet.planned(name).tier().unwrap());
    fleet.start([COLLECTOR]);
    Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, request()).unwrap();
    let impostors = [
        ("another role of the region", usual("eu-west/collector/eu-west-a-0")),
        ("another region", usual("us-east/gateway/0")),
        ("another region's authority", ("us-east".to_owned(), Leaf::node(uri("eu-west/gateway/0")))),
        ("expired", with_validity("eu-west/gateway/0", Validity::Expired)),
    ];
    for (what, who) in impostors {
        let backends = tier.map(|address| FakeBackend::start_tls(address, &identity(&fleet, &who)));
        let failed = || fleet.metric(COLLECTOR, "tollgate_consumer_items_total", &["gateway", "traces", "failed"]);
        let before = failed().unwrap_or(0.0);
        wait_until(LIMIT, "it tries the impostor", || failed().unwrap_or(0.0) >= before + 2.0);
        assert!(backends.iter().all(|backend| backend.requests() == 0), "{what}: data went to an impostor");
        drop(backends);
    }
    let log = fleet.process(COLLECTOR).log();
    assert!(log.contains("eu-west/collector/eu-west-a-0 answered where"), "the operator sees who answered:\n{log}");
    fleet.start([GATEWAY]);
    let delivered = || fleet.items(COLLECTOR, "gateway", Signal::Traces, "sent");
    wait_until(LIMIT, "the right gateway gets what waited", || delivered() == 1.0);
}

#[test]
fn a_node_does_not_start_with_a_certificate_that_proves_nothing() {
    let fleet = Fleet::lay_out();
    let planned = fleet.planned(GATEWAY);
    let mut command = Command::new(binary());
    command.args(["run", "--set", ".", "--node-file"]).arg(&planned.node_file).arg(planned.node.to_string());
    command.current_dir(fleet.folder());
    for (who, why, code) in [
        (with_validity("eu-west/gateway/0", Validity::Expired), "xpired", 1),
        (("us-east".to_owned(), Leaf::node(uri("eu-west/gateway/0"))), "UnknownIssuer", 78),
    ] {
        identity_files(&fleet, &identity(&fleet, &who));
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains("our own certificate") && text.contains(why), "{text}");
    }
}

fn identity_files(fleet: &Fleet, identity: &Identity) {
    let base = fleet.folder().join("nodes").join(GATEWAY);
    fs::write(base.with_extension("pem"), &identity.cert).unwrap();
    fs::write(base.with_extension("key"), &identity.key).unwrap();
}
