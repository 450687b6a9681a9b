//! Finds a trace's sequence number by its id, in a table of cache lines whose entries die by age.
//!
//! Promises:
//! 1. Nothing is ever deleted: an entry is dead once its number is below the oldest that is alive, and is overwritten.
//! 2. An entry that is alive is found, as long as no more than the promised number are alive at once.
//! 3. A lookup that finds nothing usually touches one cache line; the caller compares whole ids, so tags may collide.

/// Entries a bucket holds; with the overflow number behind them they fill one cache line.
const SLOTS: usize = 7;
/// Sequence numbers have 48 bits: nine years at a million traces a second.
const NUMBER: u64 = (1 << 48) - 1;

/// A table from hashes to sequence numbers, which start at 1.
#[derive(Debug)]
pub(super) struct Index {
    /// Plain numbers: memory that the system gives as zeros is taken as it is, and not touched before it is needed.
    /// Allocators begin what is as large as this with a page or a cache line; if one did not, a bucket would lie on two.
    buckets: Box<[Bucket]>,
}

/// Slots, each with 16 bits of the hash above 48 of the sequence number, zero if it was never used; then the last number
/// that found this bucket full and went on to the next.
type Bucket = [u64; SLOTS + 1];

fn parts([slots @ .., overflow]: &Bucket) -> (&[u64; SLOTS], u64) {
    (slots, *overflow)
}

impl Index {
    /// A table for at most this many entries alive at once, three fifths full then. It never grows.
    pub(super) fn new(alive: usize) -> Self {
        let slots = alive.saturating_mul(5).div_ceil(3);
        Self { buckets: vec![[0; SLOTS + 1]; slots.div_ceil(SLOTS).max(1)].into_boxed_slice() }
    }

    /// Fetches the cache lines that these hashes belong to, many at a time: looked up one after the other, each would be
    /// waited for alone.
    pub(super) fn warm(&self, hashes: impl Iterator<Item = u64>) {
        let line = |hash| self.buckets.get(self.home(hash)).map_or(0, |bucket| parts(bucket).1);
        std::hint::black_box(hashes.fold(0, |lines, hash| lines ^ line(hash)));
    }

    /// The number of an entry not older than `oldest` with this hash that `is` the one looked for.
    pub(super) fn find(&self, hash: u64, oldest: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
        for (slots, overflow) in self.probe(hash).map(parts) {
            let found = slots.iter().find(|slot| {
                let number = **slot & NUMBER;
                number >= oldest && tag(**slot) == tag(hash) && is(number)
            });
            if let Some(slot) = found {
                return Some(slot & NUMBER);
            }
            if overflow < oldest {
                return None;
            }
        }
        None
    }

    /// Adds an entry. Its number is higher than all before it.
    pub(super) fn insert(&mut self, hash: u64, oldest: u64, number: u64) {
        let home = self.home(hash);
        let (before, from_home) = self.buckets.split_at_mut(home);
        for bucket in from_home.iter_mut().chain(before) {
            let [slots @ .., overflow] = bucket;
            if let Some(slot) = slots.iter_mut().find(|slot| **slot & NUMBER < oldest) {
                *slot = hash & !NUMBER | number & NUMBER;
                return;
            }
            *overflow = number;
        }
    }

    /// All buckets, the one this hash belongs to first.
    fn probe(&self, hash: u64) -> impl Iterator<Item = &Bucket> {
        let (before, from_home) = self.buckets.split_at(self.home(hash));
        from_home.iter().chain(before)
    }

    /// Spreads the low 48 bits over the buckets; the tag has the high ones.
    fn home(&self, hash: u64) -> usize {
        let wide = u128::from(hash & NUMBER) * self.buckets.len() as u128;
        usize::try_from(wide >> 48).unwrap_or(0)
    }
}

#[cfg(test)]
impl Index {
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }
}

const fn tag(slot: u64) -> u64 {
    slot >> 48
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_is_one_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }

    #[test]
    fn an_entry_is_dead_once_it_is_older_than_the_oldest() {
        let mut index = Index::new(4);
        index.insert(77, 1, 1);
        assert_eq!(index.find(77, 1, |_| true), Some(1));
        assert_eq!(index.find(77, 2, |_| true), None);
    }

    #[test]
    fn dead_entries_make_room_for_ever() {
        let mut index = Index::new(5);
        for number in 1..100_000_u64 {
            let oldest = number.saturating_sub(4).max(1);
            index.insert(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), oldest, number);
            for alive in oldest..=number {
                assert_eq!(
                    index.find(alive.wrapping_mul(0x9e37_79b9_7f4a_7c15), oldest, |found| found == alive),
                    Some(alive)
                );
            }
        }
    }

    proptest! {
        /// Hashes from a tiny range collide all the time, so buckets overflow into each other.
        #[test]
        fn what_is_alive_is_found_whatever_collides(
            hashes in vec(prop_oneof![0_u64..4, any::<u64>()], 1..300), alive in 1_usize..40,
        ) {
            let mut index = Index::new(alive);
            let mut model = VecDeque::new();
            for (number, hash) in (1..).zip(hashes) {
                if model.len() == alive {
                    model.pop_front();
                }
                let oldest = model.front().map_or(number, |(number, _)| *number);
                index.insert(hash, oldest, number);
                model.push_back((number, hash));
                for (number, hash) in &model {
                    prop_assert_eq!(index.find(*hash, oldest, |found| found == *number), Some(*number));
                }
            }
        }
    }
}
