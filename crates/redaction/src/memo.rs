//! Names given lately, so that a value which stands in every span of a trace is hashed once.
//!
//! Promises:
//! 1. A name is given back for the very value it was made for, compared as a whole.
//! 2. It is bounded, and values are wiped when all is forgotten; until then the next ones overwrite them.
//! 3. Which values push each other out cannot be foreseen from outside.

use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zeroize::Zeroize;

use crate::same::is_same;

/// Longer values are not remembered.
pub(crate) const VALUE_BYTES: usize = 72;
/// 128 bits in base32.
pub(crate) const NAME_BYTES: usize = 26;
/// Where a value can lie: in one of two places, from which the older one goes.
const SETS: usize = 2048;
const WAYS: usize = 2;

pub(crate) type Name = [u8; NAME_BYTES];

/// Values with the names they were given.
pub(crate) struct Memo {
    /// Senders choose the values, and do not know it.
    seed: u64,
    sets: Vec<[Entry; WAYS]>,
}

/// A value and its name; the empty value has none, and stands for no entry.
#[derive(Clone, Copy)]
struct Entry {
    length: u8,
    value: [u8; VALUE_BYTES],
    name: Name,
}

const NONE: Entry = Entry { length: 0, value: [0; VALUE_BYTES], name: [0; NAME_BYTES] };

impl Memo {
    pub(crate) fn new() -> Self {
        Self { seed: RandomState::new().hash_one(0_u8), sets: vec![[NONE; WAYS]; SETS] }
    }

    pub(crate) fn get(&self, value: &[u8]) -> Option<&Name> {
        let set = self.sets.get(self.place(value))?;
        set.iter().find(|entry| is_same(entry.value(), value) && !value.is_empty()).map(|entry| &entry.name)
    }

    /// Remembers the name of a value that is short enough.
    pub(crate) fn insert(&mut self, value: &[u8], name: Name) {
        let place = self.place(value);
        let mut entry = Entry { name, ..NONE };
        let (Ok(length), Some(room)) = (u8::try_from(value.len()), entry.value.get_mut(..value.len())) else { return };
        room.copy_from_slice(value);
        entry.length = length;
        if let Some([newer, older]) = self.sets.get_mut(place) {
            *older = std::mem::replace(newer, entry);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower bits are the ones wanted")]
    fn place(&self, value: &[u8]) -> usize {
        xxh3_64_with_seed(value, self.seed) as usize % SETS
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.sets.iter().flatten().filter(|entry| entry.length > 0).count()
    }
}

impl Entry {
    fn value(&self) -> &[u8] {
        self.value.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Drop for Memo {
    fn drop(&mut self) {
        self.sets.iter_mut().flatten().for_each(|entry| entry.value.zeroize());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(of: &[u8]) -> Name {
        let mut name = [b'a'; NAME_BYTES];
        of.iter().zip(&mut name).for_each(|(from, to)| *to = *from);
        name
    }

    #[test]
    fn it_is_bounded_however_many_come() {
        let mut memo = Memo::new();
        for value in 0..4 * SETS * WAYS {
            memo.insert(value.to_string().as_bytes(), [0; NAME_BYTES]);
        }
        assert!(memo.len() <= SETS * WAYS);
    }

    #[test]
    fn what_is_too_long_or_nothing_is_not_remembered() {
        let mut memo = Memo::new();
        for (length, known) in [(0, false), (1, true), (VALUE_BYTES, true), (VALUE_BYTES + 1, false), (300, false)] {
            let value = vec![b'x'; length];
            memo.insert(&value, name(b"x"));
            assert_eq!(memo.get(&value).is_some(), known, "{length}");
        }
    }

    proptest! {
        /// Guarantees: what is given back was made for this value; the last that came is always known.
        #[test]
        fn what_is_known_is_right(values in prop::collection::vec(prop::collection::vec(b'a'..b'd', 1..5), 1..60)) {
            let mut memo = Memo::new();
            for value in &values {
                prop_assert!(memo.get(value).is_none_or(|found| *found == name(value)));
                memo.insert(value, name(value));
                prop_assert_eq!(memo.get(value), Some(&name(value)));
            }
        }
    }
}
