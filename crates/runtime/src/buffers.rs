//! Buffers that come back when nobody needs them any more: memory that is used again needs no clearing and no page faults.
//!
//! Promises:
//! 1. A buffer comes back only when the last of what was lent from it is gone.
//! 2. What is lent takes at most twice the memory that was asked for, and a page.
//! 3. No more than the given number of bytes wait to be used again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

const PAGE: usize = 4096;

/// Buffers of one owner; clones share them.
#[derive(Clone, Debug)]
pub struct Buffers {
    idle: Arc<Mutex<Idle>>,
    /// So many bytes may wait.
    most: usize,
}

#[derive(Debug, Default)]
struct Idle {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Buffers {
    /// Keeps up to `most` bytes at hand.
    pub fn new(most: usize) -> Self {
        Self { idle: Arc::default(), most }
    }

    /// A buffer with room for `capacity` bytes. Whatever was in it before still is.
    pub fn take(&self, capacity: usize) -> Vec<u8> {
        let last = self.idle().pop();
        let fits = |buffer: &Vec<u8>| (capacity..=2 * capacity + PAGE).contains(&buffer.capacity());
        last.filter(fits).unwrap_or_else(|| Vec::with_capacity(capacity))
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
    fn pop(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop()?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn push(&mut self, buffer: Vec<u8>, most: usize) {
        if self.bytes + buffer.capacity() <= most {
            self.bytes += buffer.capacity();
            self.buffers.push(buffer);
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
        let mut buffer = buffers.take(length);
        buffer.clear();
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
        drop(lent(&buffers, 500_000, 1));
        assert!(buffers.take(100).capacity() <= 200 + PAGE);
        drop(lent(&buffers, 100, 1));
        assert!(buffers.take(500_000).capacity() >= 500_000);
    }

    #[test]
    fn no_more_than_was_allowed_waits() {
        let buffers = Buffers::new(1000);
        drop((0..50).map(|_| lent(&buffers, 100, 1)).collect::<Vec<_>>());
        let idle = |buffers: &Buffers| (buffers.idle().bytes, buffers.idle().buffers.len());
        assert_eq!(idle(&buffers), (1000, 10));
        drop(lent(&buffers, 2000, 1));
        assert!(idle(&buffers).0 <= 1000);
    }
}
