//! Memory for reading a log piece after piece: the same few buffers again and again, which stay close to the processor.
//!
//! Promise: no more than [`FEW`] wait to be used again, and none larger than [`LARGEST`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

const FEW: usize = 2;
const LARGEST: usize = 2 << 20;

/// The buffers of one log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers {
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// What `fill` writes to the front of `length` bytes; it returns how many those are. The buffer comes back when
    /// nobody has any of them left.
    pub(crate) fn filled(&self, length: usize, fill: impl FnOnce(&mut [u8]) -> usize) -> Bytes {
        let mut bytes = self.idle().pop().unwrap_or_default();
        if bytes.len() < length {
            bytes.resize(length, 0);
        }
        let filled = bytes.get_mut(..length).map_or(0, fill);
        Bytes::from_owner(Lent { bytes, home: self.clone() }).slice(..filled.min(length))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer on its way.
struct Lent {
    bytes: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut idle = self.home.idle();
        if idle.len() < FEW && self.bytes.capacity() <= LARGEST {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(buffers: &Buffers, length: usize, with: u8) -> Bytes {
        buffers.filled(length, |bytes| {
            bytes.fill(with);
            bytes.len()
        })
    }

    #[test]
    fn a_buffer_is_used_again_only_when_nobody_has_any_of_it_left() {
        let buffers = Buffers::default();
        let first = filled(&buffers, 100, 1);
        let (place, slice) = (first.as_ptr(), first.slice(40..50));
        drop(first);
        let second = filled(&buffers, 100, 2);
        assert_eq!(slice, [1; 10].as_slice());
        assert_ne!(second.as_ptr(), place);
        drop(slice);
        assert_eq!(filled(&buffers, 60, 3).as_ptr(), place);
    }

    #[test]
    fn few_and_small_ones_are_kept() {
        let buffers = Buffers::default();
        let lent: Vec<_> = (0..5).map(|_| filled(&buffers, 100, 1)).collect();
        drop(lent);
        assert_eq!(buffers.idle().len(), FEW);
        drop((0..5).map(|_| filled(&buffers, LARGEST + 1, 1)).collect::<Vec<_>>());
        assert_eq!(buffers.idle().len(), 0);
    }

    #[test]
    fn only_what_was_filled_is_handed_out() {
        assert_eq!(Buffers::default().filled(100, |_| 7).len(), 7);
        assert_eq!(Buffers::default().filled(100, |_| 700).len(), 100);
    }
}
