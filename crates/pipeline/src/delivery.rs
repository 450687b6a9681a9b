//! Gets one parcel through: to its owner, elsewhere, again later, in halves, or into quarantine.
//!
//! Promises:
//! 1. A parcel is reported delivered only when every item of it was acknowledged, or lies in quarantine.
//! 2. Trouble with peer or network means again, for ever, with jittered backoff; the log waits.
//! 3. A refusal for what we sent narrows down to the guilty item; one bad item never blocks the rest.
//! 4. A refusal for who we are holds the lane and says so; nothing is dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tollgate_federation::Manifest;
use tollgate_runtime::Timestamp;
use tollgate_spool::{Name, Position, Record, Ticket};
use tollgate_transport::{Receipt, SendError};

use crate::counters::ConsumerCounters;
use crate::hop::{Hop, Route};
use crate::load::Load;
use crate::manifests::Manifests;
use crate::quarantine::Quarantine;
use crate::window::Window;

/// How long a lane waits after a refusal that only people can mend.
const HELD: Duration = Duration::from_secs(5);
/// The longest that a peer's wish to wait is honoured.
const LONGEST_WISH: Duration = Duration::from_secs(30);

/// A request for one lane, with what it covers of the log.
pub(crate) struct Parcel<L> {
    pub(crate) ticket: Ticket,
    pub(crate) owner: Arc<str>,
    pub(crate) load: L,
    pub(crate) covers: Covers,
    /// What the window counts; fixed when the parcel is handed over.
    pub(crate) bytes: usize,
}

/// A parcel of which nothing is left to do.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) ticket: Ticket,
    pub(crate) bytes: usize,
}

/// The only way out: each implementation takes one kind of load. Built in `doors.rs`.
pub(crate) trait Door: Send + Sync + 'static {
    /// What may go through.
    type Load: Load;

    /// Sends once.
    fn send(
        &self,
        node: &Arc<str>,
        load: &Self::Load,
        manifest: &Manifest,
    ) -> impl Future<Output = Result<Receipt, SendError>> + Send;
}

/// Delivers the parcels of one consumer.
pub(crate) struct Delivery<D: Door> {
    pub(crate) door: D,
    pub(crate) hop: Arc<Hop>,
    pub(crate) manifests: Manifests,
    pub(crate) quarantine: Quarantine,
    pub(crate) counters: Arc<ConsumerCounters>,
}

/// What became of one attempt.
enum Attempt {
    Through,
    Again(Duration),
    Halve,
}

impl<D: Door> Delivery<D> {
    /// One sender of a lane: takes parcels from its window until that is closed.
    pub(crate) async fn run(self: Arc<Self>, window: Window<D::Load>, done: mpsc::Sender<Delivered>) {
        while let Some(parcel) = window.next().await {
            let Parcel { ticket, owner, load, covers, bytes } = parcel;
            self.deliver(owner, load, &covers).await;
            if done.send(Delivered { ticket, bytes }).await.is_err() {
                return;
            }
        }
    }

    async fn deliver(&self, owner: Arc<str>, load: D::Load, covers: &Covers) {
        let mut left = vec![(owner, load)];
        while let Some((owner, load)) = left.pop() {
            match self.hop.route(&owner, load) {
                Route::Send(node, load) => self.send(node, load, covers, &mut left).await,
                Route::Elsewhere(parts, waiting) => {
                    // What waits lies below what can go, so it is asked for again only when that is through.
                    left.extend(waiting.map(|load| (owner, load)));
                    left.extend(parts);
                }
                Route::Wait(wait, load) => {
                    left.push((owner, load));
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn send(&self, node: Arc<str>, load: D::Load, covers: &Covers, left: &mut Vec<(Arc<str>, D::Load)>) {
        let manifest = self.manifests.next(covers, &load);
        let outcome = self.door.send(&node, &load, &manifest).await;
        match self.judge(&node, &load, outcome) {
            Attempt::Through => {}
            Attempt::Again(wait) => {
                left.push((node, load));
                tokio::time::sleep(wait).await;
            }
            Attempt::Halve => match load.halve(self.counters.signal()) {
                Ok((first, second)) => left.extend([(Arc::clone(&node), second), (node, first)]),
                Err(guilty) => self.put_aside(guilty, covers, left, node).await,
            },
        }
    }

    fn judge(&self, node: &Arc<str>, load: &D::Load, outcome: Result<Receipt, SendError>) -> Attempt {
        match outcome {
            Ok(receipt) => {
                self.hop.succeeded(node);
                self.counters.sent(load.items().saturating_sub(receipt.rejected), load.bytes());
                self.counters.rejected(receipt.rejected);
                Attempt::Through
            }
            Err(error @ (SendError::Unreachable { .. } | SendError::Retry { .. })) => {
                self.counters.failed(load.items());
                if self.hop.failed(node) {
                    let consumer = self.counters.name();
                    tracing::warn!(consumer, %node, %error, "cannot deliver; trying again with backoff");
                }
                let wish = if let SendError::Retry { after, .. } = error { after } else { None };
                Attempt::Again(wish.unwrap_or_default().min(LONGEST_WISH))
            }
            Err(error @ (SendError::Held { .. } | SendError::Misdirected)) => {
                self.counters.failed(load.items());
                self.counters.held();
                tracing::error!(consumer = self.counters.name(), %node, %error, "held: this needs an operator");
                Attempt::Again(HELD)
            }
            Err(SendError::Guilty { .. }) => Attempt::Halve,
        }
    }

    async fn put_aside(&self, guilty: D::Load, covers: &Covers, left: &mut Vec<(Arc<str>, D::Load)>, node: Arc<str>) {
        match self.quarantine.keep(covers.from, &guilty) {
            Ok(()) => {
                self.counters.quarantined(guilty.items());
                tracing::warn!(consumer = self.counters.name(), %node, "refused for good: one item is in quarantine");
            }
            Err(error) => {
                tracing::error!(consumer = self.counters.name(), %error, "held");
                left.push((node, guilty));
                tokio::time::sleep(HELD).await;
            }
        }
    }
}

/// What a parcel covers of the log.
#[derive(Clone, Debug)]
pub(crate) struct Covers {
    pub(crate) origin: Name,
    pub(crate) from: Position,
    pub(crate) to: Position,
    /// Arrival of its first and of its last record.
    pub(crate) arrived: (Timestamp, Timestamp),
}

impl Covers {
    pub(crate) fn of(record: &Record) -> Self {
        let arrived = (record.arrival, record.arrival);
        Self { origin: record.origin.clone(), from: record.position, to: record.end, arrived }
    }

    pub(crate) fn extend(&mut self, record: &Record) {
        self.to = record.end;
        self.arrived.1 = record.arrival;
    }
}
