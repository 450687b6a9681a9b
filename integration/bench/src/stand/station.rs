//! One process under test, alone on its core, and how the load reaches it.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tollgate_testkit::http;

use super::StandError;
use super::child::Child;
use super::collector::Collector;
use super::cores::{Cores, bare};
use super::layout::{CENTRAL, COLLECTOR, Doors, GATEWAY, HOME_GATEWAY, Layout, PEER, Run};
use super::load::Target;
use super::sink::Framing;
use super::usage::Watched;

const START: Duration = Duration::from_secs(30);

/// What is measured.
pub(crate) struct Station {
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) watched: Watched,
    /// None for a thread of this process.
    process: Option<Child>,
}

/// A Collector that is to be started in the place of a node.
pub(crate) struct Peer<'a> {
    pub(crate) name: &'a str,
    pub(crate) config: &'a str,
    /// Further configurations, merged into the first.
    pub(crate) extra: Vec<PathBuf>,
    pub(crate) sinks: Vec<SocketAddr>,
    /// The node in whose place it stands.
    pub(crate) node: &'a str,
}

/// Starts a process on some of the cores.
type On = fn(Cores, &mut Command, &Path) -> Result<Child, StandError>;

fn alone(cores: Cores, command: &mut Command, log: &Path) -> Result<Child, StandError> {
    cores.on_measured(|| Child::start(command, log))
}

fn on_both(cores: Cores, command: &mut Command, log: &Path) -> Result<Child, StandError> {
    cores.on_both(|| Child::start(command, log))
}

/// Where stations are set up.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) cores: Cores,
    /// The `tollgate` that is measured.
    pub(crate) binary: &'a Path,
}

impl Site<'_> {
    /// Starts a node of Tollgate alone on its core.
    pub(crate) fn tollgate(self, run: &Run<'_>) -> Result<Station, StandError> {
        self.node(bare(self.binary), run, START)
    }

    /// Starts a node of Tollgate that has both cores.
    pub(crate) fn on_both_cores(self, run: &Run<'_>) -> Result<Station, StandError> {
        self.start(bare(self.binary), run, START, on_both)
    }

    /// Starts a node of Tollgate by a command that names its program.
    pub(crate) fn node(self, command: Command, run: &Run<'_>, limit: Duration) -> Result<Station, StandError> {
        self.start(command, run, limit, alone)
    }

    fn start(self, mut command: Command, run: &Run<'_>, limit: Duration, on: On) -> Result<Station, StandError> {
        let doors = self.layout.doors(run.node);
        let file = self.layout.node_file(run, doors)?;
        command.arg("run").arg(run.node).arg("--set").arg(self.layout.root()).arg("--node-file").arg(file);
        let log = self.layout.path(&format!("{}.log", run.name));
        let mut process = on(self.cores, &mut command, &log)?;
        let ready = || http::get(doors.admin, "/readyz").is_ok_and(|reply| reply.status == 200);
        process.until(limit, ready).map_err(|fault| fault.at(run.name))?;
        let mut target = self.target(run.node, doors.entrance)?;
        if let Some((sender, origin)) = sender_to(run.node) {
            target.manifest = Some(self.layout.manifest(sender, origin)?);
        }
        Ok(Station::of(run.name, process, target))
    }

    /// Starts the Collector.
    pub(crate) fn collector(self, collector: &Collector, peer: &Peer<'_>) -> Result<Station, StandError> {
        let (layout, identity) = (self.layout, self.layout.identity(PEER));
        let Doors { entrance, metrics, .. } = layout.doors(PEER);
        let config = layout.path(&format!("{}.yaml", peer.name));
        std::fs::write(&config, peer.config)?;
        let mut command = bare(&collector.program);
        for config in std::iter::once(&config).chain(&peer.extra) {
            command.arg("--config").arg(config);
        }
        command.env("LISTEN", entrance.to_string());
        command.env("METRICS_HOST", metrics.ip().to_string()).env("METRICS_PORT", metrics.port().to_string());
        command.env("CERT", identity.cert).env("KEY", identity.key).env("CA", identity.trust);
        command.env("DATA", layout.path("data").join(peer.name));
        for (number, sink) in peer.sinks.iter().enumerate() {
            command.env(if number == 0 { "SINK".to_owned() } else { format!("SINK_{number}") }, sink.to_string());
        }
        let log = layout.path(&format!("{}.log", peer.name));
        let mut process = alone(self.cores, &mut command, &log)?;
        let ready = || TcpStream::connect(entrance).is_ok();
        process.until(START, ready).map_err(|fault| fault.at(peer.name))?;
        Ok(Station::of(peer.name, process, self.target(peer.node, entrance)?))
    }

    /// How the load reaches whoever stands in the place of a node: over mutual TLS, but a collector in plain text.
    pub(crate) fn target(self, node: &str, address: SocketAddr) -> Result<Target, StandError> {
        let sender = sender_to(node).map(|(sender, _)| self.layout.identity(sender).client()).transpose()?;
        Ok(Target { address, tls: sender, manifest: None, framing: Framing::Grpc })
    }
}

/// Who sends to a node, and from where the data is.
fn sender_to(node: &str) -> Option<(&'static str, &'static str)> {
    match node {
        GATEWAY => Some((COLLECTOR, "EEA")),
        CENTRAL => Some((HOME_GATEWAY, "US")),
        _ => None,
    }
}

impl Station {
    /// A thread of this process.
    pub(crate) fn thread(name: &str, id: i32, target: Target) -> Self {
        Self { name: name.to_owned(), target, watched: Watched::thread(id), process: None }
    }

    fn of(name: &str, process: Child, target: Target) -> Self {
        Self { name: name.to_owned(), target, watched: Watched::process(process.id()), process: Some(process) }
    }

    /// A thread of this process does nothing after its answer.
    pub(crate) fn is_thread(&self) -> bool {
        self.process.is_none()
    }

    /// None for a thread.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// The end of what it printed.
    pub(crate) fn log(&self) -> String {
        self.process.as_ref().map(Child::log).unwrap_or_default()
    }

    /// Lets it end in order; returns the end of what it printed.
    pub(crate) fn stop(mut self, limit: Duration) -> Result<String, StandError> {
        self.process.as_mut().map_or(Ok(()), |process| process.stop(limit))?;
        Ok(self.log())
    }
}
