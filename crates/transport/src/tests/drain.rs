//! The life of connections: where they run, how many, shutdown, rotation.

use std::sync::Arc;
use std::time::Duration;

use tollgate_federation::TierId;
use tollgate_runtime::Workers;

use super::support::{Authority, Server, node, options, payload, send, service, uri};
use crate::{Expected, Exporter, Options, Peering, Security, SendError};

#[tokio::test]
async fn shutdown_lets_requests_finish_and_takes_no_new_ones() {
    let server = Server::plain().await;
    *server.recorder.slow.lock().unwrap() = Duration::from_millis(200);
    let exporter = Exporter::grpc(server.channel(Peering::Plain), options());
    let running = async { send(&exporter, &[payload(1)]).await };
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.stopper.stop();
    };
    let (sent, ()) = tokio::join!(running, stopping);
    sent.unwrap();
    server.tasks.wait(Duration::from_secs(5)).await.unwrap();
    let late = send(&exporter, &[payload(1)]).await.unwrap_err();
    assert!(matches!(late, SendError::Unreachable { .. }), "{late}");
    assert!(server.shutdown.is_started());
}

#[tokio::test]
async fn connection_that_does_not_finish_is_closed_at_the_hard_deadline() {
    let server = Server::plain().await;
    *server.recorder.slow.lock().unwrap() = Duration::from_secs(600);
    let exporter = Exporter::grpc(server.channel(Peering::Plain), options());
    let running = async { send(&exporter, &[payload(1)]).await };
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.stopper.stop();
        server.tasks.wait(Duration::from_secs(5)).await.unwrap();
    };
    let (cut, ()) = tokio::join!(running, stopping);
    assert!(matches!(cut, Err(SendError::Unreachable { .. })), "{cut:?}");
    assert_eq!(server.budget.used(), 0);
}

#[tokio::test]
async fn rotation_of_the_servers_trust_drains_without_losing_a_request() {
    let (eu, us) = (Authority::new("eu"), Authority::new("us"));
    let trusted = [("eu-west", &eu), ("us-east", &us)];
    let (server_tls, server_files) = node("us-east/central/0", &us, &trusted);
    let server = Server::start(service(Security::Mutual(server_tls.clone())), Arc::default()).await;
    let (tls, files) = node("eu-west/gateway/0", &eu, &trusted);
    let expected = Expected::Tier(TierId::central("us-east".parse().unwrap()));
    let exporter = Exporter::grpc(server.channel(Peering::Tier { tls: tls.clone(), expected }), options());
    send(&exporter, &[payload(1)]).await.unwrap();

    // The new certificate is there on both sides before the old trust goes.
    let renewed = Authority::new("eu, next");
    let both = format!("{}{}", eu.certificate, renewed.certificate);
    for (tls, files) in [(&server_tls, &server_files), (&tls, &files)] {
        files.put("eu-west.pem", &both);
        assert!(tls.refresh().unwrap());
    }
    files.put_pair(&renewed.issue(&[&uri("eu-west/gateway/0")], 2));
    assert!(tls.refresh().unwrap());
    let mut sent = 1;
    for _ in 0..50 {
        // A request that meets the GOAWAY is unreachable and goes again: that is what the log is for.
        if send(&exporter, &[payload(1)]).await.is_ok() {
            sent += 1;
        }
    }
    assert!(sent >= 50, "{sent}");
    server_files.put("eu-west.pem", &renewed.certificate);
    assert!(server_tls.refresh().unwrap());
    send(&exporter, &[payload(1)]).await.ok();
    send(&exporter, &[payload(1)]).await.unwrap();
}

#[tokio::test]
async fn connection_of_a_removed_authority_does_not_outlive_it() {
    let (eu, us) = (Authority::new("eu"), Authority::new("us"));
    let trusted = [("eu-west", &eu), ("us-east", &us)];
    let (server_tls, files) = node("us-east/central/0", &us, &trusted);
    let server = Server::start(service(Security::Mutual(server_tls.clone())), Arc::default()).await;
    let (tls, _own) = node("eu-west/gateway/0", &eu, &trusted);
    let expected = Expected::Tier(TierId::central("us-east".parse().unwrap()));
    let exporter = Exporter::grpc(server.channel(Peering::Tier { tls, expected }), options());
    send(&exporter, &[payload(1)]).await.unwrap();
    files.put("eu-west.pem", &Authority::new("somebody else").certificate);
    assert!(server_tls.refresh().unwrap());
    // The open connection is told to go; at the latest when it has, nothing passes any more.
    let mut refused = false;
    for _ in 0..100 {
        refused = send(&exporter, &[payload(1)]).await.is_err();
        if refused {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(refused, "the connection outlived its authority");
    assert!(send(&exporter, &[payload(1)]).await.is_err());
}

#[tokio::test]
async fn silent_connection_is_closed() {
    let mut service = service(Security::Plain);
    service.limits.handshake_timeout = Duration::from_millis(200);
    let server = Server::start(service, Arc::default()).await;
    let mut silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut nothing = [0; 8];
    let read = tokio::io::AsyncReadExt::read(&mut silent, &mut nothing);
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), read).await.unwrap().unwrap_or(0), 0);
}

#[tokio::test]
async fn connections_go_to_the_least_loaded_worker() {
    let workers = Workers::start(2).unwrap();
    let mut service = service(Security::Plain);
    service.workers = workers.all().to_vec();
    let server = Server::start(service, Arc::default()).await;
    let open: Vec<_> = (0..4).map(|_| Exporter::grpc(server.channel(Peering::Plain), options())).collect();
    for exporter in &open {
        send(exporter, &[payload(1)]).await.unwrap();
    }
    let threads = server.recorder.threads.lock().unwrap().clone();
    assert_eq!((threads[0], threads[1]), (threads[2], threads[3]));
    assert!(threads[0] != threads[1] && !threads.contains(&std::thread::current().id()));
    server.stopper.stop();
    server.tasks.wait(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let mut service = service(Security::Plain);
    service.limits.max_connections = 1;
    let server = Server::start(service, Arc::default()).await;
    let first = Exporter::grpc(server.channel(Peering::Plain), options());
    send(&first, &[payload(1)]).await.unwrap();
    let waiting = server.channel(Peering::Plain);
    let impatient = Options { timeout: Duration::from_millis(200), ..options() };
    assert!(send(&Exporter::grpc(waiting.clone(), impatient), &[payload(1)]).await.is_err());
    drop(first);
    send(&Exporter::grpc(waiting, options()), &[payload(1)]).await.unwrap();
}
