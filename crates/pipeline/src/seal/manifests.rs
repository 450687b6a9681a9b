//! Numbers the parcels of one consumer and writes what travels with each of them.

use std::sync::atomic::{AtomicU64, Ordering};

use tollgate_federation::{Manifest, NodeId, Origin, Signal};

use crate::load::Load;
use crate::send::delivery::Covers;

/// Writes the manifests of one consumer.
pub(crate) struct Manifests {
    me: NodeId,
    boot: u64,
    signal: Signal,
    home: Origin,
    next: AtomicU64,
}

impl Manifests {
    /// `home` is the origin of this region's own data; `first` keeps the numbers of several consumers apart.
    pub(crate) fn new(me: NodeId, boot: u64, signal: Signal, home: Origin, first: u64) -> Self {
        Self { me, boot, signal, home, next: AtomicU64::new(first) }
    }

    /// What travels with the next parcel.
    pub(crate) fn next<L: Load>(&self, covers: &Covers, load: &L) -> Manifest {
        Manifest {
            node: self.me.clone(),
            boot: self.boot,
            parcel: self.next.fetch_add(1, Ordering::Relaxed),
            // Every origin in the log was written by `admit` from an `Origin`; another release's falls to the strictest: ours.
            origin: covers.origin.as_str().parse().unwrap_or_else(|_| self.home.clone()),
            policy: load.policy(),
            in_force: load.in_force(),
            signal: self.signal,
            items: u32::try_from(load.items()).unwrap_or(u32::MAX),
            interval: (covers.arrived.0.nanos(), covers.arrived.1.nanos()),
            positions: (covers.from.value(), covers.to.value()),
            oldest_unsent: Some(covers.arrived.0.nanos()),
        }
    }
}
