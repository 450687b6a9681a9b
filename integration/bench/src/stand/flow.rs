//! What the load has sent and what has arrived at the sink: the one loop that both close together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Counts spans between a load and its sinks; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Of the spans that were sent, those that should arrive.
    due: AtomicU64,
    arrived: AtomicU64,
    moved: Notify,
    sample: Mutex<Option<Bytes>>,
}

impl Flow {
    pub(crate) fn sending(&self, due: u64) {
        self.0.due.fetch_add(due, Ordering::Relaxed);
    }

    /// Takes a message with so many spans; the first one is kept, so that somebody can look into it.
    pub(crate) fn arrive(&self, spans: u64, message: impl FnOnce() -> Bytes) {
        self.0.arrived.fetch_add(spans, Ordering::Relaxed);
        self.sample().get_or_insert_with(message);
        self.0.moved.notify_waiters();
    }

    pub(crate) fn arrived(&self) -> u64 {
        self.0.arrived.load(Ordering::Relaxed)
    }

    /// How many spans should have arrived and have not.
    pub(crate) fn lag(&self) -> u64 {
        self.0.due.load(Ordering::Relaxed).saturating_sub(self.arrived())
    }

    /// Returns when fewer than that many are on their way.
    pub(crate) async fn below(&self, most: u64) {
        loop {
            let moved = self.0.moved.notified();
            tokio::pin!(moved);
            // Registered before the look, so that what arrives in between is not missed.
            moved.as_mut().enable();
            if self.lag() < most {
                return;
            }
            moved.await;
        }
    }

    /// Forgets what was due and never came: the next run is not to wait for it.
    pub(crate) fn restart(&self) {
        self.0.due.store(self.arrived(), Ordering::Relaxed);
    }

    /// The first message since the last look.
    pub(crate) fn take_sample(&self) -> Option<Bytes> {
        self.sample().take()
    }

    fn sample(&self) -> std::sync::MutexGuard<'_, Option<Bytes>> {
        self.0.sample.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
