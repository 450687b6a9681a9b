//! Who may take a share now: the next tier as one consumer sees it.
//!
//! Promises:
//! 1. A failed or refused attempt ejects a node; a probe brings it back, and whoever waited for it learns that at once.
//! 2. On a stateless hop the share of an ejected node goes to the next in rank at once, and one parcel at a time finds
//!    out whether the node is back; where whole traces are judged it waits for `handover_after`, so that a restart splits none.
//!
//! Not here: who there is (`roll.rs`), who answers (`standings.rs`), how a share is split (`failover.rs`).

mod failover;
mod roll;
mod standings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tollgate_federation::{Role, Signal};
use tollgate_routing::{HopKind, Members, Observed, ROUTING_SEED, Seen, Standing};
use tollgate_runtime::Clock;

use crate::load::Load;
use failover::Others;
use roll::Roll;
use standings::{BACKOFF, PROBE, Standings, TIER_BACKOFF};

/// The longest that a share waits before it is asked again who may take it.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The next tier.
pub(crate) struct Hop {
    kind: HopKind,
    signal: Signal,
    clock: Clock,
    roll: Roll,
    standings: Standings,
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
    /// A hop whose members are found by lookups; who is gone from their answers is a member for `leaving` more.
    pub(crate) fn new(kind: HopKind, leaving: Duration, signal: Signal, clock: Clock) -> Self {
        Self { kind, signal, clock, roll: Roll::new(leaving), standings: Standings::new(TIER_BACKOFF) }
    }

    /// Chooses owners as every router to a tier of this role does. Two hops that hashed alike would send all that one
    /// gateway gets to one and the same central node.
    pub(crate) fn for_role(self, role: Role) -> Self {
        self.roll.seed_with(match role {
            Role::Central => ROUTING_SEED,
            Role::Gateway | Role::Collector => ROUTING_SEED.rotate_left(32),
        });
        self
    }

    /// What owners are chosen with.
    pub(crate) fn seed(&self) -> u64 {
        self.roll.seed()
    }

    /// A hop to one place that is not a tier.
    pub(crate) fn to_one(name: &str, signal: Signal, clock: Clock) -> Self {
        let waiting = HopKind::Wait { handover_after: Duration::MAX };
        let standings = Standings::new(BACKOFF);
        let hop = Self { standings, ..Self::new(waiting, Duration::ZERO, signal, clock) };
        hop.observe(Seen::Nodes(BTreeMap::from([(name.to_owned(), String::new())])));
        hop
    }

    /// Takes in what a lookup saw.
    pub(crate) fn observe(&self, seen: Seen) {
        self.take_in(self.roll.observe(self.clock.uptime(), seen));
    }

    /// Takes in who the members were when this process ended last: a node that is away while we start stays an owner.
    pub(crate) fn remember(&self, members: &Members) {
        self.take_in(self.roll.remember(self.clock.uptime(), members));
    }

    fn take_in(&self, observed: Observed) {
        match observed {
            Observed::Nothing => return,
            Observed::Addresses => {}
            Observed::Members => self.standings.retain(&self.members()),
        }
        self.roll.announce();
    }

    /// Tells of changes of members and addresses.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.roll.subscribe()
    }

    /// Tells of nodes that answer again.
    pub(crate) fn watch_for_return(&self) -> watch::Receiver<()> {
        self.standings.watch_for_return()
    }

    /// The members now.
    pub(crate) fn members(&self) -> Members {
        self.roll.owners().members().clone()
    }

    /// Where a member was last seen.
    pub(crate) fn address(&self, node: &str) -> Option<String> {
        self.roll.address(node)
    }

    /// Where the share of `owner` goes now.
    pub(crate) fn route<L: Load>(&self, owner: &Arc<str>, load: L) -> Route<L> {
        let now = self.clock.uptime();
        if self.roll.is_member(owner) {
            // On a hop that waits, others are held up until the next probe: it comes soon.
            let next = if self.fails_over() { &PROBE } else { self.standings.backoff() };
            match self.standings.ask(owner, now, next) {
                Standing::Up | Standing::ProbeDue { .. } => return Route::Send(Arc::clone(owner), load),
                Standing::Ejected { since, until } if now < self.handover(since) => {
                    let wait = until.min(self.handover(since)).saturating_sub(now);
                    return Route::Wait(wait.min(LONGEST_WAIT), load);
                }
                Standing::Ejected { .. } => {}
            }
        }
        let owners = self.roll.owners();
        let standings = self.standings.of_all(owners.members(), now);
        failover::split(&Others { kind: self.kind, owners: &owners, standings: &standings, now }, self.signal, load)
    }

    /// When the share of a node that failed then goes to others.
    fn handover(&self, since: Duration) -> Duration {
        match self.kind {
            HopKind::FailOver => since,
            HopKind::Wait { handover_after } => since.saturating_add(handover_after),
        }
    }

    /// Whether another node may take what one did not take.
    pub(crate) fn fails_over(&self) -> bool {
        self.kind == HopKind::FailOver
    }

    /// A node took what it was sent.
    pub(crate) fn succeeded(&self, node: &str) {
        self.standings.took(node, self.clock.uptime());
    }

    /// A node blamed what it was sent: it answers.
    pub(crate) fn blamed(&self, node: &str) {
        self.standings.answered(node, self.clock.uptime());
    }

    /// A node answered that it does not want this from us.
    pub(crate) fn refused(&self, node: &Arc<str>) {
        self.standings.refused(node, self.clock.uptime());
    }

    /// How many nodes do not want what we send.
    pub(crate) fn refusing(&self) -> usize {
        self.standings.refusing()
    }

    /// An attempt failed. True when this is the first failure after success.
    pub(crate) fn failed(&self, node: &Arc<str>) -> bool {
        self.standings.failed(node, self.clock.uptime())
    }
}

#[cfg(test)]
mod tests;
