//! Which processes there are, at which addresses, and the documents that say so.

use std::net::SocketAddr;
use std::path::PathBuf;

use tollgate_federation::{NodeId, Role};

use super::{Exporter, Loopback};
use crate::certs::{self, Holder};

/// Nodes and the last number of their addresses. The tiers' documents list the same.
const NODES: [(&str, u8); 10] = [
    ("eu-west/collector/eu-west-a-0", 11),
    ("eu-west/collector/eu-west-b-0", 12),
    ("uk-south/collector/uk-south-a-0", 13),
    ("us-east/collector/us-east-a-0", 14),
    ("eu-west/gateway/0", 21),
    ("eu-west/gateway/1", 22),
    ("uk-south/gateway/0", 31),
    ("us-east/gateway/0", 41),
    ("us-east/central/0", 51),
    ("us-east/central/1", 52),
];

/// The ports that operators know; every process has an address of its own, so all can use the same.
mod port {
    pub(super) const OTLP_GRPC: u16 = 4317;
    pub(super) const OTLP_HTTP: u16 = 4318;
    pub(super) const TIER: u16 = 4417;
    pub(super) const ADMIN: u16 = 13133;
    pub(super) const METRICS: u16 = 8888;
}

/// One process of the scaffold. Paths are relative to it.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its name in the `Procfile`.
    pub name: String,
    /// The node that it is.
    pub node: NodeId,
    /// Its state.
    pub data: PathBuf,
    /// Its node file.
    pub node_file: PathBuf,
    /// Where its file exporters write.
    pub files: Vec<Exporter>,
    loopback: Loopback,
    /// The last number of its address.
    host: u8,
}

impl Process {
    /// Where services send OTLP/gRPC to, for a collector.
    pub fn otlp_grpc(&self) -> Option<SocketAddr> {
        self.collector(port::OTLP_GRPC)
    }

    /// Where services send OTLP/HTTP to, for a collector.
    pub fn otlp_http(&self) -> Option<SocketAddr> {
        self.collector(port::OTLP_HTTP)
    }

    /// Where other tiers send to; collectors have nobody below them.
    pub fn tier(&self) -> Option<SocketAddr> {
        (self.node.role() != Role::Collector).then(|| self.socket(port::TIER))
    }

    /// Where health and status are asked.
    pub fn admin(&self) -> SocketAddr {
        self.socket(port::ADMIN)
    }

    /// Where metrics are scraped.
    pub fn metrics(&self) -> SocketAddr {
        self.socket(port::METRICS)
    }

    /// Everything it listens on.
    pub fn listeners(&self) -> impl Iterator<Item = SocketAddr> {
        let some = [self.otlp_grpc(), self.otlp_http(), self.tier()].into_iter().flatten();
        some.chain([self.admin(), self.metrics()])
    }

    pub(super) fn holder(&self) -> Holder {
        Holder { node: self.node.clone(), addresses: vec![self.loopback.address(self.host).into()] }
    }

    fn collector(&self, port: u16) -> Option<SocketAddr> {
        (self.node.role() == Role::Collector).then(|| self.socket(port))
    }

    fn socket(&self, port: u16) -> SocketAddr {
        self.loopback.socket(self.host, port)
    }
}

pub(super) fn processes(loopback: Loopback) -> Vec<Process> {
    let nodes = NODES.iter().filter_map(|(node, host)| Some((node.parse().ok()?, *host)));
    nodes.map(|(node, host)| process(node, loopback, host)).collect()
}

fn process(node: NodeId, loopback: Loopback, host: u8) -> Process {
    let name = certs::file_name(&node);
    let data = PathBuf::from("data").join(&name);
    let node_file = PathBuf::from("nodes").join(format!("{name}.yaml"));
    Process { name, node, data, node_file, files: Vec::new(), loopback, host }
}

/// The document with addresses in the place of the names that only a cluster's DNS knows; comments and all else stay.
pub(super) fn localised(document: &str, text: &str, loopback: Loopback) -> String {
    let region = document.trim_start_matches("regions/").trim_end_matches(".yaml");
    let mut local = text.to_owned();
    for role in [Role::Gateway, Role::Central] {
        let dns = format!("{{dns: {role}.{region}.svc.cluster.local}}");
        local = local.replace(&dns, &listed(region, role, loopback));
    }
    local
}

fn listed(region: &str, role: Role, loopback: Loopback) -> String {
    let tier = format!("{region}/{role}/");
    let own = NODES.iter().filter_map(|(node, host)| Some((node.strip_prefix(&tier)?, *host)));
    let nodes: Vec<String> =
        own.map(|(node, host)| format!("\"{node}\": {}", loopback.socket(host, port::TIER))).collect();
    format!("{{static: {{{}}}}}", nodes.join(", "))
}
