//! The members of the next tier as one consumer sees them: who there is, who answers, and who gets a share now.
//!
//! Promises:
//! 1. A failed or refused attempt ejects a node; a probe brings it back, and whoever waited for it learns that at once.
//! 2. On a stateless hop the share of an ejected node goes to the next in rank at once, and one parcel at a time finds
//!    out whether the node is back; on the hop to central it waits for `handover_after`, so that a restart splits no trace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tollgate_federation::{Role, Signal};
use tollgate_routing::{
    Backoff, EndpointHealth, HopKind, Members, Membership, Observed, Owners, ROUTING_SEED, Rank, Seen, Standing,
    Target, target,
};
use tollgate_runtime::Clock;

use crate::load::Load;

/// Backends belong to others and are many people's: they are left alone for longer.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), LONGEST_WAIT);
/// Those who held back parts of one trace must find a restarted node at nearly the same time, or it judges the trace by
/// the part that comes first.
const TIER_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
/// The longest that a share waits before it is asked again who may take it.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a stateless hop waits for the outcome of a probe before it makes another: longer than any attempt takes, or
/// a node that swallows connections would swallow every sender.
const PROBE: Backoff = Backoff::new(Duration::from_secs(60), Duration::from_secs(60));
/// How long a tier without any member is left alone.
const NOBODY: Duration = Duration::from_millis(500);

/// The next tier.
pub(crate) struct Hop {
    kind: HopKind,
    backoff: Backoff,
    signal: Signal,
    /// What its owners are chosen with.
    seed: u64,
    clock: Clock,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    back: watch::Sender<()>,
}

struct State {
    membership: Membership,
    owners: Owners,
    health: BTreeMap<Arc<str>, EndpointHealth>,
    /// Who answers, but does not want what we send.
    refusing: BTreeSet<Arc<str>>,
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
    /// A hop whose members are found by lookups; who is gone from their answers is a member for `leaving` more.
    pub(crate) fn new(kind: HopKind, leaving: Duration, signal: Signal, clock: Clock) -> Self {
        let state = State {
            membership: Membership::new(leaving),
            owners: Owners::new(Members::default(), ROUTING_SEED),
            health: BTreeMap::new(),
            refusing: BTreeSet::new(),
            random: fastrand::Rng::new(),
        };
        Self {
            kind,
            backoff: TIER_BACKOFF,
            signal,
            seed: ROUTING_SEED,
            clock,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            back: watch::Sender::new(()),
        }
    }

    /// Chooses owners as every router to a tier of this role does. Two hops that hashed alike would send all that one
    /// gateway gets to one and the same central node.
    pub(crate) fn for_role(mut self, role: Role) -> Self {
        self.seed = match role {
            Role::Central => ROUTING_SEED,
            Role::Gateway | Role::Collector => ROUTING_SEED.rotate_left(32),
        };
        self
    }

    /// What owners are chosen with.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// A hop to one place that is not a tier.
    pub(crate) fn to_one(name: &str, signal: Signal, clock: Clock) -> Self {
        let waiting = HopKind::Wait { handover_after: Duration::MAX };
        let hop = Self { backoff: BACKOFF, ..Self::new(waiting, Duration::ZERO, signal, clock) };
        hop.observe(Seen::Nodes(BTreeMap::from([(name.to_owned(), String::new())])));
        hop
    }

    /// Takes in what a lookup saw.
    pub(crate) fn observe(&self, seen: Seen) {
        let now = self.clock.uptime();
        self.change(|membership| membership.observe(now, seen));
    }

    /// Takes in who the members were when this process ended last: a node that is away while we start stays an owner.
    pub(crate) fn remember(&self, members: &Members) {
        let now = self.clock.uptime();
        self.change(|membership| membership.remember(now, members));
    }

    fn change(&self, change: impl FnOnce(&mut Membership) -> Observed) {
        let mut state = self.lock();
        match change(&mut state.membership) {
            Observed::Nothing => return,
            Observed::Addresses => {}
            Observed::Members => {
                let members = state.membership.members().clone();
                state.health.retain(|id, _| members.number(id).is_some());
                state.refusing.retain(|id| members.number(id).is_some());
                state.owners = Owners::new(members, self.seed);
            }
        }
        drop(state);
        self.changed.send_replace(());
    }

    /// Tells of changes of members and addresses.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Tells of nodes that answer again.
    pub(crate) fn watch_for_return(&self) -> watch::Receiver<()> {
        self.back.subscribe()
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
        let (owners, standings) = {
            let mut state = self.lock();
            let is_member = state.owners.members().number(owner).is_some();
            match is_member.then(|| state.standing(owner, now)) {
                Some(Standing::Up) => return Route::Send(Arc::clone(owner), load),
                Some(Standing::ProbeDue { .. }) => {
                    // On a hop that waits, others are held up until the next probe: it comes soon.
                    let next = if self.fails_over() { &PROBE } else { &self.backoff };
                    state.begin(owner, now, next);
                    return Route::Send(Arc::clone(owner), load);
                }
                Some(Standing::Ejected { since, until }) if now < self.handover(since) => {
                    let wait = until.min(self.handover(since)).saturating_sub(now);
                    return Route::Wait(wait.min(LONGEST_WAIT), load);
                }
                Some(Standing::Ejected { .. }) | None => {}
            }
            let standings = state.owners.members().iter().map(|id| state.standing(id, now)).collect::<Vec<_>>();
            (state.owners.clone(), standings)
        };
        self.elsewhere(&owners, &standings, now, load)
    }

    /// When the share of a node that failed then goes to others.
    fn handover(&self, since: Duration) -> Duration {
        match self.kind {
            HopKind::FailOver => since,
            HopKind::Wait { handover_after } => since.saturating_add(handover_after),
        }
    }

    /// Each trace goes to the next in its own rank, so that all who fail over agree without talking to each other.
    fn elsewhere<L: Load>(&self, owners: &Owners, standings: &[Standing], now: Duration, load: L) -> Route<L> {
        let ids: Vec<Arc<str>> = owners.members().iter().map(Arc::from).collect();
        let mut rank = Rank::default();
        let mut wait = None;
        let mut part_of = |key: &[u8]| {
            // Who is missing there has not failed.
            let standing = |member: usize| standings.get(member).copied().unwrap_or(Standing::Up);
            match target(owners.rank(key, &mut rank), standing, self.kind, now) {
                Target::Send(member) => Some(member),
                Target::WaitUntil(until) => {
                    let until = until.saturating_sub(now);
                    wait = Some(wait.map_or(until, |known: Duration| known.min(until)));
                    Some(ids.len())
                }
                Target::Nobody => Some(ids.len()),
            }
        };
        let mut parts = load.split(self.signal, ids.len() + 1, &mut part_of).unwrap_or_else(|whole| {
            // What cannot be parted goes where its first trace might go; others in it may then miss their trace.
            let part = part_of(&[]);
            let mut whole = Some(whole);
            (0..=ids.len()).map(|number| if Some(number) == part { whole.take() } else { None }).collect()
        });
        let waiting = parts.pop().flatten();
        let sent: Vec<_> = ids.into_iter().zip(parts).filter_map(|(id, part)| Some((id, part?))).collect();
        match waiting {
            Some(waiting) if sent.is_empty() => Route::Wait(wait.unwrap_or(NOBODY).min(LONGEST_WAIT), waiting),
            waiting => Route::Elsewhere(sent, waiting),
        }
    }

    /// Whether another node may take what one did not take.
    pub(crate) fn fails_over(&self) -> bool {
        self.kind == HopKind::FailOver
    }

    /// A node took what it was sent.
    pub(crate) fn succeeded(&self, node: &str) {
        self.answered(node).refusing.remove(node);
    }

    /// A node blamed what it was sent: it answers.
    pub(crate) fn blamed(&self, node: &str) {
        drop(self.answered(node));
    }

    /// A node answered that it does not want this from us.
    pub(crate) fn refused(&self, node: &Arc<str>) {
        self.answered(node).refusing.insert(Arc::clone(node));
    }

    /// How many nodes do not want what we send.
    pub(crate) fn refusing(&self) -> usize {
        self.lock().refusing.len()
    }

    /// An attempt failed. True when this is the first failure after success.
    pub(crate) fn failed(&self, node: &Arc<str>) -> bool {
        let now = self.clock.uptime();
        let state = &mut *self.lock();
        let health = state.health.entry(Arc::clone(node)).or_default();
        let first = health.standing(now) == Standing::Up;
        health.failed(now, &self.backoff, &mut state.random);
        first
    }

    fn answered(&self, node: &str) -> MutexGuard<'_, State> {
        let now = self.clock.uptime();
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

    fn begin(&mut self, node: &str, now: Duration, next: &Backoff) {
        if let Some(health) = self.health.get_mut(node) {
            health.begin(now, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_runtime::{ManualClock, Timestamp};
    use tollgate_transport::Local;

    use super::*;
    use crate::rig::{self, spans};

    const HANDOVER: Duration = Duration::from_secs(60);
    const WAITING: HopKind = HopKind::Wait { handover_after: HANDOVER };

    fn hop(kind: HopKind, nodes: &[&str]) -> (Hop, ManualClock) {
        let (clock, hand) = Clock::manual(Timestamp::default());
        let leaving = if kind == WAITING { HANDOVER } else { Duration::ZERO };
        let hop = Hop::new(kind, leaving, Signal::Traces, clock);
        see(&hop, nodes);
        (hop, hand)
    }

    fn see(hop: &Hop, nodes: &[&str]) {
        hop.observe(Seen::Nodes(nodes.iter().map(|node| ((*node).to_owned(), "127.0.0.1:1".to_owned())).collect()));
    }

    /// Where a span of `owner` goes, in words.
    fn route(hop: &Hop, owner: &str) -> String {
        let to =
            |parts: Vec<(Arc<str>, Local)>| parts.into_iter().map(|(node, _)| node.to_string()).collect::<String>();
        match hop.route(&owner.into(), rig::local(spans([1]))) {
            Route::Send(node, _) => format!("to {node}"),
            Route::Elsewhere(parts, None) => format!("elsewhere, to {}", to(parts)),
            Route::Elsewhere(..) => "in parts".to_owned(),
            Route::Wait(..) => "waits".to_owned(),
        }
    }

    fn wait(hop: &Hop, owner: &str) -> Duration {
        match hop.route(&owner.into(), rig::local(spans([1]))) {
            Route::Wait(wait, _) => wait,
            Route::Send(..) | Route::Elsewhere(..) => panic!("it need not wait"),
        }
    }

    #[test]
    fn one_parcel_finds_out_whether_a_node_is_back() {
        let (hop, hand) = hop(HopKind::FailOver, &["a", "b"]);
        assert!(hop.failed(&"a".into()), "this is news");
        assert!(!hop.failed(&"a".into()), "this is none");
        assert_eq!(route(&hop, "a"), "elsewhere, to b");
        hand.advance(BACKOFF.ceiling(1));
        assert_eq!(route(&hop, "a"), "to a");
        hand.advance(LONGEST_WAIT);
        assert_eq!(route(&hop, "a"), "elsewhere, to b", "the outcome of the probe is awaited");
        hop.succeeded("a");
        assert_eq!(route(&hop, "a"), "to a");
    }

    #[test]
    fn an_outcome_that_is_never_told_does_not_shut_a_node_out() {
        let (hop, hand) = hop(HopKind::FailOver, &["a", "b"]);
        hop.failed(&"a".into());
        hand.advance(BACKOFF.ceiling(1));
        assert_eq!(route(&hop, "a"), "to a");
        hand.advance(PROBE.ceiling(1));
        assert_eq!(route(&hop, "a"), "to a");
    }

    #[test]
    fn nobody_waits_longer_than_a_few_seconds_before_asking_again() {
        let (hop, hand) = hop(HopKind::FailOver, &["a"]);
        hop.failed(&"a".into());
        hand.advance(BACKOFF.ceiling(1));
        assert_eq!(route(&hop, "a"), "to a");
        assert_eq!(wait(&hop, "a"), LONGEST_WAIT, "while the only node is being probed");
        let (empty, _) = self::hop(HopKind::FailOver, &[]);
        assert_eq!(wait(&empty, "a"), NOBODY);
    }

    #[test]
    fn a_waiting_hop_hands_over_when_its_time_has_come() {
        let (hop, hand) = hop(WAITING, &["a", "b"]);
        hop.failed(&"a".into());
        hand.advance(BACKOFF.ceiling(1));
        assert_eq!(route(&hop, "a"), "to a");
        hop.failed(&"a".into());
        assert_eq!(route(&hop, "a"), "waits");
        hand.advance(HANDOVER - BACKOFF.ceiling(1));
        hop.lock().begin("a", HANDOVER, &TIER_BACKOFF); // somebody probes it just now
        assert_eq!(route(&hop, "a"), "elsewhere, to b");
    }

    #[test]
    fn a_member_that_is_away_while_we_start_stays_an_owner() {
        let (clock, hand) = Clock::manual(Timestamp::default());
        let hop = Hop::new(WAITING, HANDOVER, Signal::Traces, clock);
        hop.remember(&Members::new(["a", "b"]));
        see(&hop, &["a"]);
        assert_eq!(hop.members(), Members::new(["a", "b"]));
        assert_eq!((hop.address("a").as_deref(), hop.address("b")), (Some("127.0.0.1:1"), None));
        hand.advance(HANDOVER);
        see(&hop, &["a"]);
        assert_eq!(hop.members(), Members::new(["a"]));
    }

    #[test]
    fn who_left_refuses_nobody_any_more() {
        let (hop, hand) = hop(WAITING, &["a", "b"]);
        hop.refused(&"a".into());
        hop.refused(&"b".into());
        hop.succeeded("b");
        assert_eq!(hop.refusing(), 1);
        see(&hop, &["b"]);
        hand.advance(HANDOVER);
        see(&hop, &["b"]);
        assert_eq!(hop.refusing(), 0);
    }

    #[test]
    fn one_place_that_is_no_tier_is_waited_for_without_end() {
        let (clock, hand) = Clock::manual(Timestamp::default());
        let hop = Hop::to_one("tempo", Signal::Traces, clock);
        hop.failed(&"tempo".into());
        assert!(wait(&hop, "tempo") <= BACKOFF.ceiling(1));
        hand.advance(Duration::from_secs(365 * 24 * 3600));
        assert_eq!(route(&hop, "tempo"), "to tempo");
    }
}
