//! Whether a key can stand twice in one list of attributes.

use tollgate_residency::KeyNumber;

/// Sees the keys of one list go by. It may suspect a repeat where there is none, never miss one.
#[derive(Default)]
pub(crate) struct Repeats<'a> {
    /// By key, in which list it was seen last.
    seen: Vec<u32>,
    list: u32,
    /// Keys that are not listed, those below templates: a table has no number for them.
    unnumbered: Vec<&'a [u8]>,
    suspected: bool,
}

/// So many keys that are not listed are compared with each other; more are suspect, whatever they are.
const COMPARED: usize = 16;

impl<'a> Repeats<'a> {
    /// Takes in a key that may cross, of a table with so many listed keys.
    #[inline]
    pub(crate) fn note(&mut self, key: &'a [u8], number: Option<KeyNumber>, keys: usize) {
        let Some(number) = number else {
            // It differs from every listed key, or it would be one.
            self.suspected |= self.unnumbered.len() >= COMPARED || self.unnumbered.contains(&key);
            return self.unnumbered.push(key);
        };
        if self.seen.len() < keys {
            self.seen.resize(keys, self.list);
            self.list += 1;
        }
        match self.seen.get_mut(number.position()) {
            Some(seen) => self.suspected |= std::mem::replace(seen, self.list) == self.list,
            None => self.suspected = true,
        }
    }

    /// Whether two of the keys since the last [`clear`](Self::clear) may be equal.
    #[inline]
    pub(crate) fn are_possible(&self) -> bool {
        self.suspected
    }

    /// Begins another list.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.unnumbered.clear();
        self.suspected = false;
        if self.list == u32::MAX {
            self.seen.clear();
            self.list = 0;
        } else {
            self.list += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_a_number_are_suspect_if_they_are_equal_or_many() {
        let mut repeats = Repeats::default();
        repeats.clear();
        repeats.note(b"one", None, 7);
        repeats.note(b"two", None, 7);
        assert!(!repeats.are_possible());
        repeats.note(b"one", None, 7);
        assert!(repeats.are_possible());
        repeats.clear();
        let keys: Vec<_> = (0..=COMPARED).map(|number| number.to_string()).collect();
        keys.iter().take(COMPARED).for_each(|key| repeats.note(key.as_bytes(), None, 7));
        assert!(!repeats.are_possible());
        keys.iter().skip(COMPARED).for_each(|key| repeats.note(key.as_bytes(), None, 7));
        assert!(repeats.are_possible());
    }
}
