//! Rendezvous hashing: every member scores a key, the highest score owns it.
//!
//! Promises:
//! 1. The same set gives the same owner in every process, whatever order its ids arrived in.
//! 2. Adding a member moves only keys that it wins; removing one moves only keys that it owned.
//! 3. A lookup allocates nothing: what depends on the member alone is hashed once, when the set is built.
//!
//! Not here: weights and bounded loads. An owner that depended on load would differ between two routers.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::Members;

/// The seed every router of a federation uses. It is fixed because all must agree, and belongs to routing alone:
/// a hash shared with sampling would give one node all the traces that sampling keeps.
pub const ROUTING_SEED: u64 = 0x746f_6c6c_6761_7465;

/// A set of members, ready to own keys.
#[derive(Debug, Clone)]
pub struct Owners {
    members: Members,
    seeds: Box<[u64]>,
}

/// The members in the order in which a key prefers them; reused from key to key.
#[derive(Debug, Clone, Default)]
pub struct Rank {
    scored: Vec<(u64, usize)>,
    order: Vec<usize>,
}

impl Owners {
    /// Hashes each member's id once, so that a lookup costs one short hash a member.
    pub fn new(members: Members, seed: u64) -> Self {
        let seeds = members.iter().map(|id| xxh3_64_with_seed(id.as_bytes(), seed)).collect();
        Self { members, seeds }
    }

    /// The set these numbers refer to.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The number of the member that owns `key` (all bytes of a trace id); `None` when there is nobody.
    pub fn owner(&self, key: &[u8]) -> Option<usize> {
        let mut best: Option<(u64, usize)> = None;
        for (number, &seed) in self.seeds.iter().enumerate() {
            let score = xxh3_64_with_seed(key, seed);
            // A tie goes to the lower id, which came first; `rank` orders ties the same way.
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, number));
            }
        }
        best.map(|(_, number)| number)
    }

    /// Writes into `rank` the members in the order in which `key` prefers them, and returns them, the owner first.
    pub fn rank<'r>(&self, key: &[u8], rank: &'r mut Rank) -> &'r [usize] {
        rank.scored.clear();
        rank.scored.extend(self.seeds.iter().enumerate().map(|(number, &seed)| (xxh3_64_with_seed(key, seed), number)));
        rank.scored.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        rank.order.clear();
        rank.order.extend(rank.scored.iter().map(|&(_, number)| number));
        &rank.order
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    fn owners<'a>(ids: impl IntoIterator<Item = &'a str>) -> Owners {
        Owners::new(Members::new(ids), ROUTING_SEED)
    }

    fn named(count: usize) -> Owners {
        Owners::new(Members::new((0..count).map(|n| format!("us-east/central/{n}"))), ROUTING_SEED)
    }

    fn owner_id<'a>(owners: &'a Owners, key: &[u8]) -> &'a str {
        owners.members().id(owners.owner(key).unwrap()).unwrap()
    }

    fn largest_deviation(nodes: usize, traces: u32, key: impl Fn(u32) -> [u8; 16]) -> f64 {
        let owners = named(nodes);
        let mut loads = vec![0_u32; nodes];
        for trace in 0..traces {
            loads[owners.owner(&key(trace)).unwrap()] += 1;
        }
        let mean = f64::from(traces) / nodes as f64;
        loads.iter().map(|&load| (f64::from(load) / mean - 1.0).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn ten_nodes_carry_the_mean_within_two_percent_of_a_million_traces() {
        let mut random = fastrand::Rng::with_seed(7);
        let ids: Vec<u128> = (0..1_000_000).map(|_| random.u128(..)).collect();
        let deviation = largest_deviation(10, 1_000_000, |trace| ids[trace as usize].to_be_bytes());
        assert!(deviation < 0.02, "{deviation}");
    }

    #[test]
    fn ids_that_only_count_upwards_are_balanced_too() {
        let deviation = largest_deviation(10, 200_000, |trace| u128::from(trace).to_be_bytes());
        assert!(deviation < 0.025, "{deviation}");
    }

    #[test]
    fn nobody_owns_anything_in_an_empty_set() {
        assert_eq!(owners([]).owner(&[1; 16]), None);
        assert!(owners([]).rank(&[1; 16], &mut Rank::default()).is_empty());
    }

    #[test]
    fn the_seed_decides_so_routing_and_sampling_stay_independent() {
        let (ours, other) = (named(4), Owners::new(named(4).members().clone(), 1));
        let same = (0..4_000_u128).filter(|n| ours.owner(&n.to_be_bytes()) == other.owner(&n.to_be_bytes())).count();
        assert!((800..1_200).contains(&same), "a quarter agrees by chance, not {same}");
    }

    #[test]
    fn owners_are_frozen_across_releases() {
        // Nodes of two releases route side by side during an upgrade: a changed hash would split traces.
        let owners = named(5);
        let chosen: Vec<_> = (0..12_u128).map(|n| owners.owner(&n.to_be_bytes()).unwrap()).collect();
        assert_eq!(chosen, [2, 3, 3, 1, 2, 4, 2, 0, 4, 3, 1, 1]);
    }

    #[test]
    fn joining_moves_about_one_share_and_only_to_the_new_node() {
        let (before, after) = (named(9), named(10));
        let mut moved = 0;
        for n in 0..50_000_u128 {
            let key = n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes();
            if owner_id(&before, &key) != owner_id(&after, &key) {
                assert_eq!(owner_id(&after, &key), "us-east/central/9");
                moved += 1;
            }
        }
        assert!((4_700..5_300).contains(&moved), "about a tenth of 50,000, not {moved}");
    }

    proptest! {
        #[test]
        fn the_order_of_ids_does_not_matter(ids in btree_set("[a-z0-9/]{1,12}", 1..12), key: [u8; 16]) {
            let forward = owners(ids.iter().map(String::as_str));
            let backward = owners(ids.iter().rev().map(String::as_str));
            prop_assert_eq!(owner_id(&forward, &key), owner_id(&backward, &key));
        }

        #[test]
        fn a_newcomer_takes_only_what_it_wins(ids in btree_set("[a-z]{1,6}", 2..10), key: [u8; 16]) {
            let all: Vec<&str> = ids.iter().map(String::as_str).collect();
            let (newcomer, others) = all.split_first().unwrap();
            let (before, after) = (owners(others.iter().copied()), owners(all.iter().copied()));
            let (then, now) = (owner_id(&before, &key), owner_id(&after, &key));
            prop_assert!(then == now || now == *newcomer);
        }

        #[test]
        fn the_second_rank_is_who_owns_when_the_first_is_gone(ids in btree_set("[a-z]{1,6}", 2..10), key: [u8; 16]) {
            let owners = owners(ids.iter().map(String::as_str));
            let mut rank = Rank::default();
            let order = owners.rank(&key, &mut rank).to_vec();
            prop_assert_eq!(Some(order[0]), owners.owner(&key));
            let first = owners.members().id(order[0]).unwrap();
            let rest = Owners::new(Members::new(owners.members().iter().filter(|id| *id != first)), ROUTING_SEED);
            prop_assert_eq!(owners.members().id(order[1]), Some(owner_id(&rest, &key)));
        }

        #[test]
        fn a_rank_names_every_member_once(count in 0_usize..20, key: [u8; 16]) {
            let mut rank = Rank::default();
            let mut order = named(count).rank(&key, &mut rank).to_vec();
            order.sort_unstable();
            prop_assert_eq!(order, (0..count).collect::<Vec<_>>());
        }
    }
}
