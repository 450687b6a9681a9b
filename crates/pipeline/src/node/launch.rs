//! Starts the consumers of a node: for each way out its step, its door, its hop, and the senders of its lanes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tollgate_federation::{
    Backend, BackendId, BackendTarget, LinkId, LocalPlace, NodeIn, Nodes, PlaceId, Role, Signal, Tier,
};
use tollgate_routing::HopKind;
use tollgate_spool::Consumer as LogConsumer;

use crate::load::local::LocalMaker;
use crate::node::Node;
use crate::node::counters::ConsumerCounters;
use crate::node::ways::Out;
use crate::pass::{HomeIds, Pass, Which};
use crate::prepare::Prepare;
use crate::prepare::drop_rules::DropRules;
use crate::prepare::listeners::Listeners;
use crate::prepare::stamp::Stamp;
use crate::seal::manifests::{Leaving, Manifests, Teller};
use crate::seal::{Basis, Seal};
use crate::send::backends::{self, BackendError};
use crate::send::consumer::{Consumer, Gather};
use crate::send::delivery::{Delivery, Door};
use crate::send::doors::{BackendDoor, LinkBackendDoor, LinkDoor, LocalTierDoor};
use crate::send::file_door::FileDoor;
use crate::send::file_exporter::Rotation;
use crate::send::hop::Hop;
use crate::send::members::{Finder, Network};
use crate::send::quarantine::Quarantine;
use crate::send::roster::Roster;
use crate::step::Step;
use crate::thin::Thin;

/// Parcels of one lane that are on their way at the same time.
const SENDERS: usize = 4;
/// How outcomes queue up until the consumer takes them; senders wait when it is full.
const OUTCOMES: usize = 256;
/// A parcel goes when it has this many bytes.
const PARCEL: usize = 512 << 10;
/// A parcel goes when it has waited this long.
const LINGER: Duration = Duration::from_millis(5);
/// One line, and one fdatasync, for what came in this time.
const FILE_LINGER: Duration = Duration::from_millis(50);

/// A consumer cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A backend cannot be used.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The log has no such consumer: a defect of ours.
    #[error("the log of {signal} has no consumer {name}")]
    NoConsumer {
        /// The log's signal.
        signal: Signal,
        /// The consumer.
        name: String,
    },
    /// The documents have no such place: a defect of ours, because they were checked.
    #[error("the documents have no place for the consumer {0}")]
    NoPlace(String),
}

/// Whether a way out is a link, or stays in its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crosses {
    Border,
    Nothing,
}

/// One consumer about to be started.
struct Launch<'a> {
    node: &'a Arc<Node>,
    log: LogConsumer,
    signal: Signal,
    counters: Arc<ConsumerCounters>,
    gather: Gather,
    crosses: Crosses,
    /// Which of the node's consumers it is: keeps parcel numbers apart.
    number: u64,
}

/// What the next tier learns of us beside our data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    /// It waits for those that lag.
    HowFarWeAre,
}

/// Starts one way out.
pub(crate) fn launch(
    node: &Arc<Node>,
    log: LogConsumer,
    signal: Signal,
    name: &str,
    out: &Out,
    number: u64,
) -> Result<(), LaunchError> {
    let counters = node.consumer(name, signal);
    let gather = Gather { bytes: PARCEL, items: u64::MAX, linger: LINGER };
    let crosses = if matches!(out, Out::Link(_)) { Crosses::Border } else { Crosses::Nothing };
    let launch = Launch { node, log, signal, counters, gather, crosses, number };
    let started = match out {
        Out::Gateway => launch.start_gateway(),
        Out::HomeCentral => launch.start_home_central(),
        Out::Link(link) => return launch.start_link(*link, name),
        Out::Backend(backend) => return launch.start_backend(backend, name),
    };
    started.ok_or_else(|| LaunchError::NoPlace(name.to_owned()))
}

impl Launch<'_> {
    fn start_gateway(mut self) -> Option<()> {
        let federation = &self.node.federation;
        let NodeIn::Collector { region, cluster } = federation.node(&self.node.me)? else { return None };
        let place = federation.local_gateway(&self.node.me)?;
        let batch = cluster.batch();
        self.gather.items = u64::from(batch.send_batch_size);
        self.gather.linger = batch.timeout;
        let step = Prepare {
            stamp: Arc::new(Stamp::new(cluster.stamp(), |name| std::env::var(name).ok())),
            drop: DropRules::new(cluster.drop_rules(), self.signal),
            thin: Thin::new(cluster.thinning(), self.signal, self.counters.name(), &self.node.counters.thinning),
            maker: LocalMaker::new(place.clone()),
            counters: Arc::clone(&self.counters),
            listeners: Listeners::new(self.node.reloader.follow(), region.regime(), self.signal),
        };
        self.start_tier(region.gateway(), place, step);
        Some(())
    }

    fn start_home_central(self) -> Option<()> {
        let federation = &self.node.federation;
        let tier = federation.home_central(self.node.me.region().as_str())?;
        let place = federation.local_central(&self.node.me)?;
        let maker = LocalMaker::new(place.clone());
        let keys = Arc::clone(&self.node.keys) as _;
        let ids = HomeIds::new(self.node.reloader.follow(), keys, self.node.me.region().clone());
        let step = Pass { maker, which: Which::Home, ids: Some(ids), counters: Arc::clone(&self.counters) };
        self.start_tier(tier, place, step);
        Some(())
    }

    fn start_tier<S: Step<Load = tollgate_transport::Local>>(self, tier: &Tier, place: LocalPlace, step: S) {
        let hop = self.hop_to(tier);
        let door = LocalTierDoor::new(place, tier.id().clone(), self.node.tls.clone(), Arc::clone(&hop));
        let told = self.told();
        self.start(step, door, hop, told);
    }

    fn start_link(self, link: LinkId, name: &str) -> Result<(), LaunchError> {
        let no_place = || LaunchError::NoPlace(name.to_owned());
        let federation = &self.node.federation;
        let link = federation.link(link).ok_or_else(no_place)?;
        let basis = Basis {
            in_force: self.node.reloader.follow(),
            archive: Arc::clone(&self.node.archive),
            keys: Arc::clone(&self.node.keys) as _,
            clock: self.node.clock.clone(),
        };
        let thin = Thin::new(link.thinning(), self.signal, name, &self.node.counters.thinning);
        let step = Seal::new(basis, link, self.signal, Arc::clone(&self.counters)).thinned(thin);
        match link.to() {
            PlaceId::Tier(tier) => {
                let tier = federation.tier(tier).ok_or_else(no_place)?;
                let hop = self.hop_to(tier);
                let door = LinkDoor::new(link, tier.id().clone(), self.node.tls.clone(), Arc::clone(&hop));
                let told = if tier.id().role() == Role::Central { self.told() } else { Told::Nothing };
                self.start(step, door, hop, told);
            }
            PlaceId::Backend(id) => {
                let backend = self.backend(id).ok_or_else(no_place)?;
                let exporter = self.exporter(backend)?.ok_or_else(no_place)?;
                let hop = Arc::new(Hop::to_one(id.name().as_str(), self.signal, self.node.clock.clone()));
                self.start(step, LinkBackendDoor::new(exporter, link.id()), hop, Told::Nothing);
            }
        }
        Ok(())
    }

    fn start_backend(mut self, id: &BackendId, name: &str) -> Result<(), LaunchError> {
        let no_place = || LaunchError::NoPlace(name.to_owned());
        let node = Arc::clone(self.node);
        let tier = node.federation.tier(id.tier());
        let backend = tier.and_then(|tier| tier.backend(id.name().as_str())).ok_or_else(no_place)?;
        let place = self.node.federation.local_backend(&self.node.me, id.name().as_str()).ok_or_else(no_place)?;
        let maker = LocalMaker::new(place.clone());
        let step = Pass { maker, which: Which::All, ids: None, counters: Arc::clone(&self.counters) };
        let hop = Arc::new(Hop::to_one(id.name().as_str(), self.signal, self.node.clock.clone()));
        match (backend.target(), self.exporter(backend)?) {
            (_, Some(exporter)) => self.start(step, BackendDoor::new(exporter, place), hop, Told::Nothing),
            (BackendTarget::File { rotate, keep }, None) => {
                self.gather.linger = FILE_LINGER;
                let rotation = Rotation { rotate: rotate.bytes(), keep: *keep };
                let folder = self.node.folder("backends").join(id.name().as_str()).join(self.signal.as_str());
                let door = FileDoor::new(self.node.disk.clone(), folder, rotation, &self.counters);
                self.start(step, door, hop, Told::Nothing);
            }
            (_, None) => return Err(no_place()),
        }
        Ok(())
    }

    fn backend(&self, id: &BackendId) -> Option<&Backend> {
        self.node.federation.tier(id.tier())?.backend(id.name().as_str())
    }

    fn exporter(&self, backend: &Backend) -> Result<Option<tollgate_transport::Exporter>, BackendError> {
        backends::exporter(backend, &self.node.secrets, &self.node.documents.dir, &self.node.clock)
    }

    /// Whoever judges whole traces is waited for; everybody else is replaced at once.
    fn hop_to(&self, tier: &Tier) -> Arc<Hop> {
        let handover_after = tier.handover_after();
        let kind = match tier.id().role() {
            Role::Central => HopKind::Wait { handover_after },
            // Gateways that sample for backends of their own judge whole traces too.
            Role::Gateway if self.signal == Signal::Traces && !handover_after.is_zero() => {
                HopKind::Wait { handover_after }
            }
            Role::Gateway | Role::Collector => HopKind::FailOver,
        };
        let leaving = match (kind, tier.nodes()) {
            (HopKind::Wait { handover_after }, Nodes::Dns { .. }) => handover_after,
            // A stateless hop has nothing to hand over, and who is not in the documents any more was taken out of them.
            (HopKind::FailOver, _) | (_, Nodes::Static(_)) => Duration::ZERO,
        };
        let hop = Hop::new(kind, leaving, self.signal, self.node.clock.clone());
        let hop = Arc::new(hop.for_role(tier.id().role()));
        let (tls, dns) = (self.node.tls.clone(), self.node.dns.clone());
        let finder = Finder { tier: tier.clone(), ask: Network { tls, dns }, hop: Arc::clone(&hop) };
        self.spawn("members", finder.run(self.node.shutdown.clone()));
        hop
    }

    /// Traces are waited for where they are judged, and on the way there.
    fn told(&self) -> Told {
        if self.signal == Signal::Traces { Told::HowFarWeAre } else { Told::Nothing }
    }

    /// Whoever samples is waited for by those who send to it: what they hold meanwhile goes nowhere else, so there is no goodbye.
    fn leaving(&self) -> Option<Leaving> {
        let tier = self.node.federation.tier(&self.node.me.tier());
        tier.is_none_or(|own| own.handover_after().is_zero()).then(Leaving::default)
    }

    fn start<S: Step, D: Door<Load = S::Load>>(self, step: S, door: D, hop: Arc<Hop>, told: Told) {
        let (done, outcomes) = mpsc::channel(OUTCOMES);
        let node = self.node;
        let quarantine = node.folder("quarantine").join(self.counters.name()).join(self.signal.as_str());
        let first = self.number << 48;
        let clock = (told == Told::HowFarWeAre).then(|| node.clock.clone());
        let (leaving, upstream) = (self.leaving(), node.attendance.clone());
        let teller = clock.clone().map(|clock| Teller { clock, leaving: leaving.clone(), upstream });
        let delivery = Arc::new(Delivery {
            door,
            hop: Arc::clone(&hop),
            manifests: Manifests::new(node.me.clone(), node.boot, self.signal, node.home.clone(), first)
                .telling(teller),
            quarantine: Quarantine::new(node.disk.clone(), quarantine),
            counters: Arc::clone(&self.counters),
        });
        let worker = node.workers.pick().clone();
        let (tasks, home) = (node.tasks.clone(), worker.clone());
        let senders = Box::new(move |_: Arc<str>, window: crate::send::window::Window<S::Load>| {
            for _ in 0..SENDERS {
                let sending = Arc::clone(&delivery).run(window.clone(), done.clone());
                tasks.spawn_on(&home, "sender", sending);
            }
        });
        let (shutdown, mut in_force) = (node.shutdown.clone(), node.reloader.follow());
        let roster = Roster::restore(&self.log, hop, senders);
        let consumer =
            Consumer::new(self.log, step, roster, self.gather, outcomes, self.counters).pulsing(clock, leaving);
        let crosses = self.crosses;
        node.tasks.spawn_on(&worker, "consumer", async move {
            if crosses == Crosses::Border {
                // Cancel safe: nothing was taken from the log yet. What waits there goes on once links are open.
                tokio::select! {
                    biased;
                    () = shutdown.started() => return,
                    () = in_force.opened() => {}
                }
            }
            consumer.run(shutdown).await;
        });
    }

    fn spawn(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        self.node.tasks.spawn_on(self.node.workers.pick(), name, task);
    }
}
