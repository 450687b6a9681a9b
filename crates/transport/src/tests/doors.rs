//! The doors that data leaves by.

use tollgate_config::Set;
use tollgate_federation::{Federation, LocalPlace, Signal};

use super::support::{Server, options, payload};
use crate::{Exporter, Local, LocalSender, Peering, SendError};

const FEDERATION: &str = "federation: {name: acme, trust_domain: acme.example}\nlinks: []\n";

const EU: &str = "\
region: eu-west
regime: EEA
entity: Acme GmbH
trust: {ca: file:ca/eu-west.pem}
clusters: {}
gateway: {nodes: {dns: gateway.eu-west.svc}}
backends:
  tempo: {otlp_grpc: tempo.svc:4317, signals: [traces], tls: off}
  loki: {otlp_http: http://loki.svc:3100, signals: [logs], tls: off}
";

fn place(name: &str) -> LocalPlace {
    let (set, faults) = Set::from_texts([("regions/federation.yaml", FEDERATION), ("regions/eu-west.yaml", EU)]);
    let federation = Federation::read(&set, &faults);
    assert_eq!(faults.to_string(), "");
    federation.unwrap().local_backend(&"eu-west/gateway/0".parse().unwrap(), name).unwrap()
}

#[tokio::test]
async fn local_goes_to_the_place_it_was_proved_for_and_to_no_other() {
    let server = Server::plain().await;
    let door = LocalSender::new(Exporter::grpc(server.channel(Peering::Plain), options()), place("tempo"));
    let local = |name| Local { chunks: vec![payload(1), payload(2)], items: 3, place: place(name) };
    door.send(Signal::Traces, &local("tempo"), None).await.unwrap();
    assert_eq!(door.send(Signal::Traces, &local("loki"), None).await, Err(SendError::Misdirected));
    assert_eq!(server.recorder.payloads(), [[payload(1), payload(2)].concat()]);
}
