//! What is on its way to one lane: bounded by credit, emptied by the lane's senders.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::delivery::Parcel;
use crate::load::Load;

/// The parcels of one lane that are sent or wait for a sender; clones share it.
pub(crate) struct Window<L>(Arc<Shared<L>>);

struct Shared<L> {
    state: Mutex<State<L>>,
    changed: Notify,
}

struct State<L> {
    waiting: VecDeque<Parcel<L>>,
    /// Bytes not yet acknowledged, those waiting included.
    bytes: usize,
    closed: bool,
}

impl<L> Clone for Window<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L: Load> Window<L> {
    pub(crate) fn new() -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, closed: false };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() }))
    }

    /// Hands a parcel to the senders.
    pub(crate) fn send(&self, parcel: Parcel<L>) {
        let mut state = self.lock();
        state.bytes += parcel.bytes;
        state.waiting.push_back(parcel);
        drop(state);
        self.0.changed.notify_one();
    }

    /// A parcel of that size was acknowledged.
    pub(crate) fn settle(&self, bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Bytes not yet acknowledged.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The next parcel to send; `None` when the window is closed. Cancel safe.
    pub(crate) async fn next(&self) -> Option<Parcel<L>> {
        loop {
            let changed = self.0.changed.notified();
            {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                if let Some(parcel) = state.waiting.pop_front() {
                    // More may wait than one wake-up told of.
                    self.0.changed.notify_one();
                    return Some(parcel);
                }
            }
            changed.await;
        }
    }

    /// Ends the senders; what still waits is dropped here and stays in the log.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        drop(state);
        self.0.changed.notify_waiters();
        self.0.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State<L>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
