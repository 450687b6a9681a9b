//! Looks at some of what passes, without changing it and without holding anybody up.
//!
//! Promises:
//! 1. A request is looked at only after it is ours, at most one every [`BETWEEN`], and of it at most [`MOST`] attributes.
//! 2. What is found stays in the data folder of this node, bounded; metrics show it by fingerprint only.

pub(crate) mod attributes;
pub(crate) mod drift;
pub(crate) mod shapes;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tollgate_federation::{Role, Signal};
use tollgate_otlp::{Batch, Index, RawAttribute, ResourceGroup, ValueView};
use tollgate_residency::Carrier;
use tollgate_runtime::Clock;
use tollgate_spool::Entry;

use crate::node::Node;
use crate::node::node_file::Recording;
use crate::node::run::RunError;
use crate::records::FromCollector;
use drift::Drift;
use shapes::Shapes;

/// How long nothing is looked at after a request was.
const BETWEEN: Duration = Duration::from_millis(250);
/// So many attributes of one request are looked at.
const MOST: usize = 1000;
/// How often what was found is written to the disk.
const WRITE: Duration = Duration::from_secs(10);

/// Looks at requests of this region's own services.
pub(crate) struct Observer {
    clock: Clock,
    /// The next look is due then, in milliseconds since the start.
    due: AtomicU64,
    sees: Sees,
}

/// What is looked for.
pub(crate) enum Sees {
    /// At a gateway, which sees all of its region.
    Drift(Drift),
    /// At a collector, where its node file asks for it.
    Shapes(Shapes),
}

/// A request to be looked at.
pub(crate) struct Look {
    payload: Bytes,
    index: Bytes,
}

/// Starts to look, where there is anything to look for.
pub(crate) fn start(node: &Arc<Node>) -> Result<Option<Arc<Observer>>, RunError> {
    let cannot =
        |source| RunError::Machine { what: "cannot keep what is observed in the data folder".to_owned(), source };
    let Some(sees) = sees(node).map_err(cannot)? else { return Ok(None) };
    let observer = Arc::new(Observer { clock: node.clock.clone(), due: AtomicU64::new(0), sees });
    if let Sees::Drift(_) = observer.sees {
        let shown = Box::new(drift::Shown(Arc::clone(&observer)));
        node.metrics.register(|registry| registry.register_collector(shown));
    }
    let (writing, shutdown) = (Arc::clone(&observer), node.shutdown.clone());
    node.tasks.spawn("observer", async move {
        loop {
            let goes_on = shutdown.sleep(WRITE).await;
            let writer = Arc::clone(&writing);
            // A sync takes milliseconds.
            let _ = tokio::task::spawn_blocking(move || writer.write()).await;
            if !goes_on {
                return;
            }
        }
    });
    Ok(Some(observer))
}

fn sees(node: &Node) -> io::Result<Option<Sees>> {
    let (in_force, clock) = (node.reloader.follow(), node.clock.clone());
    match (node.me.role(), node.file.shapes) {
        (Role::Gateway, _) => {
            Drift::open(&node.disk, node.folder("drift"), in_force, clock).map(|drift| Some(Sees::Drift(drift)))
        }
        (Role::Collector, Recording::On) => {
            let of = (node.me.region().to_string(), node.home.to_string());
            Shapes::open(&node.disk, node.folder("shapes"), of, in_force, clock)
                .map(|shapes| Some(Sees::Shapes(shapes)))
        }
        (Role::Collector | Role::Central, _) => Ok(None),
    }
}

impl Observer {
    /// Whether this request is the next to be looked at: one of our own services, when a look is due.
    pub(crate) fn take_turn(&self, signal: Signal, entry: &Entry, items: u64) -> Option<Look> {
        if let Sees::Shapes(shapes) = &self.sees {
            shapes.passed(signal, items);
        }
        let now = u64::try_from(self.clock.uptime().as_millis()).unwrap_or(u64::MAX);
        let due = self.due.load(Ordering::Relaxed);
        let next = now.saturating_add(u64::try_from(BETWEEN.as_millis()).unwrap_or(u64::MAX));
        if now < due || !self.is_own(entry.peer.as_str()) {
            return None;
        }
        let taken = self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        taken.is_ok().then(|| Look { payload: entry.payload.clone(), index: entry.index.clone() })
    }

    /// Looks at a request that is ours by now.
    pub(crate) fn look(&self, signal: Signal, look: &Look) {
        let Ok(index) = Index::decode(&look.index, look.payload.len()) else { return };
        let batch = Batch::new(&look.payload, &index);
        match &self.sees {
            Sees::Shapes(shapes) => shapes.look(signal, batch),
            Sees::Drift(drift) => {
                let mut left = MOST;
                for group in batch.resources() {
                    drift.look(service(&group), |visit| each_of_some(signal, &group, &mut left, visit));
                }
            }
        }
    }

    /// What came over a link is another region's. Only collectors of this one send to its gateways without a link.
    fn is_own(&self, peer: &str) -> bool {
        match self.sees {
            Sees::Shapes(_) => true,
            Sees::Drift(_) => FromCollector::of(peer).is_some(),
        }
    }

    fn write(&self) {
        match &self.sees {
            Sees::Drift(drift) => drift.write(),
            Sees::Shapes(shapes) => shapes.write(),
        }
    }
}

fn service<'a>(group: &ResourceGroup<'a>) -> &'a str {
    let mut attributes = tollgate_otlp::attributes(group.resource(), 1);
    let name = attributes.find(|attribute| attribute.key == "service.name").map(|attribute| attribute.value);
    if let Some(ValueView::String(name)) = name { name } else { "" }
}

/// The attributes of a resource's group, as long as there are some left to look at.
fn each_of_some<'a>(
    signal: Signal,
    group: &ResourceGroup<'a>,
    left: &mut usize,
    visit: &mut dyn FnMut(Carrier, RawAttribute<'a>),
) {
    attributes::each(signal, group, &mut |carrier, attribute| {
        if *left > 0 {
            *left -= 1;
            visit(carrier, attribute);
        }
    });
}

#[cfg(test)]
mod tests;
