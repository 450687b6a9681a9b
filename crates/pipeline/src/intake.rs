//! Opens the doors that requests come in by: a collector's for services, a gateway's or central's for other tiers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tollgate_federation::{Listen, NodeIn, Tls};
use tollgate_otlp::Limits as OtlpLimits;
use tollgate_runtime::ByteBudget;
use tollgate_transport::{Limits, Protocols, Security, ServerTls, Service};

use crate::admit::Admission;
use crate::logs::Logs;
use crate::node::Node;
use crate::path::Path;
use crate::run::{RunError, bind};

const GRPC: Protocols = Protocols { grpc: true, http: false };
const HTTP: Protocols = Protocols { grpc: false, http: true };

/// Opens every listener of the node.
pub(crate) async fn start(node: &Arc<Node>, logs: &Logs, budget: ByteBudget) -> Result<(), RunError> {
    let path = Arc::new(Path {
        admission: Admission {
            me: node.me.clone(),
            federation: Arc::clone(&node.federation),
            home: node.home.clone(),
            policy: node.federation.digest(),
            limits: OtlpLimits::default(),
        },
        logs: logs.received.clone(),
        counters: Arc::clone(&node.counters),
        shutdown: node.shutdown.clone(),
    });
    for (address, security, protocols) in doors(node)? {
        let bound = bind(address).await?;
        let workers = node.workers.all().to_vec();
        let service = Service { security, protocols, limits: Limits::default(), budget: budget.clone(), workers };
        let serving = bound.serve(service, Arc::clone(&path), node.tasks.clone(), node.shutdown.clone());
        node.tasks.spawn_on(node.workers.pick(), "listener", serving);
        tracing::info!(%address, "listening");
    }
    Ok(())
}

fn doors(node: &Node) -> Result<Vec<(SocketAddr, Security, Protocols)>, RunError> {
    let listen = &node.file.listen;
    match node.federation.node(&node.me) {
        Some(NodeIn::Collector { cluster, .. }) => {
            let Listen { otlp_grpc, otlp_http, tls, .. } = cluster.listen();
            let security = match tls {
                Tls::Off => Security::Plain,
                Tls::Files { cert, key } => {
                    let (cert, key) = (node.documents.dir.join(cert), node.documents.dir.join(key));
                    let tls = ServerTls::load(cert, key, node.clock.clone())?;
                    tls.watch(&node.tasks, node.shutdown.clone());
                    Security::Server(tls)
                }
            };
            // An address of the node file moves a listener; it cannot open one that the documents do not have.
            let grpc = otlp_grpc.map(|address| (listen.otlp_grpc.unwrap_or(address), security.clone(), GRPC));
            let http = otlp_http.map(|address| (listen.otlp_http.unwrap_or(address), security.clone(), HTTP));
            Ok(grpc.into_iter().chain(http).collect())
        }
        Some(NodeIn::Gateway { tier, .. } | NodeIn::Central { tier, .. }) => {
            let address = listen.tier.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, tier.port())));
            Ok(vec![(address, Security::Mutual(node.tls.clone()), GRPC)])
        }
        None => Ok(Vec::new()),
    }
}
