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
use tollgate_federation::{Listener, Manifest};
use tollgate_runtime::Timestamp;
use tollgate_spool::{Name, Position, Record, Ticket};
use tollgate_transport::{Receipt, SendError};

use crate::load::Load;
use crate::node::counters::ConsumerCounters;
use crate::seal::manifests::Manifests;
use crate::send::hop::{Hop, Route};
use crate::send::quarantine::Quarantine;
use crate::send::window::Window;

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
    /// What of the load the window counts, and with what it is full.
    pub(crate) bytes: usize,
}

/// A parcel of which nothing is left to do.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) ticket: Ticket,
    pub(crate) from: Position,
    pub(crate) bytes: usize,
    pub(crate) items: u64,
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

/// A part of a parcel that is not through.
struct Left<L> {
    /// Whose share it is.
    owner: Arc<str>,
    /// Who is asked now; another than the owner where that one is away.
    node: Arc<str>,
    load: L,
}

/// What all parts of a parcel have in common.
struct Way<'a, L> {
    covers: &'a Covers,
    /// Of the lane that it belongs to.
    window: &'a Window<L>,
}

impl<L> Clone for Way<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Way<'_, L> {}

/// What became of one attempt.
enum Attempt {
    Through,
    Again(Duration),
    Halve,
}

impl<D: Door> Delivery<D> {
    /// One sender of a lane: takes parcels from its window until that is closed, and then stops at once.
    pub(crate) async fn run(self: Arc<Self>, window: Window<D::Load>, done: mpsc::Sender<Delivered>) {
        while let Some(parcel) = window.next().await {
            let Parcel { ticket, owner, load, covers, bytes } = parcel;
            let delivered = Delivered { ticket, from: covers.from, bytes, items: load.items() };
            tokio::select! {
                // Cancel safe: whatever is not reported as delivered is still in the log.
                biased;
                () = window.closed() => return,
                () = self.deliver(owner, load, Way { covers: &covers, window: &window }) => {}
            }
            if done.send(delivered).await.is_err() {
                return;
            }
        }
    }

    async fn deliver(&self, owner: Arc<str>, load: D::Load, way: Way<'_, D::Load>) {
        let mut left = vec![Left { node: Arc::clone(&owner), owner, load }];
        while let Some(Left { owner, node, load }) = left.pop() {
            // From before the question on, or a return between question and wait would be missed.
            let mut back = self.hop.watch_for_return();
            match self.hop.route(&node, load) {
                Route::Send(node, load) => self.send(Left { owner, node, load }, way, &mut left).await,
                Route::Elsewhere(parts, waiting) => {
                    // What waits lies below what can go, so it is asked for again only when that is through.
                    left.extend(waiting.map(|load| Left { node: Arc::clone(&owner), owner: Arc::clone(&owner), load }));
                    left.extend(parts.into_iter().map(|(node, load)| Left { owner: Arc::clone(&owner), node, load }));
                }
                Route::Wait(wait, load) => {
                    left.push(Left { node: Arc::clone(&owner), owner, load });
                    // Either way it is asked again who may take it.
                    let _ = tokio::time::timeout(wait, back.changed()).await;
                }
            }
        }
    }

    async fn send(&self, part: Left<D::Load>, way: Way<'_, D::Load>, left: &mut Vec<Left<D::Load>>) {
        let Left { owner, node, load } = part;
        let manifest = self.manifests.next(way.covers, &load, way.window.oldest());
        let outcome = self.door.send(&node, &load, &manifest).await;
        match self.judge(&node, &load, outcome) {
            Attempt::Through => {}
            Attempt::Again(wait) => {
                // By then the owner may be back.
                left.push(Left { node: Arc::clone(&owner), owner, load });
                tokio::time::sleep(wait).await;
            }
            Attempt::Halve => match load.halve(self.counters.signal()) {
                Ok((first, second)) => left.extend([second, first].map(|load| {
                    let (owner, node) = (Arc::clone(&owner), Arc::clone(&node));
                    Left { owner, node, load }
                })),
                Err(load) => self.put_aside(Left { owner, node, load }, way.covers, left).await,
            },
        }
    }

    fn judge(&self, node: &Arc<str>, load: &D::Load, outcome: Result<Receipt, SendError>) -> Attempt {
        match outcome {
            Ok(receipt) => {
                self.hop.succeeded(node);
                self.counters.held(self.hop.refusing());
                let rejected = receipt.rejected.min(load.items());
                self.counters.sent(load.items() - rejected, load.bytes());
                self.counters.rejected(rejected);
                Attempt::Through
            }
            Err(error @ (SendError::Unreachable { .. } | SendError::Retry { .. })) => {
                self.counters.failed(load.items());
                if self.hop.failed(node) {
                    let consumer = self.counters.name();
                    tracing::warn!(consumer, %node, %error, "cannot deliver; trying again with backoff");
                }
                // Where another node may take it, only the one that refused is left alone, by its backoff.
                let wish = match error {
                    SendError::Retry { after, .. } if !self.hop.fails_over() => after,
                    _ => None,
                };
                Attempt::Again(wish.unwrap_or_default().min(LONGEST_WISH))
            }
            Err(error @ (SendError::Held { .. } | SendError::Misdirected)) => {
                self.counters.failed(load.items());
                self.hop.refused(node);
                self.counters.held(self.hop.refusing());
                tracing::error!(consumer = self.counters.name(), %node, %error, "held: this needs an operator");
                Attempt::Again(HELD)
            }
            Err(SendError::Guilty { .. }) => {
                self.hop.blamed(node);
                Attempt::Halve
            }
        }
    }

    async fn put_aside(&self, guilty: Left<D::Load>, covers: &Covers, left: &mut Vec<Left<D::Load>>) {
        let (consumer, items) = (self.counters.name(), guilty.load.items());
        match self.quarantine.keep(covers.from, &guilty.load).await {
            Ok(()) => {
                self.counters.quarantined(items);
                tracing::warn!(consumer, node = %guilty.node, items, "refused for good: in quarantine");
            }
            Err(error) => {
                tracing::error!(consumer, %error, "held");
                left.push(guilty);
                tokio::time::sleep(HELD).await;
            }
        }
    }
}

/// What a parcel covers of the log.
#[derive(Clone, Debug)]
pub(crate) struct Covers {
    pub(crate) origin: Name,
    /// By which listener of this collector all of it came, where parcels are told apart by that.
    pub(crate) listener: Option<Listener>,
    pub(crate) from: Position,
    pub(crate) to: Position,
    /// Arrival of its first and of its last record.
    pub(crate) arrived: (Timestamp, Timestamp),
}

impl Covers {
    pub(crate) fn of(record: &Record, listener: Option<Listener>) -> Self {
        let arrived = (record.arrival, record.arrival);
        Self { origin: record.origin.clone(), listener, from: record.position, to: record.end, arrived }
    }

    pub(crate) fn extend(&mut self, record: &Record) {
        self.to = record.end;
        self.arrived.1 = record.arrival;
    }
}

#[cfg(test)]
mod tests;
