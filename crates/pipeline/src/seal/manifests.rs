//! Numbers the parcels of one consumer and writes what travels with each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tollgate_federation::{Manifest, NodeId, Origin, Presence, Progress, Signal};
use tollgate_runtime::{Clock, Timestamp};
use tollgate_spool::Position;

use crate::admit::attendance::Attendance;
use crate::load::Load;
use crate::send::delivery::Covers;

/// Writes the manifests of one consumer.
pub(crate) struct Manifests {
    me: NodeId,
    boot: u64,
    signal: Signal,
    home: Origin,
    next: AtomicU64,
    teller: Option<Teller>,
}

/// Tells a receiver that waits for us how far we are.
pub(crate) struct Teller {
    pub(crate) clock: Clock,
    /// None where it says no goodbye.
    pub(crate) leaving: Option<Leaving>,
    /// Those whose data we pass on: what they have not sent yet, we have not either.
    pub(crate) upstream: Option<Arc<Attendance>>,
}

impl Manifests {
    /// `home` is the origin of this region's own data; `first` keeps the numbers of several consumers apart.
    pub(crate) fn new(me: NodeId, boot: u64, signal: Signal, home: Origin, first: u64) -> Self {
        Self { me, boot, signal, home, next: AtomicU64::new(first), teller: None }
    }

    /// The same, for a receiver that waits for who lags.
    pub(crate) fn telling(self, teller: Option<Teller>) -> Self {
        Self { teller, ..self }
    }

    /// What travels with the next parcel. `oldest` is where all that its lane has not had acknowledged begins.
    pub(crate) fn next<L: Load>(&self, covers: &Covers, load: &L, oldest: Option<(Position, Timestamp)>) -> Manifest {
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
            listener: covers.listener,
            progress: self.teller.as_ref().map(|teller| teller.tell(oldest.unwrap_or((covers.from, covers.arrived.0)))),
        }
    }
}

/// Since when a consumer has ended with nothing left; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaving(Arc<AtomicU64>);

impl Leaving {
    /// Whoever has nothing left at this moment says goodbye.
    pub(crate) fn begin(&self, now: Timestamp) {
        self.0.store(now.nanos(), Ordering::Relaxed);
    }

    /// Something is left after all.
    pub(crate) fn stay(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Of a lane of which nothing is left that arrived before this.
    fn presence(&self, arrived: Timestamp) -> Presence {
        let since = self.0.load(Ordering::Relaxed);
        if since > 0 && arrived.nanos() == since { Presence::Leaves } else { Presence::Stays }
    }
}

impl Teller {
    fn tell(&self, (from, arrived): (Position, Timestamp)) -> Progress {
        let now = self.clock.now();
        let sent = self.upstream.as_ref().map_or(arrived, |upstream| arrived.min(upstream.sent_before(from)));
        let presence = self.leaving.as_ref().map(|leaving| leaving.presence(arrived)).unwrap_or_default();
        Progress { oldest_unsent: sent.min(now).nanos(), now: now.nanos(), presence }
    }
}
