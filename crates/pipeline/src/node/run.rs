//! Runs one node: opens what it has, starts its parts in order, and stops them in order.

use std::sync::Arc;
use std::time::Duration;

use tollgate_disk::Disk;
use tollgate_federation::{NodeId, NodeIn, Origin};
use tollgate_runtime::{Clock, Metrics, Shutdown, Stopper, TaskGroup, Workers, memory_limit, on_signals};
use tollgate_transport::{Bound, Dns, TierFiles, TierTls, TlsError};

use crate::documents::Documents;
use crate::node::Node;
use crate::node::archive::Archive;
use crate::node::counters::Counters;
use crate::node::keys::{KeyRing, SecretError};
use crate::node::launch::LaunchError;
use crate::node::logs::{Logs, LogsError};
use crate::node::node_file::{Identity, NodeFile};
use crate::node::outlets;
use crate::node::pages::NodePages;
use crate::receive::intake;
use crate::receive::listeners::Listeners;

/// What requests may take in memory where neither the node file nor the machine says more.
const SMALLEST_BUDGET: u64 = 64 << 20;
/// How long a stopping process waits for its parts: the flush of the windows, and a little more.
const PATIENCE: Duration = Duration::from_secs(12);

/// A node cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The documents or the node file do not let it.
    #[error("{0}")]
    Config(String),
    /// A key or secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A log cannot be opened.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// A way out cannot be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The machine refuses something else.
    #[error("{what}: {source}")]
    Machine {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl RunError {
    fn machine(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Machine { what, source }
    }
}

/// Runs a node until SIGTERM or SIGINT; a second signal stops at once.
///
/// # Errors
/// When it cannot start. Trouble later is logged and mended or waited out.
pub fn run(documents: &Arc<Documents>, me: &NodeId, file: NodeFile) -> Result<(), RunError> {
    let count = file.workers.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let workers = Workers::start(count).map_err(RunError::machine("cannot start worker threads"))?;
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let control = control.map_err(RunError::machine("cannot start the event queue"))?;
    let (stopper, shutdown) = Shutdown::new();
    control.block_on(async {
        let metrics = Metrics::new();
        let node = Arc::new(open(documents, me, file, &metrics, workers, shutdown)?);
        let logs = start(&node, metrics).await?;
        on_signals().await.map_err(RunError::machine("cannot listen for signals"))?;
        tokio::select! {
            () = stop(&node, &logs, &stopper) => Ok(()),
            _ = on_signals() => {
                tracing::warn!("stopped at once; what was acknowledged is in the log");
                Ok(())
            }
        }
    })
}

/// Everything that can be wrong with the machine or its files is found here, before the first listener opens.
fn open(
    documents: &Arc<Documents>,
    me: &NodeId,
    file: NodeFile,
    metrics: &Metrics,
    workers: Arc<Workers>,
    shutdown: Shutdown,
) -> Result<Node, RunError> {
    let unknown = || RunError::Config(format!("the documents have no place for the node {me}"));
    let regime = match documents.federation.node(me).ok_or_else(unknown)? {
        NodeIn::Collector { region, .. } | NodeIn::Gateway { region, .. } | NodeIn::Central { region, .. } => {
            region.regime().clone()
        }
    };
    let (clock, disk) = (Clock::system(), Disk::real());
    disk.make_dir(&file.data).map_err(RunError::machine("cannot make the data folder"))?;
    let archive = Archive::open(&disk, file.data.join("documents"), documents);
    Ok(Node {
        me: me.clone(),
        boot: random()?,
        documents: Arc::clone(documents),
        federation: Arc::clone(&documents.federation),
        archive: Arc::new(archive.map_err(RunError::machine("cannot keep the documents"))?),
        keys: Arc::new(KeyRing::load(&file.keys)?),
        tls: tls(documents, &file, me, &clock)?,
        dns: dns(&file),
        home: Origin::of(regime),
        counters: Counters::register(metrics),
        file,
        clock,
        disk,
        workers,
        tasks: TaskGroup::new(),
        shutdown,
        listeners: Listeners::new(),
    })
}

pub(crate) fn random() -> Result<u64, RunError> {
    getrandom::u64().map_err(|error| RunError::Machine { what: "no randomness", source: error.into() })
}

fn tls(documents: &Documents, file: &NodeFile, me: &NodeId, clock: &Clock) -> Result<TierTls, RunError> {
    let missing = || RunError::Config("the node file needs `identity`: who this node is between tiers".to_owned());
    let Identity { cert, key } = file.identity.as_ref().ok_or_else(missing)?;
    let trust =
        documents.federation.regions().map(|region| (region.name().to_string(), documents.dir.join(region.ca())));
    let files = TierFiles {
        trust_domain: documents.federation.trust_domain().to_owned(),
        certificate: cert.clone(),
        key: key.clone(),
        trust: trust.collect(),
    };
    let tls = TierTls::load(files, clock.clone())?;
    if tls.node() == me {
        return Ok(tls);
    }
    Err(RunError::Config(format!("the certificate is for {}, this node is {me}", tls.node())))
}

fn dns(file: &NodeFile) -> Option<Dns> {
    let dns = if file.dns.is_empty() { Dns::system() } else { Dns::new(&file.dns) };
    dns.inspect_err(|error| tracing::warn!(%error, "no resolver: members found by DNS stay unknown")).ok()
}

/// Starts the parts from the back of the path to its front: nothing comes in before it can go on.
async fn start(node: &Arc<Node>, metrics: Metrics) -> Result<Logs, RunError> {
    let logs = Logs::open(node)?;
    outlets::start(node, &logs).await?;
    let memory = node.file.memory.map(|size| size.bytes());
    let memory = memory.unwrap_or_else(|| memory_limit().unwrap_or(0) / 2).max(SMALLEST_BUDGET);
    intake::start(node, &logs, memory).await?;
    let pages = Arc::new(NodePages::new(Arc::clone(node), logs.clone(), metrics));
    for address in NodePages::addresses(&node.file.listen) {
        let bound = bind(address).await?;
        let (tasks, closing) = (&node.listeners.tasks, node.listeners.closing.clone());
        let serving = tollgate_transport::admin::serve(bound, pages.clone(), tasks.clone(), closing);
        tasks.spawn("admin", serving);
    }
    node.tls.watch(&node.tasks, node.shutdown.clone());
    tracing::info!(node = %node.me, data = %node.file.data.display(), "running");
    Ok(logs)
}

pub(crate) async fn bind(address: std::net::SocketAddr) -> Result<Bound, RunError> {
    Bound::bind(address).await.map_err(|source| RunError::Listen { address, source })
}

/// The order of shutdown.
async fn stop(node: &Node, logs: &Logs, stopper: &Stopper) {
    tracing::info!("stopping");
    stopper.stop(); // 1. readiness goes; requests are refused retryably; consumers send what they hold, for at most 10 s
    if let Err(left) = node.tasks.wait(PATIENCE).await {
        tracing::warn!(?left, "not everything ended in time; the log has what was not sent");
    }
    node.tasks.abort(); // 2. nobody reads the logs any more
    node.listeners.close().await; // 3. nobody writes to them any more
    logs.close().await; // 4. cursors and the closing mark are durable
    tracing::info!("stopped");
}
