//! Who there is: the members of the next tier as lookups saw them, and who of them owns what.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tollgate_routing::{Members, Membership, Observed, Owners, ROUTING_SEED, Seen};

/// The members of the next tier.
pub(super) struct Roll {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    /// What owners are chosen with.
    seed: u64,
    membership: Membership,
    owners: Owners,
}

impl Roll {
    /// Who is gone from the lookups' answers is a member for `leaving` more.
    pub(super) fn new(leaving: Duration) -> Self {
        let owners = Owners::new(Members::default(), ROUTING_SEED);
        let state = State { seed: ROUTING_SEED, membership: Membership::new(leaving), owners };
        Self { state: Mutex::new(state), changed: watch::Sender::new(()) }
    }

    /// Chooses owners with another seed.
    pub(super) fn seed_with(&self, seed: u64) {
        let state = &mut *self.lock();
        state.seed = seed;
        state.owners = Owners::new(state.owners.members().clone(), seed);
    }

    pub(super) fn seed(&self) -> u64 {
        self.lock().seed
    }

    /// Takes in what a lookup saw.
    pub(super) fn observe(&self, now: Duration, seen: Seen) -> Observed {
        self.change(|membership| membership.observe(now, seen))
    }

    /// Takes in who the members were when this process ended last.
    pub(super) fn remember(&self, now: Duration, members: &Members) -> Observed {
        self.change(|membership| membership.remember(now, members))
    }

    fn change(&self, change: impl FnOnce(&mut Membership) -> Observed) -> Observed {
        let state = &mut *self.lock();
        let observed = change(&mut state.membership);
        if observed == Observed::Members {
            state.owners = Owners::new(state.membership.members().clone(), state.seed);
        }
        observed
    }

    /// Tells whoever subscribed that members or addresses changed.
    pub(super) fn announce(&self) {
        self.changed.send_replace(());
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn owners(&self) -> Owners {
        self.lock().owners.clone()
    }

    pub(super) fn is_member(&self, node: &str) -> bool {
        self.lock().owners.members().number(node).is_some()
    }

    pub(super) fn address(&self, node: &str) -> Option<String> {
        self.lock().membership.address(node).map(str::to_owned)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
