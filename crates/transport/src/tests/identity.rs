//! Mutual TLS: who gets through and who does not.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, date_time_ymd};
use rustls::version::{TLS12, TLS13};
use tollgate_federation::{NodeId, TierId};
use tollgate_runtime::{Clock, Timestamp};

use super::support::{
    Authority, Files, Server, TRUST_DOMAIN, clock, manifest, node, options, payload, send, service, uri,
};
use crate::client::exporter::Outgoing;
use crate::{
    BackendTrust, Channel, Exporter, HttpChannel, Peer, Peering, Receipt, Security, SendError, ServerTls, TierTls,
    TlsError,
};
use crate::{Expected, IdentityFault};

struct World {
    eu: Authority,
    us: Authority,
}

impl World {
    fn new() -> Self {
        Self { eu: Authority::new("eu"), us: Authority::new("us") }
    }

    fn trusted(&self) -> [(&str, &Authority); 2] {
        [("eu-west", &self.eu), ("us-east", &self.us)]
    }

    fn gateway(&self) -> (TierTls, Files) {
        node("eu-west/gateway/0", &self.eu, &self.trusted())
    }

    async fn central(&self) -> (Server, Files) {
        let (tls, files) = node("us-east/central/0", &self.us, &self.trusted());
        (Server::start(service(Security::Mutual(tls)), Arc::default()).await, files)
    }
}

fn central() -> Expected {
    Expected::Tier(TierId::central("us-east".parse().unwrap()))
}

async fn reach(server: &Server, tls: TierTls, expected: Expected) -> Result<Receipt, SendError> {
    let exporter = Exporter::grpc(server.channel(Peering::Tier { tls, expected }), options());
    send(&exporter, &[payload(1)]).await
}

fn refusal(outcome: Result<Receipt, SendError>) -> String {
    match outcome {
        Err(SendError::Unreachable { reason }) => reason.to_string(),
        other => panic!("got through or was answered: {other:?}"),
    }
}

#[tokio::test]
async fn nodes_prove_themselves_to_each_other() {
    let world = World::new();
    let (server, _files) = world.central().await;
    let (tls, _own) = world.gateway();
    assert_eq!(tls.node().to_string(), "eu-west/gateway/0");
    let sent = manifest("eu-west/gateway/0");
    let exporter = Exporter::grpc(server.channel(Peering::Tier { tls: tls.clone(), expected: central() }), options());
    let chunks = [payload(2)];
    exporter.export(Outgoing { signal: sent.signal, chunks: &chunks, manifest: Some(&sent) }).await.unwrap();
    let seen = server.recorder.seen.lock().unwrap().clone();
    assert_eq!(seen[0].peer, Peer::Node("eu-west/gateway/0".parse().unwrap()));
    assert_eq!((seen[0].manifest.as_ref(), &seen[0].payload), (Some(&sent), &payload(2)));
    let named = tls.peer_identity(server.address, &central()).await.unwrap();
    assert_eq!(named.to_string(), "us-east/central/0");
}

#[tokio::test]
async fn forged_region_is_refused_whichever_side_forges() {
    let world = World::new();
    let (server, _files) = world.central().await;
    // The authority of us-east names eu-west: whoever trusts both must still refuse it.
    let forged = world.us.issue(&[&uri("eu-west/gateway/0")], 1);
    let outcome = by_hand(&server, &world, &forged, &TLS13).await;
    assert!(outcome.is_err(), "{outcome:?}");

    // It loads only because this node is told to believe that us-east's authority speaks for eu-west.
    let (forger, _files) = node("eu-west/gateway/1", &world.us, &[("eu-west", &world.us)]);
    let forger = Server::start(service(Security::Mutual(forger)), Arc::default()).await;
    let (tls, _own) = world.gateway();
    let gateway = Expected::Tier(TierId::gateway("eu-west".parse().unwrap()));
    let reason = refusal(reach(&forger, tls, gateway).await);
    assert!(reason.contains("UnknownIssuer"), "{reason}");
}

#[tokio::test]
async fn region_without_an_authority_is_refused() {
    let world = World::new();
    let (server, _files) = world.central().await;
    let stranger = Authority::new("uk");
    let (tls, _own) = node("uk-south/gateway/0", &stranger, &[("uk-south", &stranger), ("us-east", &world.us)]);
    refusal(reach(&server, tls, central()).await);
    assert!(server.recorder.payloads().is_empty());
}

#[tokio::test]
async fn other_region_role_and_node_are_not_who_was_called() {
    let world = World::new();
    let (server, _files) = world.central().await;
    let region = |name: &str| name.parse().unwrap();
    for expected in [
        Expected::Tier(TierId::gateway(region("us-east"))),
        Expected::Tier(TierId::central(region("eu-west"))),
        Expected::Node("us-east/central/1".parse().unwrap()),
    ] {
        let (tls, _own) = world.gateway();
        let reason = refusal(reach(&server, tls, expected.clone()).await);
        assert!(reason.contains(&format!("us-east/central/0 answered where {expected} was called")), "{reason}");
    }
    let (tls, _own) = world.gateway();
    let exactly = Expected::Node("us-east/central/0".parse().unwrap());
    reach(&server, tls, exactly).await.unwrap();
}

#[tokio::test]
async fn expired_certificates_are_refused_on_both_sides() {
    let world = World::new();
    let (server, _files) = world.central().await;
    let (tls, own) = world.gateway();
    // Our clock is past the server's certificate.
    own.hand.advance(Duration::from_secs(2 * 365 * 86_400));
    let reason = refusal(reach(&server, tls, central()).await);
    assert!(reason.contains("Expired"), "{reason}");
    // The server's clock is past ours.
    let (server, theirs) = world.central().await;
    theirs.hand.advance(Duration::from_secs(2 * 365 * 86_400));
    let (tls, _own) = world.gateway();
    refusal(reach(&server, tls, central()).await);
    assert!(server.recorder.payloads().is_empty());
}

#[tokio::test]
async fn no_certificate_is_refused() {
    let world = World::new();
    let (server, files) = world.central().await;
    let trust = BackendTrust::load(Some(files.put("ca.pem", &world.us.certificate)), files.clock.clone()).unwrap();
    let exporter = Exporter::grpc(server.channel(Peering::Backend(trust)), options());
    refusal(send(&exporter, &[payload(1)]).await);
    assert!(server.recorder.payloads().is_empty());
}

#[tokio::test]
async fn plain_text_does_not_reach_a_tier() {
    let (server, _files) = World::new().central().await;
    refusal(send(&Exporter::grpc(server.channel(Peering::Plain), options()), &[payload(1)]).await);
    assert!(server.recorder.payloads().is_empty());
}

#[test]
fn authority_in_the_bundles_of_two_regions_is_refused() {
    let world = World::new();
    let files = Files::new(&world.trusted());
    files.put_pair(&world.eu.issue(&[&uri("eu-west/gateway/0")], 1));
    let tls = files.load();
    files.put("us-east.pem", &format!("{}{}", world.us.certificate, world.eu.certificate));
    for outcome in [tls.refresh().map(drop), TierTls::load(files.files(), files.clock.clone()).map(drop)] {
        assert!(matches!(outcome, Err(TlsError::SharedAuthority { .. })), "{outcome:?}");
    }
    // One region may have several, and the same twice.
    let next = Authority::new("us, next");
    let several = [&world.us.certificate, &next.certificate, &world.us.certificate].map(String::as_str).concat();
    files.put("us-east.pem", &several);
    assert!(tls.refresh().unwrap());
}

#[test]
fn certificate_names_exactly_one_node() {
    let world = World::new();
    let (first, second) = (uri("eu-west/gateway/0"), uri("eu-west/gateway/1"));
    let load = |uris: &[&str]| {
        let files = Files::new(&world.trusted());
        files.put_pair(&world.eu.issue(uris, 1));
        TierTls::load(files.files(), files.clock.clone()).map(|tls| tls.node().clone())
    };
    assert_eq!(load(&[&first]).unwrap(), "eu-west/gateway/0".parse::<NodeId>().unwrap());
    for (uris, fault) in [
        (&[][..], IdentityFault::UriNames(0)),
        (&[first.as_str(), second.as_str()], IdentityFault::UriNames(2)),
        (&["https://acme.example/"], IdentityFault::NotANode { trust_domain: TRUST_DOMAIN.into() }),
        (
            &["spiffe://evil.example/region/eu-west/gateway/0"],
            IdentityFault::NotANode { trust_domain: TRUST_DOMAIN.into() },
        ),
    ] {
        match load(uris).unwrap_err() {
            TlsError::Identity(found) => assert_eq!(found, fault),
            other => panic!("{other}"),
        }
    }
}

/// Guarantees: the receiver learns of everybody who was turned away, with what their certificate claims and a reason, and
/// is shown nothing that does not read as an identity.
#[tokio::test]
async fn whoever_is_turned_away_is_named_with_a_reason() {
    let world = World::new();
    let (server, _files) = world.central().await;
    let gateway = uri("eu-west/gateway/0");
    let evil = "spiffe://evil.example/region/eu-west/gateway/0";
    let long = format!("spiffe://{TRUST_DOMAIN}/{}", "x".repeat(300));
    let unknown = uri("ap-south/gateway/0");
    for (authority, uris, claims, reason) in [
        (&world.us, &[gateway.as_str()][..], Some(gateway.as_str()), "unknown_issuer"),
        (&world.eu, &[&gateway, &unknown], None, "uri_names"),
        (&world.eu, &[], None, "uri_names"),
        (&world.eu, &[evil], Some(evil), "not_a_node"),
        (&world.eu, &["https://acme.example/?ada@example.org"], None, "not_a_node"),
        (&world.eu, &[&long], None, "not_a_node"),
        (&world.eu, &[&unknown], Some(&unknown), "unknown_region"),
    ] {
        assert!(by_hand(&server, &world, &authority.issue(uris, 1), &TLS13).await.is_err());
        assert_eq!(server.recorder.stranger().await, (claims.map(str::to_owned), reason));
    }
    let (expired, theirs) = world.central().await;
    theirs.hand.advance(Duration::from_secs(2 * 365 * 86_400));
    let (tls, _own) = world.gateway();
    refusal(reach(&expired, tls, central()).await);
    assert_eq!(expired.recorder.stranger().await, (Some(gateway), "expired"));
    // A probe of the port, plain text, and a client without a certificate.
    drop(tokio::net::TcpStream::connect(server.address).await.unwrap());
    assert_eq!(server.recorder.stranger().await, (None, "broke_off"));
    refusal(send(&Exporter::grpc(server.channel(Peering::Plain), options()), &[payload(1)]).await);
    assert_eq!(server.recorder.stranger().await, (None, "tls"));
    let files = Files::new(&[]);
    let trust = BackendTrust::load(Some(files.put("ca.pem", &world.us.certificate)), files.clock.clone()).unwrap();
    refusal(send(&Exporter::grpc(server.channel(Peering::Backend(trust)), options()), &[payload(1)]).await);
    assert_eq!(server.recorder.stranger().await, (None, "no_certificate"));
}

#[tokio::test]
async fn two_uris_and_tls_1_2_are_refused_by_a_server_too() {
    // A peer that runs other software could show such a certificate; here the client's side is made by hand.
    let world = World::new();
    let (server, _files) = world.central().await;
    let (first, second) = (uri("eu-west/gateway/0"), uri("eu-west/gateway/1"));
    let outcome = by_hand(&server, &world, &world.eu.issue(&[&first, &second], 1), &TLS13).await;
    assert!(outcome.is_err(), "{outcome:?}");
    // The same hand with a proper certificate gets through, so it is not the hand that fails.
    let proper = world.eu.issue(&[&first], 1);
    by_hand(&server, &world, &proper, &TLS13).await.unwrap();
    let old = by_hand(&server, &world, &proper, &TLS12).await;
    assert!(old.is_err(), "TLS 1.2 between tiers: {old:?}");
}

/// A handshake whose end is awaited: in TLS 1.3 a refusal of the client arrives after the client's own handshake.
async fn by_hand(
    server: &Server,
    world: &World,
    (certificate, key): &(String, String),
    version: &'static rustls::SupportedProtocolVersion,
) -> std::io::Result<usize> {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(world.us.certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let time: Arc<dyn rustls::time_provider::TimeProvider> = Arc::new(crate::tls::ClockTime(clock().0));
    let config = rustls::ClientConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let stream = tokio::net::TcpStream::connect(server.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut config = config;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    // The server's HTTP/2 settings, or its alert.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    stream.read(&mut [0; 64]).await
}

fn revoking(authority: &Authority, serials: &[u8], until: i32) -> String {
    let revoked = serials.iter().map(|serial| RevokedCertParams {
        serial_number: vec![*serial].into(),
        revocation_time: date_time_ymd(2026, 2, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: vec![1].into(),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    format!("{}{}", authority.certificate, list.signed_by(&authority.issuer).unwrap().pem().unwrap())
}

#[tokio::test]
async fn revocation_in_the_bundle_holds_at_once() {
    let world = World::new();
    let (tls, files) = node("us-east/central/0", &world.us, &world.trusted());
    let server = Server::start(service(Security::Mutual(tls.clone())), Arc::default()).await;
    let gateway = || world.gateway();
    files.put("eu-west.pem", &revoking(&world.eu, &[99], 2030));
    assert!(tls.refresh().unwrap());
    let (client, _own) = gateway();
    reach(&server, client, central()).await.unwrap();
    files.put("eu-west.pem", &revoking(&world.eu, &[99, 1], 2030));
    assert!(tls.refresh().unwrap());
    let (client, _own) = gateway();
    refusal(reach(&server, client, central()).await);
    // A list that is out of date proves nothing any more.
    files.put("eu-west.pem", &revoking(&world.eu, &[99], 2027));
    assert!(tls.refresh().unwrap());
    let (client, _own) = gateway();
    refusal(reach(&server, client, central()).await);
}

#[test]
fn pieces_that_do_not_fit_are_not_loaded() {
    let world = World::new();
    let files = Files::new(&world.trusted());
    let (certificate, _) = world.eu.issue(&[&uri("eu-west/gateway/0")], 1);
    let (_, other_key) = world.eu.issue(&[&uri("eu-west/gateway/0")], 2);
    files.put_pair(&(certificate, other_key));
    assert!(matches!(TierTls::load(files.files(), files.clock.clone()), Err(TlsError::Unfit(_))));
    // Our own certificate under another region's authority would be refused by everybody: better said at the start.
    files.put_pair(&world.us.issue(&[&uri("eu-west/gateway/0")], 1));
    assert!(matches!(TierTls::load(files.files(), files.clock.clone()), Err(TlsError::Unfit(_))));
    files.put_pair(&world.eu.issue(&[&uri("eu-west/gateway/0")], 1));
    let late = Clock::manual(Timestamp::from_nanos(1_900_000_000_000_000_000)).0;
    assert!(matches!(TierTls::load(files.files(), late), Err(TlsError::Unfit(_))));
    let tls = files.load();
    files.put_pair(&world.eu.issue(&[&uri("eu-west/gateway/7")], 1));
    assert!(matches!(tls.refresh(), Err(TlsError::IdentityChanged)));
}

#[test]
fn every_file_that_cannot_be_used_is_named_and_a_date_may_pass() {
    let world = World::new();
    let files = Files::new(&world.trusted());
    files.put_pair(&world.eu.issue(&[&uri("eu-west/gateway/0")], 1));
    let tls = files.load();
    let key = files.put("node.key", &world.eu.issue(&[&uri("eu-west/gateway/0")], 2).1);
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o640)).unwrap();
    files.put("us-east.pem", "");
    for outcome in [TierTls::load(files.files(), files.clock.clone()).map(drop), tls.refresh().map(drop)] {
        let error = outcome.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("us-east.pem holds no usable certificate") && said.lines().count() == 2, "{said}");
        assert!(said.contains("node.key can be read by others: its mode is 0640"), "{said}");
        assert!(!error.may_pass());
    }
    let files = Files::new(&world.trusted());
    files.put_pair(&world.eu.issue(&[&uri("eu-west/gateway/0")], 1));
    let late = Clock::manual(Timestamp::from_nanos(1_900_000_000_000_000_000)).0;
    assert!(TierTls::load(files.files(), late).unwrap_err().may_pass());
}

#[tokio::test]
async fn ordinary_tls_serves_grpc_and_http() {
    let authority = Authority::new("site");
    let files = Files::new(&[]);
    files.put_pair(&authority.issue(&[], 1));
    let own = files.files();
    let tls = ServerTls::load(own.certificate, own.key, files.clock.clone()).unwrap();
    let server = Server::start(service(Security::Server(tls)), Arc::default()).await;
    let trust = |authority: &Authority| {
        BackendTrust::load(Some(files.put("ca.pem", &authority.certificate)), files.clock.clone()).unwrap()
    };
    let peering = || Peering::Backend(trust(&authority));
    let by_name = Channel::new(format!("localhost:{}", server.address.port()).parse().unwrap(), peering());
    send(&Exporter::grpc(by_name, options()), &[payload(1)]).await.unwrap();
    let url = format!("https://127.0.0.1:{}", server.address.port()).parse().unwrap();
    let http = HttpChannel::new(&url, peering()).unwrap();
    send(&Exporter::http(http, options()), &[payload(1)]).await.unwrap();
    assert_eq!(server.recorder.payloads().len(), 2);
    let foreign = Peering::Backend(trust(&Authority::new("other")));
    let reason = refusal(send(&Exporter::grpc(server.channel(foreign), options()), &[payload(1)]).await);
    assert!(reason.contains("UnknownIssuer") || reason.contains("invalid peer certificate"), "{reason}");
}

#[tokio::test]
async fn silent_handshake_ends_and_holds_up_nobody() {
    let world = World::new();
    let (tls, _files) = node("us-east/central/0", &world.us, &world.trusted());
    let mut service = service(Security::Mutual(tls));
    service.limits.handshake_timeout = Duration::from_millis(300);
    let server = Server::start(service, Arc::default()).await;
    let mut silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, _own) = world.gateway();
    reach(&server, client, central()).await.unwrap();
    let mut nothing = [0; 8];
    let read = tokio::io::AsyncReadExt::read(&mut silent, &mut nothing);
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), read).await.unwrap().unwrap_or(0), 0);
    assert_eq!(server.recorder.stranger().await, (None, "timeout"));
}
