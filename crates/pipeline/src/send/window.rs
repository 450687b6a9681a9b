//! What is on its way to one lane: bounded by credit, emptied by the lane's senders.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tollgate_runtime::Timestamp;
use tollgate_spool::Position;

use crate::load::Load;
use crate::send::delivery::Parcel;

/// The parcels of one lane that are sent or wait for a sender; clones share it.
pub(crate) struct Window<L>(Arc<Shared<L>>);

struct Shared<L> {
    state: Mutex<State<L>>,
    /// Wakes one sender that has nothing to do.
    changed: Notify,
    /// Wakes all senders, also those at work.
    closing: Notify,
}

struct State<L> {
    waiting: VecDeque<Parcel<L>>,
    /// Bytes not yet acknowledged, those waiting included.
    bytes: usize,
    items: u64,
    /// Where what is not yet acknowledged begins, with the arrival of its first record and the number of its parcels.
    begins: BTreeMap<Position, (Timestamp, usize)>,
    closed: bool,
}

impl<L> Clone for Window<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L: Load> Window<L> {
    pub(crate) fn new() -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, items: 0, begins: BTreeMap::new(), closed: false };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Notify::new(), closing: Notify::new() }))
    }

    /// Hands a parcel to the senders.
    pub(crate) fn send(&self, parcel: Parcel<L>) {
        let mut state = self.lock();
        state.bytes += parcel.bytes;
        state.items += parcel.load.items();
        state.begins.entry(parcel.covers.from).or_insert((parcel.covers.arrived.0, 0)).1 += 1;
        state.waiting.push_back(parcel);
        drop(state);
        self.0.changed.notify_one();
    }

    /// A parcel was acknowledged.
    pub(crate) fn settle(&self, from: Position, bytes: usize, items: u64) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        state.items = state.items.saturating_sub(items);
        if let Some((_, parcels)) = state.begins.get_mut(&from) {
            *parcels -= 1;
            if *parcels == 0 {
                state.begins.remove(&from);
            }
        }
    }

    /// Where the oldest that is not yet acknowledged begins, and when it arrived; none if all is.
    pub(crate) fn oldest(&self) -> Option<(Position, Timestamp)> {
        self.lock().begins.first_key_value().map(|(from, (arrived, _))| (*from, *arrived))
    }

    /// Bytes not yet acknowledged.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Items not yet acknowledged.
    pub(crate) fn items(&self) -> u64 {
        self.lock().items
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

    /// Returns when the window is closed. Cancel safe.
    pub(crate) async fn closed(&self) {
        // Made before the look: a close after that look wakes it.
        let closing = self.0.closing.notified();
        if !self.lock().closed {
            closing.await;
        }
    }

    /// Ends the senders; what still waits is dropped here and stays in the log.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        drop(state);
        self.0.changed.notify_waiters();
        self.0.closing.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State<L>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tollgate_runtime::TaskGroup;
    use tollgate_spool::{Lanes, Position};
    use tollgate_transport::Local;

    use super::*;
    use crate::rig::{self, spans};

    fn parcel(lanes: &mut Lanes, lane: usize) -> Parcel<Local> {
        let ticket = lanes.sent(lane, Position::ZERO, Position::ZERO).unwrap();
        let load = rig::local(spans([1]));
        Parcel { ticket, owner: "a".into(), covers: rig::covers(5), bytes: load.bytes(), load }
    }

    async fn take(window: Window<Local>, taken: Arc<AtomicUsize>) {
        while window.next().await.is_some() {
            taken.fetch_add(1, Ordering::Relaxed);
            // At work it listens for the end too.
            tokio::select! {
                () = window.closed() => return,
                () = tokio::time::sleep(Duration::from_millis(3)) => {}
            }
        }
    }

    /// Scenario: many parcels are handed over at once and one by one, to senders that are idle or at work. Guarantees: each
    /// is taken, whoever was told of it.
    #[tokio::test(start_paused = true)]
    async fn no_wake_up_is_lost() {
        let (window, tasks, taken) = (Window::<Local>::new(), TaskGroup::new(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..4 {
            tasks.spawn("sender", take(window.clone(), Arc::clone(&taken)));
        }
        let mut lanes = Lanes::new();
        let lane = lanes.join(Position::ZERO);
        let mut sent = 0;
        for burst in [1, 7, 1, 2, 30, 1] {
            for _ in 0..burst {
                window.send(parcel(&mut lanes, lane));
            }
            sent += burst;
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(taken.load(Ordering::Relaxed), sent);
        }
        window.close();
        assert!(tasks.wait(Duration::from_secs(1)).await.is_ok(), "closing wakes all");
        assert!(window.next().await.is_none());
        window.closed().await;
    }

    #[test]
    fn credit_comes_back_with_the_acknowledgement() {
        let (window, mut lanes) = (Window::new(), Lanes::new());
        let lane = lanes.join(Position::ZERO);
        let first = parcel(&mut lanes, lane);
        let (bytes, arrived) = (first.bytes, first.covers.arrived.0);
        let from = first.covers.from;
        assert_eq!(window.oldest(), None);
        window.send(first);
        window.send(parcel(&mut lanes, lane));
        assert_eq!((window.bytes(), window.items()), (2 * bytes, 2));
        assert_eq!(window.oldest(), Some((from, arrived)));
        let settle = || {
            window.settle(from, bytes, 1);
            (window.bytes(), window.items(), window.oldest())
        };
        assert_eq!(settle(), (bytes, 1, Some((from, arrived))), "another one begins there");
        assert_eq!(settle(), (0, 0, None));
    }
}
