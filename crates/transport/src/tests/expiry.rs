//! Certificates run out while connections and sessions last: neither makes them last longer.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tollgate_federation::TierId;

use super::support::{Authority, Server, node, options, payload, send, service, uri};
use crate::{Expected, Exporter, Peering, Security, SendError};

const TWO_YEARS: Duration = Duration::from_secs(2 * 365 * 86_400);

fn central() -> Expected {
    Expected::Tier(TierId::central("us-east".parse().unwrap()))
}

/// Shakes hands, waits for the server's first bytes, and says which kind of handshake it was.
async fn greet(server: &Server, config: &Arc<ClientConfig>) -> std::io::Result<HandshakeKind> {
    let stream = tokio::net::TcpStream::connect(server.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    match stream.read(&mut [0; 64]).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(stream.get_ref().1.handshake_kind().unwrap()),
    }
}

#[tokio::test]
async fn nobody_comes_back_on_a_session_of_a_certificate_that_has_run_out() {
    let (eu, us) = (Authority::new("eu"), Authority::new("us"));
    let trusted = [("eu-west", &eu), ("us-east", &us)];
    let (server_tls, theirs) = node("us-east/central/0", &us, &trusted);
    let server = Server::start(service(Security::Mutual(server_tls)), Arc::default()).await;
    let (tls, _own) = node("eu-west/gateway/0", &eu, &trusted);
    // A client that does not keep to our rules would offer every session it was given.
    let (config, _) = tls.client(&central()).unwrap();
    let mut config = ClientConfig::clone(&config);
    config.resumption = rustls::client::Resumption::default();
    let config = Arc::new(config);
    for _ in 0..2 {
        assert_eq!(greet(&server, &config).await.unwrap(), HandshakeKind::Full);
    }
    theirs.hand.advance(TWO_YEARS);
    assert!(greet(&server, &config).await.is_err());
}

#[tokio::test]
async fn open_connection_is_of_no_use_to_a_certificate_that_has_run_out() {
    let (eu, us) = (Authority::new("eu"), Authority::new("us"));
    let trusted = [("eu-west", &eu), ("us-east", &us)];
    let (server_tls, theirs) = node("us-east/central/0", &us, &trusted);
    let server = Server::start(service(Security::Mutual(server_tls)), Arc::default()).await;
    let (tls, _own) = node("eu-west/gateway/0", &eu, &trusted);
    let exporter = Exporter::grpc(server.channel(Peering::Tier { tls, expected: central() }), options());
    send(&exporter, &[payload(1)]).await.unwrap();
    theirs.hand.advance(Duration::from_secs(3600));
    send(&exporter, &[payload(1)]).await.unwrap();
    theirs.hand.advance(TWO_YEARS);
    let refused = send(&exporter, &[payload(1)]).await;
    assert!(matches!(refused, Err(SendError::Held { .. })), "{refused:?}");
    assert_eq!(server.recorder.stranger().await, (Some(uri("eu-west/gateway/0")), "outlived"));
    assert_eq!(server.recorder.payloads().len(), 2);
}
