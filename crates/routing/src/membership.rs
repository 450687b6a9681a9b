//! Who belongs to a tier, from what a resolver saw.
//!
//! Promises:
//! 1. A node joins when it is first seen and leaves only after it was gone for `handover_after`: a restart is no change.
//! 2. A failed lookup changes nothing; a lookup that says "nobody" counts as seeing every node gone.
//! 3. A node that comes back under another address is the same node.
//! 4. Who was a member before this process started leaves no sooner than others: a restart of the asking side is no
//!    change either.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::Members;

/// What one lookup found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// These nodes, by id, each with its address.
    Nodes(BTreeMap<String, String>),
    /// An answer that names nobody: the tier is scaled to zero.
    Empty,
    /// No answer.
    Failed,
}

/// What a lookup changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// Nothing.
    Nothing,
    /// Some node has another address; the owners are the same.
    Addresses,
    /// The set of owners: a new epoch begins.
    Members,
}

/// Whether there is anyone to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// No lookup has succeeded yet: wait, and report it as trouble.
    Unresolved,
    /// The tier is scaled to zero: wait, without alarm.
    Nobody,
    /// There are members.
    Present,
}

/// The members of one tier over time.
#[derive(Debug)]
pub struct Membership {
    handover_after: Duration,
    nodes: BTreeMap<Arc<str>, Node>,
    members: Members,
    resolved: bool,
}

#[derive(Debug)]
struct Node {
    address: Option<String>,
    gone_since: Option<Duration>,
}

impl Membership {
    /// Starts without members.
    pub fn new(handover_after: Duration) -> Self {
        Self { handover_after, nodes: BTreeMap::new(), members: Members::default(), resolved: false }
    }

    /// Takes in who the members were before this process started; none of them has an address until it is seen.
    pub fn remember(&mut self, now: Duration, members: &Members) -> Observed {
        if self.handover_after.is_zero() {
            return Observed::Nothing; // nothing is handed over: who is not seen is gone
        }
        for id in members.iter() {
            let unseen = || Node { address: None, gone_since: Some(now) };
            self.nodes.entry(Arc::from(id)).or_insert_with(unseen);
        }
        if self.update() { Observed::Members } else { Observed::Nothing }
    }

    /// Takes in what a lookup saw at `now`.
    pub fn observe(&mut self, now: Duration, seen: Seen) -> Observed {
        let present = match seen {
            Seen::Failed => return Observed::Nothing,
            Seen::Empty => BTreeMap::new(),
            Seen::Nodes(nodes) => nodes,
        };
        self.resolved = true;
        self.mark_gone(now, &present);
        let readdressed = self.admit(present);
        match (self.update(), readdressed) {
            (true, _) => Observed::Members,
            (false, true) => Observed::Addresses,
            (false, false) => Observed::Nothing,
        }
    }

    /// Whether the set of owners has changed.
    fn update(&mut self) -> bool {
        let members = Members::new(self.nodes.keys().cloned());
        let changed = members != self.members;
        self.members = members;
        changed
    }

    fn mark_gone(&mut self, now: Duration, present: &BTreeMap<String, String>) {
        let handover_after = self.handover_after;
        self.nodes.retain(|id, node| {
            if present.contains_key(id.as_ref()) {
                node.gone_since = None;
                return true;
            }
            let since = *node.gone_since.get_or_insert(now);
            now.saturating_sub(since) < handover_after
        });
    }

    fn admit(&mut self, present: BTreeMap<String, String>) -> bool {
        let mut readdressed = false;
        for (id, address) in present {
            match self.nodes.get_mut(id.as_str()) {
                Some(node) if node.address.as_ref() == Some(&address) => {}
                Some(node) => {
                    node.address = Some(address);
                    readdressed = true;
                }
                None => {
                    self.nodes.insert(id.into(), Node { address: Some(address), gone_since: None });
                }
            }
        }
        readdressed
    }

    /// The owners now: who was seen last, and who is gone for less than `handover_after`.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Whether there is anyone, and if not, why.
    pub fn presence(&self) -> Presence {
        match (self.resolved, self.members.is_empty()) {
            (false, _) => Presence::Unresolved,
            (true, true) => Presence::Nobody,
            (true, false) => Presence::Present,
        }
    }

    /// The address a member was last seen at.
    pub fn address(&self, id: &str) -> Option<&str> {
        self.nodes.get(id)?.address.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    const HANDOVER: Duration = Duration::from_secs(60);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn nodes<const N: usize>(nodes: [(&str, &str); N]) -> Seen {
        Seen::Nodes(nodes.into_iter().map(|(id, address)| (id.to_owned(), address.to_owned())).collect())
    }

    fn two_nodes() -> Membership {
        let mut membership = Membership::new(HANDOVER);
        assert_eq!(membership.observe(seconds(0), nodes([("a", "1"), ("b", "2")])), Observed::Members);
        membership
    }

    fn ids(membership: &Membership) -> Vec<&str> {
        membership.members().iter().collect()
    }

    #[test]
    fn a_node_joins_when_it_is_first_seen() {
        let mut membership = two_nodes();
        let seen = nodes([("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(membership.observe(seconds(1), seen), Observed::Members);
        assert_eq!(ids(&membership), ["a", "b", "c"]);
    }

    #[test]
    fn a_node_leaves_only_after_handover_after() {
        let mut membership = two_nodes();
        for now in [10, 69] {
            assert_eq!(membership.observe(seconds(now), nodes([("a", "1")])), Observed::Nothing);
        }
        assert_eq!(ids(&membership), ["a", "b"]);
        assert_eq!(membership.address("b"), Some("2"));
        assert_eq!(membership.observe(seconds(70), nodes([("a", "1")])), Observed::Members);
        assert_eq!(ids(&membership), ["a"]);
        assert_eq!(membership.address("b"), None);
    }

    #[test]
    fn a_node_that_comes_back_in_time_never_left() {
        let mut membership = two_nodes();
        membership.observe(seconds(10), nodes([("a", "1")]));
        assert_eq!(membership.observe(seconds(60), nodes([("a", "1"), ("b", "2")])), Observed::Nothing);
        assert_eq!(membership.observe(seconds(100), nodes([("a", "1")])), Observed::Nothing, "it is gone anew");
        assert_eq!(ids(&membership), ["a", "b"]);
    }

    #[test]
    fn another_address_of_the_same_node_changes_no_owner() {
        let mut membership = two_nodes();
        assert_eq!(membership.observe(seconds(1), nodes([("a", "9"), ("b", "2")])), Observed::Addresses);
        assert_eq!(membership.address("a"), Some("9"));
    }

    #[test]
    fn a_member_of_the_time_before_leaves_no_sooner_than_others() {
        let mut membership = Membership::new(HANDOVER);
        let before = Members::new(["a", "b"]);
        assert_eq!(membership.remember(seconds(0), &before), Observed::Members);
        assert_eq!(membership.address("b"), None);
        assert_eq!(membership.observe(seconds(1), nodes([("a", "1")])), Observed::Addresses);
        assert_eq!(ids(&membership), ["a", "b"]);
        assert_eq!(membership.remember(seconds(2), &before), Observed::Nothing, "known by now");
        assert_eq!(membership.observe(seconds(61), nodes([("a", "1")])), Observed::Members);
        assert_eq!(ids(&membership), ["a"]);
    }

    #[test]
    fn nobody_is_remembered_where_nothing_is_handed_over() {
        let mut membership = Membership::new(Duration::ZERO);
        assert_eq!(membership.remember(seconds(0), &Members::new(["a"])), Observed::Nothing);
        assert_eq!(ids(&membership), [""; 0]);
    }

    #[test]
    fn failures_keep_the_last_good_set_however_long_they_last() {
        let mut membership = two_nodes();
        for minute in 1..600 {
            assert_eq!(membership.observe(seconds(60 * minute), Seen::Failed), Observed::Nothing);
        }
        assert_eq!(ids(&membership), ["a", "b"]);
        assert_eq!(membership.presence(), Presence::Present);
    }

    #[test]
    fn scale_to_zero_leaves_nobody_but_only_after_handover_after() {
        let mut membership = two_nodes();
        assert_eq!(membership.observe(seconds(10), Seen::Empty), Observed::Nothing);
        assert_eq!(membership.presence(), Presence::Present);
        assert_eq!(membership.observe(seconds(70), Seen::Empty), Observed::Members);
        assert_eq!(membership.presence(), Presence::Nobody);
        assert_eq!(membership.observe(seconds(71), nodes([("a", "1")])), Observed::Members);
        assert_eq!(membership.presence(), Presence::Present);
    }

    #[test]
    fn before_the_first_answer_the_tier_is_unresolved_and_not_empty() {
        let mut membership = Membership::new(HANDOVER);
        assert_eq!(membership.presence(), Presence::Unresolved);
        membership.observe(seconds(1), Seen::Failed);
        assert_eq!(membership.presence(), Presence::Unresolved);
        membership.observe(seconds(2), Seen::Empty);
        assert_eq!(membership.presence(), Presence::Nobody);
    }

    proptest! {
        #[test]
        fn the_members_are_who_was_seen_within_handover_after(
            lookups in vec((1_u64..50, proptest::option::of(btree_set("[a-d]", 0..4))), 1..40),
        ) {
            let mut membership = Membership::new(HANDOVER);
            let mut model: BTreeMap<String, Option<u64>> = BTreeMap::new();
            let mut now = 0;
            for (pause, seen) in lookups {
                now += pause;
                let Some(seen) = seen else {
                    membership.observe(seconds(now), Seen::Failed);
                    continue;
                };
                for (id, gone) in &mut model {
                    *gone = if seen.contains(id) { None } else { gone.or(Some(now)) };
                }
                model.extend(seen.iter().map(|id| (id.clone(), None)));
                model.retain(|_, gone| gone.is_none_or(|since| now - since < 60));
                let found = if seen.is_empty() { Seen::Empty } else {
                    Seen::Nodes(seen.into_iter().map(|id| (id, String::new())).collect())
                };
                membership.observe(seconds(now), found);
                prop_assert_eq!(ids(&membership), model.keys().map(String::as_str).collect::<Vec<_>>());
            }
        }
    }
}
