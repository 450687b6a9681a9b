use std::net::{Ipv4Addr, SocketAddr};

use tollgate_otlp::{Batch, Index};
use tollgate_runtime::ByteBudget;
use tollgate_transport::{Denial, Transport};

use super::*;
use crate::receive::refusal::Remedy;
use crate::rig::{self, node, spans};

fn admission(me: &str, home: &str) -> Admission {
    let (in_force, recognition) = (rig::in_force(&rig::documents()), Recognition::new(rig::standing().0));
    Admission { me: node(me), in_force, recognition, home: home.parse().unwrap(), limits: Limits::default() }
}

fn gateway() -> Admission {
    admission("uk-south/gateway/0", "UK")
}

fn manifest(from: &str, origin: &str) -> Manifest {
    match from.split_once('/').unwrap() {
        ("eu-west", "gateway/0") if origin == "EEA" => rig::over_link(from, "uk-south/gateway", origin, 1),
        ("uk-south", "gateway/3") if origin == "UK" => rig::over_link(from, "us-east/central", origin, 1),
        _ => rig::manifest(from, origin, 1),
    }
}

fn plain() -> Peer {
    Peer::Plain(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)))
}

fn inbound(signal: Signal, payload: Vec<u8>, peer: Peer, manifest: Option<Manifest>) -> Inbound {
    let permit = ByteBudget::new(1 << 20).try_take(1).unwrap();
    Inbound { signal, transport: Transport::Grpc, payload: payload.into(), peer, manifest, permit }
}

/// A parcel of traces whose manifest agrees with its certificate.
fn parcel(from: &str, origin: &str) -> Inbound {
    inbound(Signal::Traces, spans([1]), Peer::Node(node(from)), Some(manifest(from, origin)))
}

fn origin_and_peer(admission: &Admission, inbound: Inbound) -> (String, String) {
    let entry = admission.admit(inbound).ok().unwrap().entry;
    assert_eq!(entry.policy, rig::documents().federation.digest(), "the documents in force are stored with the record");
    (entry.origin.to_string(), entry.peer.to_string())
}

fn refusal(admission: &Admission, inbound: Inbound) -> Refusal {
    admission.admit(inbound).err().unwrap()
}

#[test]
fn a_collector_takes_anybodys_data_as_its_regions() {
    let collector = admission("eu-west/collector/eu-west-a-0", "EEA");
    let service = inbound(Signal::Logs, Vec::new(), plain(), Some(manifest("us-east/gateway/0", "US")));
    assert_eq!(origin_and_peer(&collector, service), ("EEA".to_owned(), "service/otlp_grpc".to_owned()));
    let service = inbound(Signal::Logs, Vec::new(), plain(), None);
    let service = Inbound { transport: Transport::Http, ..service };
    assert_eq!(origin_and_peer(&collector, service).1, "service/otlp_http");
}

/// Guarantees: by which listener something came is taken from this region's own collectors; nobody else says anything of it.
#[test]
fn only_own_collectors_say_by_which_listener_they_received() {
    let said = |from: &str, to: &Admission, origin: &str| {
        let manifest = Manifest { listener: Some(Listener::OtlpHttp), ..manifest(from, origin) };
        origin_and_peer(to, inbound(Signal::Traces, spans([1]), Peer::Node(node(from)), Some(manifest))).1
    };
    let own = "uk-south/collector/uk-south-a-0";
    assert_eq!(said(own, &gateway(), "UK"), format!("{own}/otlp_http"));
    assert_eq!(said("eu-west/gateway/0", &gateway(), "EEA"), "eu-west/gateway/0");
    assert_eq!(said("us-east/gateway/0", &admission("us-east/central/0", "US"), "US"), "us-east/gateway/0");
}

#[test]
fn own_collectors_cannot_say_that_their_data_is_foreign() {
    let from = "uk-south/collector/uk-south-a-0";
    assert_eq!(origin_and_peer(&gateway(), parcel(from, "US")), ("UK".to_owned(), from.to_owned()));
}

#[test]
fn a_link_brings_the_origin_of_its_manifest() {
    let from = "eu-west/gateway/0";
    assert_eq!(origin_and_peer(&gateway(), parcel(from, "EEA")), ("EEA".to_owned(), from.to_owned()));
    let central = admission("us-east/central/0", "US");
    assert_eq!(origin_and_peer(&central, parcel("uk-south/gateway/3", "UK")).0, "UK");
}

#[test]
fn a_gateway_of_the_same_region_brings_its_own_origin_only() {
    let central = admission("us-east/central/0", "US");
    assert_eq!(origin_and_peer(&central, parcel("us-east/gateway/0", "US")).0, "US");
    assert!(matches!(refusal(&central, parcel("us-east/gateway/0", "EEA")), Refusal::OriginNotCarried { .. }));
}

#[test]
fn an_origin_that_no_link_brings_is_refused() {
    // The link from uk-south carries UK data: what came to uk-south from the EEA does not go on.
    let central = admission("us-east/central/0", "US");
    for origin in ["EEA", "US", "EEA+UK"] {
        let refusal = refusal(&central, parcel("uk-south/gateway/0", origin));
        assert!(matches!(refusal, Refusal::OriginNotCarried { .. }), "{origin}: {refusal}");
    }
}

#[test]
fn who_has_no_business_here_is_refused_by_name() {
    for peer in [
        "us-east/gateway/0",              // no link leads from there
        "eu-west/collector/eu-west-a-0",  // another region's collector
        "us-east/central/0",              // central sends to nobody
        "uk-south/gateway/1",             // gateways of one region do not send to each other
        "uk-south/collector/elsewhere-0", // no such cluster
        "atlantis/gateway/0",             // no such region
    ] {
        let refusal = refusal(&gateway(), parcel(peer, "UK"));
        assert!(matches!(refusal, Refusal::NotAdmitted(_)), "{peer}: {refusal}");
        assert!(refusal.to_string().contains(peer) && refusal.to_string().contains("uk-south/gateway/0"), "{refusal}");
    }
}

#[test]
fn between_tiers_nothing_goes_without_identity_and_manifest() {
    let own = "uk-south/collector/uk-south-a-0";
    let nobody = inbound(Signal::Traces, spans([1]), plain(), Some(manifest(own, "UK")));
    assert!(matches!(refusal(&gateway(), nobody), Refusal::NoIdentity));
    let bare = inbound(Signal::Traces, spans([1]), Peer::Node(node(own)), None);
    assert!(matches!(refusal(&gateway(), bare), Refusal::NoManifest));
    let other = Some(manifest("uk-south/collector/uk-south-a-1", "UK"));
    let foreign = inbound(Signal::Traces, spans([1]), Peer::Node(node(own)), other);
    assert!(matches!(refusal(&gateway(), foreign), Refusal::ForeignManifest { .. }));
}

#[test]
fn a_signal_that_the_link_does_not_carry_is_refused() {
    let from = "eu-west/gateway/0";
    for signal in [Signal::Metrics, Signal::Logs] {
        let inbound = inbound(signal, Vec::new(), Peer::Node(node(from)), Some(manifest(from, "EEA")));
        assert!(matches!(refusal(&gateway(), inbound), Refusal::SignalNotCarried { .. }), "{signal}");
    }
}

/// Guarantees: a manifest vouches for its own request only: its signal and its count are those of what it came with.
#[test]
fn a_manifest_of_another_request_is_refused() {
    let from = "uk-south/collector/uk-south-a-0";
    let of = |manifest| inbound(Signal::Logs, Vec::new(), Peer::Node(node(from)), Some(manifest));
    let refused = refusal(&gateway(), of(Manifest { items: 0, ..manifest(from, "UK") }));
    assert!(matches!(refused, Refusal::ForeignSignal { stated: Signal::Traces, found: Signal::Logs }), "{refused}");
    assert_eq!(refused.remedy(), Remedy::Hold);
    let logs = |items| of(Manifest { signal: Signal::Logs, items, ..manifest(from, "UK") });
    assert_eq!(origin_and_peer(&gateway(), logs(0)).1, from);
    let refused = refusal(&gateway(), logs(1));
    assert!(matches!(refused, Refusal::Miscounted { stated: 1, found: 0 }), "{refused}");
    assert_eq!(refused.remedy(), Remedy::GiveUp, "a sender that counts anew when it takes it apart gets through");
}

#[test]
fn one_bad_span_does_not_sink_the_rest() {
    let mut payload = spans([1, 2]);
    let bad = payload.windows(16).position(|window| window == rig::trace_id(1)).unwrap();
    payload[bad..bad + 16].fill(0);
    let admitted = gateway().admit(inbound(
        Signal::Traces,
        payload.clone(),
        Peer::Node(node("eu-west/gateway/0")),
        Some(Manifest { items: 2, ..manifest("eu-west/gateway/0", "EEA") }),
    ));
    let admitted = admitted.ok().unwrap();
    assert_eq!((admitted.items, admitted.receipt.rejected), (1, 1));
    assert!(!admitted.receipt.message.is_empty());
    let index = Index::decode(&admitted.entry.index, payload.len()).unwrap();
    assert_eq!(Batch::new(&payload, &index).items().count(), 1, "the stored index leaves the bad one out");
}

#[test]
fn what_is_no_otlp_is_refused_for_good_without_its_bytes() {
    let from = "eu-west/gateway/0";
    let payload = b"\x0a\xffada@example.org".to_vec();
    let refusal =
        refusal(&gateway(), inbound(Signal::Traces, payload, Peer::Node(node(from)), Some(manifest(from, "EEA"))));
    assert_eq!(refusal.remedy(), Remedy::GiveUp);
    assert!(!refusal.to_string().contains("ada"));
    assert!(matches!(Denial::from(refusal), Denial::Malformed(text) if !text.contains("ada")));
}

#[test]
fn who_may_not_send_is_checked_before_what_was_sent() {
    let inbound = inbound(Signal::Traces, b"\xff".to_vec(), Peer::Node(node("us-east/gateway/0")), None);
    assert!(matches!(refusal(&gateway(), inbound), Refusal::NotAdmitted(_)));
}
