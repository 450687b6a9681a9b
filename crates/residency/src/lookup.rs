//! Finds the answer for an attribute by its exact key: one hash, and as a rule one comparison.
//!
//! Promises:
//! 1. A key is found if and only if it was put in, whatever else hashes alike.
//! 2. Nothing that is looked up is put in, so no sender can make it slow for others.
//! 3. Equal rows make equal lookups, in whatever order they came.

use xxhash_rust::xxh3::xxh3_64;

use crate::table::{Cell, Resource, Row};

/// Where a key lies among all keys of a table: equal exactly for equal keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyNumber(u32);

impl KeyNumber {
    /// Returns it as a position, below [`Table::keys`](crate::Table::keys).
    #[inline]
    #[must_use]
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// The exact keys of a table, frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lookup {
    entries: Vec<Entry>,
    /// Open addressing, at most half full. A slot holds the upper half of a hash and the number of an entry, plus one.
    slots: Vec<(u32, u32)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: Box<[u8]>,
    server: Cell,
    device: Cell,
}

impl Lookup {
    pub(crate) fn new<'a>(rows: impl Iterator<Item = (&'a [u8], &'a Row)>) -> Self {
        let entry = |(key, row): (&[u8], &Row)| Entry { key: key.into(), server: row.server, device: row.device };
        let mut entries: Vec<Entry> = rows.map(entry).collect();
        entries.sort_unstable_by(|one, two| one.key.cmp(&two.key));
        let mut slots = vec![(0, 0); (entries.len() * 2).next_power_of_two()];
        for (number, entry) in (1_u32..).zip(&entries) {
            let hash = hash_of(&entry.key);
            let mut at = home(hash, slots.len());
            while slots.get(at).is_some_and(|slot| slot.1 != 0) {
                at = (at + 1) & (slots.len() - 1);
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = (tag(hash), number);
            }
        }
        Self { entries, slots }
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(crate) fn find(&self, key: &[u8], resource: Resource) -> Option<(Cell, KeyNumber)> {
        let hash = hash_of(key);
        let mut at = home(hash, self.slots.len());
        loop {
            let (found, number) = *self.slots.get(at)?;
            let number = number.checked_sub(1)?; // an empty slot ends the search; at most half are taken
            if found == tag(hash)
                && let Some(entry) = self.entries.get(number as usize)
                && *entry.key == *key
            {
                let cell = match resource {
                    Resource::Server => entry.server,
                    Resource::Device => entry.device,
                };
                return Some((cell, KeyNumber(number)));
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

/// Tells keys apart by all of their bytes. Up to 32 are read as two ends that meet or overlap, which takes no loop.
#[inline]
fn hash_of(key: &[u8]) -> u64 {
    let length = key.len() as u64;
    if key.len() > 32 {
        xxh3_64(key)
    } else if let (Some(head), Some(tail)) = (key.first_chunk(), key.last_chunk()) {
        let (head, tail) = (u128::from_le_bytes(*head), u128::from_le_bytes(*tail));
        fold(head ^ u128::from(length)) ^ fold(tail).rotate_left(32)
    } else if let (Some(head), Some(tail)) = (key.first_chunk(), key.last_chunk()) {
        let (head, tail) = (u64::from_le_bytes(*head), u64::from_le_bytes(*tail));
        fold(u128::from(head) << 64 | u128::from(tail ^ length))
    } else {
        let packed = key.iter().fold(length, |packed, byte| packed << 8 | u64::from(*byte));
        fold(packed.into())
    }
}

/// Multiplies both halves, so that every bit has a say in every other; the seeds are the digits of the golden ratio and
/// of the square root of two.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
fn fold(bytes: u128) -> u64 {
    let (low, high) = (bytes as u64 ^ 0x9e37_79b9_7f4a_7c15, (bytes >> 64) as u64 ^ 0x6a09_e667_f3bc_c909);
    let product = u128::from(low) * u128::from(high);
    product as u64 ^ (product >> 64) as u64
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower bits are the ones wanted")]
fn home(hash: u64, slots: usize) -> usize {
    hash as usize & (slots - 1)
}

#[inline]
fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::class::Class;
    use crate::form::Action;

    fn row(slot: u8) -> Row {
        let cell = |class| Cell { class, action: Action::Raw, slot: Some(slot) };
        Row { attribute: String::new(), server: cell(Class::Op), device: cell(Class::Quasi) }
    }

    /// Guarantees: keys that differ in one place only, at any length, do not fall together.
    #[test]
    fn every_byte_of_a_key_counts() {
        for length in 1..48 {
            let plain = vec![b'a'; length];
            let hashes: std::collections::BTreeSet<_> = (0..length)
                .flat_map(|at| (b'b'..=b'z').map(move |other| (at, other)))
                .map(|(at, other)| {
                    let mut key = plain.clone();
                    key[at] = other;
                    hash_of(&key)
                })
                .collect();
            assert_eq!(hashes.len(), length * 25, "{length}");
        }
    }

    proptest! {
        /// Guarantees: what is found is what a plain map finds, for keys that are there and for keys that are not.
        #[test]
        fn it_finds_what_a_map_finds(
            keys in prop::collection::btree_map(prop::collection::vec(b'a'..b'd', 0..24), any::<u8>(), 0..200),
            others in prop::collection::vec(prop::collection::vec(b'a'..b'd', 0..24), 50),
        ) {
            let rows: BTreeMap<Box<[u8]>, Row> = keys.iter().map(|(key, slot)| (key.clone().into(), row(*slot))).collect();
            let lookup = Lookup::new(rows.iter().map(|(key, row)| (&**key, row)));
            prop_assert_eq!(&lookup, &Lookup::new(rows.iter().rev().map(|(key, row)| (&**key, row))));
            for key in keys.keys().chain(&others) {
                let found = lookup.find(key, Resource::Server).map(|(cell, _)| cell);
                prop_assert_eq!(found, rows.get(key.as_slice()).map(|row| row.server));
                let found = lookup.find(key, Resource::Device).map(|(cell, _)| cell);
                prop_assert_eq!(found, rows.get(key.as_slice()).map(|row| row.device));
            }
            let mut numbers: Vec<_> =
                keys.keys().filter_map(|key| lookup.find(key, Resource::Server)).map(|(_, number)| number.position()).collect();
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..lookup.len()).collect::<Vec<_>>());
        }
    }
}
