//! Opens the doors that requests come in by: a collector's for services, a gateway's or central's for other tiers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tollgate_federation::{Listen, NodeIn};
use tollgate_otlp::Limits as OtlpLimits;
use tollgate_runtime::{ByteBudget, open_files};
use tollgate_transport::{Limits, Protocols, Security, Service};

use crate::admit::Admission;
use crate::admit::recognition::Recognition;
use crate::node::Node;
use crate::node::logs::Logs;
use crate::node::run::{RunError, bind};
use crate::observe;
use crate::path::Path;
use crate::receive::notices::Notices;

/// What a connection may take: the buffers of HTTP/2 before anything was sent, and what is there of a frame.
const CONNECTION: u64 = 112 << 10;

/// The part of the open files that connections of one listener may be: the logs need the rest.
const FILES: u64 = 4;

/// What the largest request may take while it is inflated and read from JSON.
const LARGEST: u64 = 40 << 20;

const GRPC: Protocols = Protocols { grpc: true, http: false };
const HTTP: Protocols = Protocols { grpc: false, http: true };

/// Opens every listener of the node.
pub(crate) async fn start(node: &Arc<Node>, logs: &Logs) -> Result<(), RunError> {
    let memory = node.memory.bytes();
    let path = Arc::new(Path {
        admission: Admission {
            me: node.me.clone(),
            in_force: node.reloader.follow(),
            recognition: Recognition::new(node.clock.clone()),
            home: node.home.clone(),
            limits: OtlpLimits::default(),
        },
        logs: logs.received.clone(),
        counters: Arc::clone(&node.counters),
        observer: observe::start(node)?,
        notices: Notices::new(node.me.spiffe(node.federation.trust_domain()), node.clock.clone()),
        attendance: node.attendance.clone(),
        shutdown: node.shutdown.clone(),
    });
    let most = Limits::default().max_connections;
    let room = (memory / CONNECTION).min(open_files() / FILES);
    let max_connections = usize::try_from(room).unwrap_or(most).min(most);
    let limits = Limits { max_connections, ..Limits::default() };
    // Shared by all listeners. What is left of it goes to connections and to what buffers waste while they grow.
    let (budget, arriving) = (ByteBudget::new((memory / 2).max(LARGEST)), ByteBudget::new(memory / 4));
    for (address, security, protocols) in doors(node) {
        let bound = bind(address).await?;
        let workers = node.workers.all().to_vec();
        let (budget, arriving) = (budget.clone(), arriving.clone());
        let service = Service { security, protocols, limits, budget, arriving, workers };
        let (tasks, closing) = (&node.listeners.tasks, node.listeners.closing.clone());
        let serving = bound.serve(service, Arc::clone(&path), tasks.clone(), closing);
        tasks.spawn_on(node.workers.pick(), "listener", serving);
        tracing::info!(%address, "listening");
    }
    node.attendance.iter().for_each(|attendance| attendance.open());
    Ok(())
}

fn doors(node: &Node) -> Vec<(SocketAddr, Security, Protocols)> {
    let listen = &node.file.listen;
    match node.federation.node(&node.me) {
        Some(NodeIn::Collector { cluster, .. }) => {
            let Listen { otlp_grpc, otlp_http, .. } = cluster.listen();
            let security = node.services.clone().map_or(Security::Plain, |tls| {
                tls.watch(&node.tasks, node.shutdown.clone());
                Security::Server(tls)
            });
            // An address of the node file moves a listener; it cannot open one that the documents do not have.
            let grpc = otlp_grpc.map(|address| (listen.otlp_grpc.unwrap_or(address), security.clone(), GRPC));
            let http = otlp_http.map(|address| (listen.otlp_http.unwrap_or(address), security.clone(), HTTP));
            grpc.into_iter().chain(http).collect()
        }
        Some(NodeIn::Gateway { tier, .. } | NodeIn::Central { tier, .. }) => {
            let address = listen.tier.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, tier.port())));
            vec![(address, Security::Mutual(node.tls.clone()), GRPC)]
        }
        None => Vec::new(),
    }
}
