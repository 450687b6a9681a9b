//! About how many distinct values a key has, in little memory (linear counting: Whang, Vander-Zanden, Taylor 1990).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Bits of one sketch.
const BITS: usize = 2048;
/// So many bits are set by about a thousand distinct values: 2048 × (1 − e^(−1000 ÷ 2048)).
const MANY: u32 = 791;
/// So many keys of services are counted at a time; of others nothing is said.
const KEYS: usize = 1024;

/// Counts the values of keys.
#[derive(Default)]
pub(super) struct Distinct {
    // Seeded anew in every process: a sender cannot choose values that fall on the same bits.
    hash: RandomState,
    sketches: HashMap<u64, Box<[u64; BITS / 64]>>,
}

impl Distinct {
    /// Takes in a value of a key of a service; whether there have been more than about a thousand.
    pub(super) fn are_many(&mut self, key: (&str, &str), value: &str) -> bool {
        let key = self.hash.hash_one(key);
        if !self.sketches.contains_key(&key) && self.sketches.len() >= KEYS {
            return false;
        }
        let value = usize::try_from(self.hash.hash_one(value) % BITS as u64).unwrap_or(0);
        let sketch = self.sketches.entry(key).or_insert_with(|| Box::new([0; BITS / 64]));
        if let Some(word) = sketch.get_mut(value / 64) {
            *word |= 1 << (value % 64);
        }
        sketch.iter().map(|word| word.count_ones()).sum::<u32>() > MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_values_are_told_from_a_few_hundred_however_often_they_come() {
        let mut distinct = Distinct::default();
        let key = ("shop", "http.route");
        for _ in 0..10 {
            assert!((0..700).all(|number| !distinct.are_many(key, &format!("/orders/{number}"))));
        }
        assert!((0..1400).any(|number| distinct.are_many(key, &format!("/orders/{number}"))));
        assert!(!distinct.are_many(("till", "http.route"), "/orders"), "another service's key is counted by itself");
    }

    #[test]
    fn keys_without_end_take_no_memory_without_end() {
        let mut distinct = Distinct::default();
        for number in 0..3 * KEYS {
            distinct.are_many(("shop", &number.to_string()), "x");
        }
        assert_eq!(distinct.sketches.len(), KEYS);
    }
}
