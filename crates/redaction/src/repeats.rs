//! Whether a key can stand twice in one list of attributes.

use tollgate_residency::KeyNumber;

/// Sees the keys of one list go by. It may suspect a repeat where there is none, never miss one.
#[derive(Default)]
pub(crate) struct Repeats {
    /// By key, in which list it was seen last.
    seen: Vec<u32>,
    list: u32,
    /// Keys that are not listed: a table has no number for them.
    unnumbered: u32,
    suspected: bool,
}

impl Repeats {
    /// Takes in a key that may cross, of a table with so many listed keys.
    #[inline]
    pub(crate) fn note(&mut self, key: Option<KeyNumber>, keys: usize) {
        let Some(key) = key else {
            // It differs from every listed key, or it would be one.
            self.unnumbered += 1;
            self.suspected |= self.unnumbered > 1;
            return;
        };
        if self.seen.len() < keys {
            self.seen.resize(keys, self.list);
            self.list += 1;
        }
        match self.seen.get_mut(key.position()) {
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
        (self.unnumbered, self.suspected) = (0, false);
        if self.list == u32::MAX {
            self.seen.clear();
            self.list = 0;
        } else {
            self.list += 1;
        }
    }
}
