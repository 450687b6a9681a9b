//! Buffers that come back when nobody needs them any more: memory that is used again needs no clearing and no page faults.
//!
//! Promises:
//! 1. A buffer comes back only when the last of what was lent from it is gone.
//! 2. What is lent takes at most twice the memory that was asked for, and a page.
//! 3. No more than the given number of bytes wait to be used again.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

const PAGE: usize = 4096;
/// So many of the buffers that came back last are looked at for one that fits.
const LOOKED_AT: usize = 8;

/// Buffers of one owner; clones share them.
#[derive(Clone, Debug)]
pub struct Buffers {
    idle: Arc<Mutex<Idle>>,
    /// So many bytes may wait.
    most: usize,
}

#[derive(Debug, Default)]
struct Idle {
    /// What came back last is at the end.
    buffers: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Buffers {
    /// Keeps up to `most` bytes at hand.
    pub fn new(most: usize) -> Self {
        Self { idle: Arc::default(), most }
    }

    /// An empty buffer with room for `capacity` bytes.
    pub fn empty(&self, capacity: usize) -> Vec<u8> {
        let mut buffer = self.take(capacity);
        buffer.clear();
        buffer
    }

    /// A buffer of at least `length` bytes, to be written over: whatever was in it before still is.
    pub fn stale(&self, length: usize) -> Vec<u8> {
        let mut buffer = self.take(length);
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        buffer
    }

    fn take(&self, capacity: usize) -> Vec<u8> {
        self.idle().take(capacity..=2 * capacity + PAGE).unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    /// The buffer's content, to be shared; the buffer comes back.
    pub fn lend(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, home: self.clone() })
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn take(&mut self, fitting: RangeInclusive<usize>) -> Option<Vec<u8>> {
        let newest = self.buffers.len().saturating_sub(LOOKED_AT);
        let fits = |buffer: &Vec<u8>| fitting.contains(&buffer.capacity());
        let at = newest + self.buffers.range(newest..).rposition(fits)?;
        let buffer = self.buffers.swap_remove_back(at)?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// Where there is no more room, what came back first makes way: what is asked for now is like what came last.
    fn push(&mut self, buffer: Vec<u8>, most: usize) {
        self.bytes += buffer.capacity();
        self.buffers.push_back(buffer);
        while self.bytes > most {
            let Some(oldest) = self.buffers.pop_front() else { break };
            self.bytes -= oldest.capacity();
        }
    }
}

/// A buffer on its way.
struct Lent {
    buffer: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.home.idle().push(buffer, self.home.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lent(buffers: &Buffers, length: usize, with: u8) -> Bytes {
        let mut buffer = buffers.empty(length);
        buffer.resize(length, with);
        buffers.lend(buffer)
    }

    #[test]
    fn a_buffer_is_used_again_only_when_nobody_has_any_of_it_left() {
        let buffers = Buffers::new(1 << 20);
        let first = lent(&buffers, 100, 1);
        let (place, slice) = (first.as_ptr(), first.slice(40..50));
        drop(first);
        let second = lent(&buffers, 100, 2);
        assert_eq!(slice, [1; 10].as_slice());
        assert_ne!(second.as_ptr(), place);
        drop(slice);
        assert_eq!(lent(&buffers, 60, 3).as_ptr(), place);
    }

    #[test]
    fn a_few_bytes_never_hold_a_large_buffer() {
        let buffers = Buffers::new(1 << 20);
        let large = lent(&buffers, 500_000, 1);
        let place = large.as_ptr();
        drop(large);
        let small = buffers.empty(100);
        assert!(small.capacity() <= 200 + PAGE);
        drop(buffers.lend(small));
        let again = buffers.empty(500_000);
        assert_eq!(again.as_ptr(), place, "it waits until somebody needs as much");
    }

    #[test]
    fn an_empty_buffer_is_empty_and_a_stale_one_long_enough() {
        let buffers = Buffers::new(1 << 20);
        drop(lent(&buffers, 100, 1));
        assert!(buffers.empty(100).is_empty());
        drop(lent(&buffers, 100, 1));
        assert!((100..=100 + PAGE).contains(&buffers.stale(90).len()));
        assert_eq!(buffers.stale(200).len(), 200);
    }

    #[test]
    fn no_more_than_was_allowed_waits() {
        let buffers = Buffers::new(1000);
        drop((0..50).map(|_| lent(&buffers, 100, 1)).collect::<Vec<_>>());
        let idle = |buffers: &Buffers| {
            let idle = buffers.idle();
            (idle.bytes, idle.buffers.len())
        };
        assert_eq!(idle(&buffers), (1000, 10));
        drop(lent(&buffers, 600, 1));
        assert_eq!(idle(&buffers), (1000, 5), "the oldest make way");
        drop(lent(&buffers, 2000, 1));
        assert_eq!(idle(&buffers), (0, 0));
    }
}
