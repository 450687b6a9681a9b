//! What a measurement needs on disk and on loopback: documents, certificates, keys and node files of a small federation.
//!
//! One region with collectors and gateways, one with a central tier. The gateway's only way out for traces is a link to a
//! backend under the other regime: a tier beside it would be one consumer more than the Collector has. Policies are those
//! of the repository.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tollgate_federation::{Manifest, NodeId, Signal};
use tollgate_keys::KeyFolder;
use tollgate_runtime::{Clock, Timestamp};
use tollgate_scenario::certs::{Authority, Leaf};
use tollgate_testkit::Block;

use super::StandError;
use super::secure::Identity;
use crate::scratch;

const TRUST_DOMAIN: &str = "bench.example";
const CATALOGUE: &str = include_str!("../../../../policies/catalogue.yaml");
const RESIDENCY: &str = include_str!("../../../../policies/residency.yaml");

pub(crate) const COLLECTOR: &str = "eu-west/collector/bench-0";
pub(crate) const GATEWAY: &str = "eu-west/gateway/0";
pub(crate) const HOME_GATEWAY: &str = "us-east/gateway/0";
pub(crate) const CENTRAL: &str = "us-east/central/0";
/// The Collector in the place of a node.
pub(crate) const PEER: &str = "peer";

/// The last numbers of addresses.
mod host {
    pub(super) const COLLECTOR: u8 = 11;
    pub(super) const CENTRAL: u8 = 51;
    pub(super) const ABROAD: u8 = 60;
    pub(super) const HOME: u8 = 61;
    pub(super) const PEER: u8 = 71;
    pub(super) const GATEWAYS: u8 = 100;
}

const OTLP: u16 = 4317;
const TIER: u16 = 4417;
/// The first ports of processes; each further one has the next.
const ENTRANCE: u16 = 5317;
const ADMIN: u16 = 13133;
const METRICS: u16 = 8888;

/// When a process under test says `Ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    Fsync,
    Os,
}

impl Durability {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Os => "os",
        }
    }
}

/// One process of a node that is to be started; its name also names its data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) node: &'a str,
    pub(crate) durability: Durability,
    pub(crate) name: &'a str,
    /// Threads that serve.
    pub(crate) workers: u16,
}

/// Where a process listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doors {
    pub(crate) entrance: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

/// The `tail_sampling` block of a central tier, the same text for both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampling {
    /// In seconds.
    pub(crate) wait: u32,
    pub(crate) kept: Kept,
    /// The most that may wait.
    pub(crate) traces: u64,
}

/// Which traces go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// About one in ten at random and one in fifty for an error; the other two policies look and find nothing.
    Tenth,
    /// All four look and find nothing.
    None,
}

impl Sampling {
    /// As central is measured: room for what waits ten seconds.
    pub(crate) const fn usual(wait: u32) -> Self {
        Self { wait, kept: Kept::Tenth, traces: 2_000_000 }
    }

    fn block(self) -> String {
        let (status, percentage) = match self.kept {
            Kept::Tenth => ("ERROR", 10),
            Kept::None => ("OK", 0),
        };
        format!(
            "tail_sampling:\n  decision_wait: {}s\n  num_traces: {}\n  policies:\n\
             \x20   - {{name: errors, type: status_code, status_code: {{status_codes: [{status}]}}}}\n\
             \x20   - {{name: slow, type: latency, latency: {{threshold_ms: 10000}}}}\n\
             \x20   - {{name: critical, type: string_attribute, string_attribute: {{key: http.route, values: [/api/v1/none]}}}}\n\
             \x20   - {{name: rest, type: probabilistic, probabilistic: {{sampling_percentage: {percentage}}}}}\n",
            self.wait, self.traces
        )
    }
}

/// Everything on disk, and a loopback block for it; both go when this value goes.
pub(crate) struct Layout {
    folder: TempDir,
    block: Block,
    now: Timestamp,
    authorities: [(&'static str, Authority); 2],
    processes: AtomicU16,
}

impl Layout {
    /// Lays out a federation with so many gateways.
    pub(crate) fn new(clock: &Clock, gateways: u8, sampling: Sampling) -> Result<Self, StandError> {
        let folder = scratch::folder()?;
        let (block, now) = (Block::take(), clock.now());
        let authority = |region| Authority::new(region, now).map(|authority| (region, authority));
        let authorities = [authority("eu-west").map_err(certificates)?, authority("us-east").map_err(certificates)?];
        let layout = Self { folder, block, now, authorities, processes: AtomicU16::new(0) };
        for name in ["regions", "policies", "ca", "nodes", "keys", "data"] {
            fs::create_dir(layout.path(name))?;
        }
        layout.write_documents(gateways, sampling)?;
        layout.write_certificates(gateways)?;
        for (key, days) in [("user", 30), ("session", 1)] {
            let folder = KeyFolder::new(key, layout.path(&format!("keys/{key}")));
            let epochs = [Duration::from_secs(days * 24 * 3600)];
            let made = folder.begin(&epochs, now).and_then(|_| folder.rotate(&epochs, now, Duration::ZERO));
            made.map_err(|fault| StandError::Machine(std::io::Error::other(fault)))?;
        }
        Ok(layout)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where a gateway listens for other tiers.
    pub(crate) fn gateway(&self, number: u8) -> SocketAddr {
        self.block.socket(host::GATEWAYS + number, TIER)
    }

    /// The backend that the gateways' link leads to.
    pub(crate) fn abroad(&self) -> SocketAddr {
        self.block.socket(host::ABROAD, OTLP)
    }

    /// The same where messages have a length in front of them.
    pub(crate) fn abroad_by_length(&self) -> SocketAddr {
        self.block.socket(host::ABROAD, OTLP + 1)
    }

    /// The backend of the central tier.
    pub(crate) fn home(&self) -> SocketAddr {
        self.block.socket(host::HOME, OTLP)
    }

    /// The same where messages have a length in front of them.
    pub(crate) fn home_by_length(&self) -> SocketAddr {
        self.block.socket(host::HOME, OTLP + 1)
    }

    /// Addresses for one more process of this node, or of the Collector for `peer`: several may run at the same time.
    pub(crate) fn doors(&self, node: &str) -> Doors {
        let (host, turn) = (host_of(node), self.processes.fetch_add(1, Ordering::Relaxed));
        let socket = |port: u16| self.block.socket(host, port + turn);
        Doors { entrance: socket(ENTRANCE), admin: socket(ADMIN), metrics: socket(METRICS) }
    }

    /// The certificate of a node, of `peer`, `abroad` or `home`.
    pub(crate) fn identity(&self, name: &str) -> Identity {
        let base = self.path("nodes").join(name.replace('/', "-"));
        Identity { cert: base.with_extension("pem"), key: base.with_extension("key"), trust: self.path("ca/all.pem") }
    }

    /// What a node says of each parcel, but for the number of its items.
    pub(crate) fn manifest(&self, node: &str, origin: &str) -> Result<Manifest, StandError> {
        let now = self.now.nanos();
        Ok(Manifest {
            node: node.parse().map_err(documents)?,
            boot: 1,
            parcel: 0,
            origin: origin.parse().map_err(documents)?,
            policy: [0; 32],
            in_force: [0; 32],
            signal: Signal::Traces,
            items: 0,
            interval: (now, now),
            positions: (0, 0),
            progress: None,
            listener: None,
        })
    }

    /// Writes the node file of a process and returns where it lies. Each process has a data folder of its own.
    pub(crate) fn node_file(&self, run: &Run<'_>, doors: Doors) -> Result<PathBuf, StandError> {
        let Run { node, durability, name, workers } = *run;
        let base = node.replace('/', "-");
        let listener = if node == COLLECTOR { "otlp_grpc" } else { "tier" };
        let sealing = node == GATEWAY;
        let keys = if sealing { "keys: {user: {dir: keys/user}, session: {dir: keys/session}}\n" } else { "" };
        let Doors { entrance, admin, metrics } = doors;
        let text = format!(
            "data: data/{name}\nlisten: {{{listener}: \"{entrance}\", admin: \"{admin}\", metrics: \"{metrics}\"}}\n\
             identity: {{cert: nodes/{base}.pem, key: nodes/{base}.key}}\n\
             budgets: {{memory: 512MiB, disk: 40GiB}}\n{keys}durability: {}\nworkers: {workers}\n",
            durability.as_str()
        );
        let path = self.path(&format!("nodes/{name}.yaml"));
        fs::write(&path, text)?;
        Ok(path)
    }

    fn write_documents(&self, gateways: u8, sampling: Sampling) -> Result<(), StandError> {
        let nodes = |gateways: u8| {
            let nodes: Vec<_> =
                (0..gateways).map(|number| format!("\"{number}\": \"{}\"", self.gateway(number))).collect();
            format!("{{static: {{{}}}}}", nodes.join(", "))
        };
        let federation = format!(
            "federation: {{name: bench, trust_domain: {TRUST_DOMAIN}}}\nlinks:\n  - {{from: eu-west, to: eu-west/backend/abroad, \
             carries: [EEA], signals: [traces], instruments: {{EEA: dpf}}}}\n"
        );
        let eu = format!(
            "region: eu-west\nregime: EEA\nentity: Acme GmbH\ntrust: {{ca: file:ca/eu-west.pem}}\nclusters:\n  bench:\n    \
             listen: {{otlp_grpc: 127.0.0.1:4317, tls: off}}\n    stamp: {{environment: production}}\n    \
             drop: [{{signal: traces, attribute: http.route, matches: \"^/healthz$\"}}]\n\
             gateway: {{nodes: {}}}\nbackends:\n  abroad: {{otlp_grpc: \"{}\", signals: [traces], regime: US, entity: Acme Inc, \
             tls: {{ca: file:ca/all.pem}}, compression: none}}\n",
            nodes(gateways),
            self.abroad()
        );
        let us = format!(
            "region: us-east\nregime: US\nentity: Acme Inc\ntrust: {{ca: file:ca/us-east.pem}}\n\
             gateway: {{nodes: {{static: {{\"0\": \"{}\"}}}}}}\n\
             central: {{nodes: {{static: {{\"0\": \"{}\"}}}}, backends: {{kept: {{otlp_grpc: \"{}\", signals: [traces], \
             tls: {{ca: file:ca/all.pem}}, compression: none}}}}}}\n",
            self.block.socket(host::GATEWAYS - 1, TIER),
            self.block.socket(host::CENTRAL, TIER),
            self.home()
        );
        for (name, text) in [
            ("regions/federation.yaml", federation),
            ("regions/eu-west.yaml", eu),
            ("regions/us-east.yaml", us),
            ("policies/catalogue.yaml", CATALOGUE.to_owned()),
            ("policies/residency.yaml", RESIDENCY.to_owned()),
            ("policies/sampling.yaml", sampling.block()),
            // The Collector reads the same block as one of its processors.
            ("sampling-of-the-collector.yaml", format!("processors:\n{}", indented(&sampling.block()))),
        ] {
            fs::write(self.path(name), text)?;
        }
        Ok(())
    }

    fn write_certificates(&self, gateways: u8) -> Result<(), StandError> {
        let bundles: Vec<&str> = self.authorities.iter().map(|(_, authority)| authority.cert()).collect();
        fs::write(self.path("ca/all.pem"), bundles.concat())?;
        for (region, authority) in &self.authorities {
            fs::write(self.path(&format!("ca/{region}.pem")), authority.cert())?;
        }
        for node in [COLLECTOR, HOME_GATEWAY, CENTRAL] {
            self.issue(node, node, host_of(node))?;
        }
        for number in 0..gateways {
            let node = format!("eu-west/gateway/{number}");
            self.issue(&node, &node, host::GATEWAYS + number)?;
        }
        // Others have no place in the documents: they show a name that no node of this federation has.
        for (name, host) in [(PEER, host::PEER), ("abroad", host::ABROAD), ("home", host::HOME)] {
            self.issue(name, &format!("us-east/gateway/{name}"), host)?;
        }
        Ok(())
    }

    fn issue(&self, name: &str, node: &str, host: u8) -> Result<(), StandError> {
        let node: NodeId = node.parse().map_err(documents)?;
        let mut leaf = Leaf::node(node.spiffe(TRUST_DOMAIN));
        leaf.addresses.push(IpAddr::V4(self.block.address(host)));
        let region = node.region().as_str();
        let own = self.authorities.iter().find(|(name, _)| *name == region);
        let (_, authority) = own.ok_or_else(|| StandError::Certificates(format!("no authority for {region}")))?;
        let issued = authority.issue(&leaf).map_err(certificates)?;
        issued.write(&self.path("nodes"), &name.replace('/', "-")).map_err(certificates)
    }
}

fn host_of(node: &str) -> u8 {
    match node {
        COLLECTOR => host::COLLECTOR,
        CENTRAL => host::CENTRAL,
        HOME_GATEWAY => host::GATEWAYS - 1,
        PEER => host::PEER,
        _ => host::GATEWAYS,
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn certificates(fault: impl std::fmt::Display) -> StandError {
    StandError::Certificates(fault.to_string())
}

fn documents(fault: impl std::fmt::Display) -> StandError {
    StandError::Documents(fault.to_string())
}
