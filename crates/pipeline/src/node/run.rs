//! Runs one node: opens what it has, starts its parts in order, and stops them in order.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use tollgate_disk::Disk;
use tollgate_federation::{NodeId, Role};
use tollgate_runtime::{Clock, Metrics, Shutdown, Signals, Stopper, TaskGroup, Workers};
use tollgate_spool::ReadError;
use tollgate_transport::admin::Reload;
use tollgate_transport::{Bound, Dns, TlsError};

use crate::admit::attendance::Attendance;
use crate::documents::Documents;
use crate::hold::correlation::breaks::Breaks;
use crate::hold::history::History;
use crate::node::Node;
use crate::node::archive::Archive;
use crate::node::counters::Counters;
use crate::node::in_force::Borders;
use crate::node::keys;
use crate::node::launch::LaunchError;
use crate::node::logs::{Division, Logs, LogsError};
use crate::node::node_file::NodeFile;
use crate::node::open::Opened;
use crate::node::outlets;
use crate::node::pages::NodePages;
use crate::node::reload::Reloader;
use crate::node::senders;
use crate::node::start::Start;
use crate::node::unfit::Unfit;
use crate::node::ways::ways;
use crate::receive::intake;
use crate::receive::listeners::Listeners;

/// How long a stopping process waits for its parts: the flush of the windows, and a little more.
const PATIENCE: Duration = Duration::from_secs(12);

/// How long a gateway that can be reached again vouches for nobody: three of a tier's longest backoffs.
const SETTLING: Duration = Duration::from_secs(3);

/// A node cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What it has on its machine does not let it.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The sampling policy does not let it.
    #[error(transparent)]
    Sampling(#[from] tollgate_config::Faults),
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A log cannot be opened.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// The verdicts of the last process cannot be read.
    #[error("the log of kept spans cannot be read: {0}")]
    Verdicts(#[from] ReadError),
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
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl RunError {
    /// Whether a later start may succeed although nobody has changed a file.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unfit(unfit) => unfit.may_pass(),
            Self::Tls(error) => error.may_pass(),
            Self::Sampling(_) => false,
            Self::Logs(_) | Self::Verdicts(_) | Self::Launch(_) | Self::Listen { .. } | Self::Machine { .. } => true,
        }
    }

    fn machine(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Machine { what: what.into(), source }
    }
}

/// Runs a node until the first signal; a second one stops it at once.
///
/// # Errors
/// When it cannot start. Trouble later is logged and mended or waited out.
pub fn run(start: &Start, me: &NodeId, file: NodeFile, signals: &Signals) -> Result<(), RunError> {
    let clock = Clock::system();
    if let Some(why) = &start.refused {
        // Before anything else can fail: whoever mends that must know of this.
        let documents = HEXLOWER.encode(&start.documents.federation.digest());
        tracing::error!(
            documents,
            "documents refused; starting on the last ones that were in force, with all links closed:\n{why}"
        );
    }
    let opened = Opened::open(&start.documents, Some(me), &file, &clock)?;
    for warning in opened.warnings() {
        tracing::warn!("{warning}");
    }
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let control = control.map_err(RunError::machine("cannot start the event queue"))?;
    let (stopper, shutdown) = Shutdown::new();
    let metrics = Metrics::new();
    let node = Arc::new(node(start, file, opened, clock, &metrics, shutdown)?);
    let ended = control.block_on(live(&node, metrics, &stopper, signals));
    // A log that is still being opened when a signal comes is nothing to wait for.
    control.shutdown_background();
    ended
}

async fn live(node: &Arc<Node>, metrics: Metrics, stopper: &Stopper, signals: &Signals) -> Result<(), RunError> {
    let opening = {
        let node = Arc::clone(node);
        tokio::task::spawn_blocking(move || Logs::open(&node))
    };
    let logs = tokio::select! {
        biased;
        // Nothing has come in yet, and a log that is left half opened is opened again as after a crash.
        () = signals.stop.started() => {
            tracing::info!("stopped before it had started");
            return Ok(());
        }
        logs = opening => logs.map_err(|ended| RunError::machine("cannot open the logs")(ended.into()))??,
    };
    start(node, &logs, metrics).await?;
    let reloading = Arc::clone(&node.reloader).run(signals.reload.clone(), node.shutdown.clone());
    node.tasks.spawn("reload", reloading);
    signals.stop.started().await;
    tokio::select! {
        () = stop(node, &logs, stopper) => {}
        () = signals.stop_at_once.started() => tracing::warn!("stopped at once; what was acknowledged is in the log"),
    }
    Ok(())
}

fn node(
    Start { documents, refused }: &Start,
    file: NodeFile,
    opened: Opened,
    clock: Clock,
    metrics: &Metrics,
    shutdown: Shutdown,
) -> Result<Node, RunError> {
    let count = file.workers.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let workers = Workers::start(count).map_err(RunError::machine("cannot start worker threads"))?;
    let Opened { me, home, keys, secrets, tls, services, memory, .. } = opened;
    let disk = Disk::real();
    let cannot = |what: &str| RunError::machine(format!("cannot {what} {}", file.data.display()));
    disk.make_dir(&file.data).map_err(cannot("make the data folder"))?;
    let archive = Arc::new(Archive::new(&disk, file.archive()));
    let mut first = archive.adopt(documents).map_err(cannot("keep the documents in the data folder"))?;
    let division = Division::of(me.role(), &ways(&documents.federation, &me));
    let counters = Counters::register(metrics, division);
    if refused.is_some() {
        first.borders = Borders::Closed;
    }
    let reloader = Reloader::new(me.clone(), Arc::clone(&archive), first, clock.clone(), counters.reload.clone());
    if let Some(why) = refused {
        reloader.started_on_kept(why);
    }
    let attendance = attendance(documents, me.role(), &clock)?;
    let traces = documents.sampling()?.own().history;
    let samples = division != Division::Passing;
    let history = samples.then(|| History::new(traces, clock.clone()));
    let breaks = (traces > 0 && me.role() == Role::Central).then(|| Breaks::new(clock.clone()));
    Ok(Node {
        me,
        boot: random()?,
        documents: Arc::clone(documents),
        federation: Arc::clone(&documents.federation),
        archive,
        reloader: Arc::new(reloader),
        dns: dns(&file),
        attendance,
        history,
        breaks,
        counters,
        metrics: metrics.clone(),
        keys,
        secrets,
        tls,
        services,
        memory,
        home,
        file,
        clock,
        disk,
        workers,
        tasks: TaskGroup::new(),
        shutdown,
        listeners: Listeners::new(),
    })
}

/// A collector's services tell nothing of themselves.
fn attendance(documents: &Documents, role: Role, clock: &Clock) -> Result<Option<Arc<Attendance>>, RunError> {
    let patience = documents.sampling()?.bounds().decision_wait_max;
    Ok(match role {
        Role::Collector => None,
        // Who held traces back for a gateway that was away comes back to it within a backoff.
        Role::Gateway => Some(Attendance::new(clock.clone(), SETTLING, patience)),
        // What waits for its verdict waits anew, which is time enough.
        Role::Central => Some(Attendance::new(clock.clone(), Duration::ZERO, patience)),
    })
}

pub(crate) fn random() -> Result<u64, RunError> {
    getrandom::u64().map_err(|error| RunError::Machine { what: "no randomness".to_owned(), source: error.into() })
}

fn dns(file: &NodeFile) -> Option<Dns> {
    let dns = if file.dns.is_empty() { Dns::system() } else { Dns::new(&file.dns) };
    dns.inspect_err(|error| tracing::warn!(%error, "no resolver: members found by DNS stay unknown")).ok()
}

/// Starts the parts from the back of the path to its front: nothing comes in before it can go on.
async fn start(node: &Arc<Node>, logs: &Logs, metrics: Metrics) -> Result<(), RunError> {
    senders::start(node);
    outlets::start(node, logs).await?;
    intake::start(node, logs).await?;
    let pages = Arc::new(NodePages::new(Arc::clone(node), logs.clone(), metrics));
    let [admin, metrics] = NodePages::addresses(&node.file.listen);
    // Whoever may read the metrics may not reload.
    for (address, reload) in [(admin, Some(Arc::clone(&pages) as Arc<dyn Reload>)), (metrics, None)] {
        let bound = bind(address).await?;
        let (tasks, closing) = (&node.listeners.tasks, node.listeners.closing.clone());
        let serving = tollgate_transport::admin::serve(bound, pages.clone(), reload, tasks.clone(), closing);
        tasks.spawn("admin", serving);
    }
    node.tls.watch(&node.tasks, node.shutdown.clone());
    keys::watch(&node.keys, &node.tasks, node.shutdown.clone());
    tracing::info!(node = %node.me, data = %node.file.data.display(), "running");
    Ok(())
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
