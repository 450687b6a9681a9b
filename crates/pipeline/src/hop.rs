//! The members of the next tier as one consumer sees them: who there is, who answers, and who gets a share now.
//!
//! Promises:
//! 1. A failed or refused attempt ejects a node; a probe brings it back.
//! 2. On a stateless hop the share of an ejected node goes to the next in rank at once; on the hop to central it waits
//!    for `handover_after`, so that a restart splits no trace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tollgate_federation::Signal;
use tollgate_routing::{
    Backoff, EndpointHealth, HopKind, Members, Membership, Observed, Owners, ROUTING_SEED, Rank, Seen, Standing,
    Target, target,
};
use tollgate_runtime::Clock;

use crate::load::Load;

/// Restarts take seconds: a longest wait of five keeps the traffic close behind them.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// How long a tier without any member is left alone.
const NOBODY: Duration = Duration::from_millis(500);

/// The next tier.
pub(crate) struct Hop {
    kind: HopKind,
    signal: Signal,
    clock: Clock,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    membership: Membership,
    owners: Owners,
    health: BTreeMap<Arc<str>, EndpointHealth>,
    random: fastrand::Rng,
}

/// What to do with a share now.
pub(crate) enum Route<L> {
    /// Send it to this node.
    Send(Arc<str>, L),
    /// Send each part to another node than its owner; the rest may go nowhere yet.
    Elsewhere(Vec<(Arc<str>, L)>, Option<L>),
    /// Nobody may take it yet.
    Wait(Duration, L),
}

impl Hop {
    /// A hop whose members are found by lookups.
    pub(crate) fn new(kind: HopKind, signal: Signal, clock: Clock) -> Self {
        // A stateless hop has nothing to hand over: who is gone from the answer is gone.
        let handover_after = match kind {
            HopKind::FailOver => Duration::ZERO,
            HopKind::Wait { handover_after } => handover_after,
        };
        let state = State {
            membership: Membership::new(handover_after),
            owners: Owners::new(Members::default(), ROUTING_SEED),
            health: BTreeMap::new(),
            random: fastrand::Rng::new(),
        };
        Self { kind, signal, clock, state: Mutex::new(state), changed: watch::Sender::new(()) }
    }

    /// A hop to one place that is not a tier.
    pub(crate) fn to_one(name: &str, signal: Signal, clock: Clock) -> Self {
        let hop = Self::new(HopKind::Wait { handover_after: Duration::MAX }, signal, clock);
        hop.observe(Seen::Nodes(BTreeMap::from([(name.to_owned(), String::new())])));
        hop
    }

    /// Takes in what a lookup saw.
    pub(crate) fn observe(&self, seen: Seen) {
        let now = self.clock.uptime();
        let mut state = self.lock();
        match state.membership.observe(now, seen) {
            Observed::Nothing => return,
            Observed::Addresses => {}
            Observed::Members => {
                let members = state.membership.members().clone();
                state.health.retain(|id, _| members.number(id).is_some());
                state.owners = Owners::new(members, ROUTING_SEED);
            }
        }
        drop(state);
        self.changed.send_replace(());
    }

    /// Tells of changes of members and addresses.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The members now.
    pub(crate) fn members(&self) -> Members {
        self.lock().owners.members().clone()
    }

    /// Where a member was last seen.
    pub(crate) fn address(&self, node: &str) -> Option<String> {
        self.lock().membership.address(node).map(str::to_owned)
    }

    /// Where the share of `owner` goes now.
    pub(crate) fn route<L: Load>(&self, owner: &Arc<str>, load: L) -> Route<L> {
        let now = self.clock.uptime();
        let mut state = self.lock();
        if state.owners.members().number(owner).is_some() {
            match state.standing(owner, now) {
                Standing::Up => return Route::Send(Arc::clone(owner), load),
                Standing::ProbeDue { .. } if state.begin(owner, now) => return Route::Send(Arc::clone(owner), load),
                Standing::ProbeDue { .. } => return Route::Wait(BACKOFF.ceiling(1), load),
                Standing::Ejected { since, until } => {
                    if let Some(wait) = self.wait_for_owner(since, until, now) {
                        return Route::Wait(wait, load);
                    }
                }
            }
        }
        state.elsewhere(self, now, load)
    }

    fn wait_for_owner(&self, since: Duration, until: Duration, now: Duration) -> Option<Duration> {
        let HopKind::Wait { handover_after } = self.kind else { return None };
        let handover = since.saturating_add(handover_after);
        (now < handover).then(|| until.min(handover).saturating_sub(now))
    }

    /// An attempt got through.
    pub(crate) fn succeeded(&self, node: &str) {
        if let Some(health) = self.lock().health.get_mut(node) {
            health.succeeded();
        }
    }

    /// An attempt failed. True when this is the first failure after success.
    pub(crate) fn failed(&self, node: &Arc<str>) -> bool {
        let now = self.clock.uptime();
        let state = &mut *self.lock();
        let health = state.health.entry(Arc::clone(node)).or_default();
        let first = health.standing(now) == Standing::Up;
        health.failed(now, &BACKOFF, &mut state.random);
        first
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn standing(&self, node: &str, now: Duration) -> Standing {
        self.health.get(node).map_or(Standing::Up, |health| health.standing(now))
    }

    fn begin(&mut self, node: &str, now: Duration) -> bool {
        self.health.get_mut(node).is_none_or(|health| health.begin(now, &BACKOFF))
    }

    /// Each trace goes to the next in its own rank, so that all who fail over agree without talking to each other.
    fn elsewhere<L: Load>(&self, hop: &Hop, now: Duration, load: L) -> Route<L> {
        let ids: Vec<Arc<str>> = self.owners.members().iter().map(Arc::from).collect();
        let standings: Vec<Standing> = ids.iter().map(|id| self.standing(id, now)).collect();
        let mut rank = Rank::default();
        let mut wait = None;
        let mut parts = load.split(hop.signal, ids.len() + 1, &mut |key| match target(
            self.owners.rank(key, &mut rank),
            |member| standings[member],
            hop.kind,
            now,
        ) {
            Target::Send(member) => Some(member),
            Target::WaitUntil(until) => {
                let until = until.saturating_sub(now);
                wait = Some(wait.map_or(until, |known: Duration| known.min(until)));
                Some(ids.len())
            }
            Target::Nobody => Some(ids.len()),
        });
        let waiting = parts.pop().flatten();
        let sent: Vec<_> = ids.into_iter().zip(parts).filter_map(|(id, part)| Some((id, part?))).collect();
        match waiting {
            Some(waiting) if sent.is_empty() => Route::Wait(wait.unwrap_or(NOBODY), waiting),
            waiting => Route::Elsewhere(sent, waiting),
        }
    }
}
