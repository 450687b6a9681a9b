//! Names given lately, so that a value which stands in every span of a trace is hashed once.
//!
//! Promises:
//! 1. A name is given back for the very value it was made for, compared as a whole.
//! 2. It is bounded, in entries and in bytes, and values are wiped when they are forgotten.
//! 3. Which values fall together cannot be foreseen from outside.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zeroize::Zeroize;

/// Most values remembered; beyond it all are forgotten and the next come anew.
pub(crate) const ENTRIES: usize = 4096;
/// Longer values are not remembered.
pub(crate) const VALUE_BYTES: usize = 256;

/// Values with the names they were given.
#[derive(Default)]
pub(crate) struct Memo {
    names: HashMap<Remembered, Box<str>, Seed>,
}

impl Memo {
    pub(crate) fn get(&self, value: &[u8]) -> Option<&str> {
        self.names.get(value).map(|name| &**name)
    }

    pub(crate) fn insert(&mut self, value: &[u8], name: String) {
        if value.len() > VALUE_BYTES {
            return;
        }
        if self.names.len() >= ENTRIES {
            self.names.clear();
        }
        self.names.insert(Remembered(value.into()), name.into());
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }
}

/// A value in memory, wiped when forgotten.
#[derive(PartialEq, Eq, Hash)]
struct Remembered(Box<[u8]>);

impl Drop for Remembered {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Borrow<[u8]> for Remembered {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// Seeds xxh3 from the system's randomness: senders choose the values.
struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0_u8))
    }
}

impl BuildHasher for Seed {
    type Hasher = Xxh3;

    fn build_hasher(&self) -> Xxh3 {
        Xxh3(self.0)
    }
}

/// Hashes each piece with what came before it as the seed.
struct Xxh3(u64);

impl Hasher for Xxh3 {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_usize(&mut self, length: usize) {
        self.0 = self.0.rotate_left(32) ^ length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
