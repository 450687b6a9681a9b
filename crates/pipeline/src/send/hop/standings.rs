//! Who answers: what attempts and probes told of each node of the next tier.
//!
//! Promises:
//! 1. A failed attempt ejects a node, a later one probes it, and whoever waited for its return learns of it at once.
//! 2. A node that answers and does not want what we send is up, and counted as refusing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tollgate_routing::{Backoff, EndpointHealth, Members, Standing};

use super::LONGEST_WAIT;

/// Backends belong to others and are many people's: they are left alone for longer.
pub(super) const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), LONGEST_WAIT);
/// Those who held back parts of one trace must find a restarted node at nearly the same time, or it judges the trace by
/// the part that comes first.
pub(super) const TIER_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
/// How long a stateless hop waits for the outcome of a probe before it makes another: longer than any attempt takes, or
/// a node that swallows connections would swallow every sender.
pub(super) const PROBE: Backoff = Backoff::new(Duration::from_secs(60), Duration::from_secs(60));

/// What is known of each node's health.
pub(super) struct Standings {
    backoff: Backoff,
    state: Mutex<State>,
    back: watch::Sender<()>,
}

struct State {
    health: BTreeMap<Arc<str>, EndpointHealth>,
    /// Who answers, but does not want what we send.
    refusing: BTreeSet<Arc<str>>,
    random: fastrand::Rng,
}

impl Standings {
    pub(super) fn new(backoff: Backoff) -> Self {
        let state = State { health: BTreeMap::new(), refusing: BTreeSet::new(), random: fastrand::Rng::new() };
        Self { backoff, state: Mutex::new(state), back: watch::Sender::new(()) }
    }

    /// Forgets whoever is no member any more.
    pub(super) fn retain(&self, members: &Members) {
        let state = &mut *self.lock();
        state.health.retain(|node, _| members.number(node).is_some());
        state.refusing.retain(|node| members.number(node).is_some());
    }

    /// How a node stands now; one that nobody tried yet is up. Where a probe is due, it is the caller's: to others the node
    /// is ejected until its outcome is known, or `next` has passed.
    pub(super) fn ask(&self, node: &str, now: Duration, next: &Backoff) -> Standing {
        let state = &mut *self.lock();
        let standing = state.standing(node, now);
        if let (Standing::ProbeDue { .. }, Some(health)) = (standing, state.health.get_mut(node)) {
            health.begin(now, next);
        }
        standing
    }

    /// How long others hold off while an attempt finds out whether a node is back.
    pub(super) fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// How all members stand at one moment, by their numbers.
    pub(super) fn of_all(&self, members: &Members, now: Duration) -> Vec<Standing> {
        let state = self.lock();
        members.iter().map(|node| state.standing(node, now)).collect()
    }

    /// An attempt failed. True when this is the first failure after success.
    pub(super) fn failed(&self, node: &Arc<str>, now: Duration) -> bool {
        let state = &mut *self.lock();
        let health = state.health.entry(Arc::clone(node)).or_default();
        let first = health.standing(now) == Standing::Up;
        health.failed(now, &self.backoff, &mut state.random);
        first
    }

    /// A node answered, whatever it said.
    pub(super) fn answered(&self, node: &str, now: Duration) {
        drop(self.up(node, now));
    }

    /// A node took what it was sent.
    pub(super) fn took(&self, node: &str, now: Duration) {
        self.up(node, now).refusing.remove(node);
    }

    /// A node answered that it does not want this from us.
    pub(super) fn refused(&self, node: &Arc<str>, now: Duration) {
        self.up(node, now).refusing.insert(Arc::clone(node));
    }

    /// How many nodes do not want what we send.
    pub(super) fn refusing(&self) -> usize {
        self.lock().refusing.len()
    }

    /// Tells of nodes that answer again.
    pub(super) fn watch_for_return(&self) -> watch::Receiver<()> {
        self.back.subscribe()
    }

    fn up(&self, node: &str, now: Duration) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if state.standing(node, now) != Standing::Up {
            self.back.send_replace(());
        }
        if let Some(health) = state.health.get_mut(node) {
            health.succeeded();
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn standing(&self, node: &str, now: Duration) -> Standing {
        self.health.get(node).map_or(Standing::Up, |health| health.standing(now))
    }
}
