//! Chunks of one request: large ones stay where they lie, small ones are put together.
//!
//! A request that goes to many places is taken apart into small pieces. Who puts them together at once has them still in the
//! cache, and their memory free for those of the next request; later both are cold, and every piece holds a buffer until then.
//!
//! Promises:
//! 1. All bytes stay, in order.
//! 2. No large chunk is copied. Small ones are copied twice on average at most, and take at most twice their memory.

use bytes::{Bytes, BytesMut};

/// Smaller chunks are put together: each would be a frame of its own otherwise.
const SMALL: usize = 16 << 10;
/// Adds a chunk behind the others.
pub(crate) fn add(chunks: &mut Vec<Bytes>, chunk: Bytes) {
    let Some(last) = chunks.pop_if(|_| chunk.len() < SMALL) else { return chunks.push(chunk) };
    // Whoever shares it, as the log does, keeps it as it is.
    let last = match last.try_into_mut() {
        Ok(mut gathered) if gathered.capacity() - gathered.len() >= chunk.len() => {
            gathered.extend_from_slice(&chunk);
            return chunks.push(gathered.freeze());
        }
        Ok(full) => full.freeze(),
        Err(shared) => shared,
    };
    if last.len() >= SMALL {
        return chunks.extend([last, chunk]);
    }
    // Room for as much again: whoever bounds what waits counts bytes, not room.
    let mut gathered = BytesMut::with_capacity(2 * (last.len() + chunk.len()));
    gathered.extend_from_slice(&last);
    gathered.extend_from_slice(&chunk);
    chunks.push(gathered.freeze());
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn added(sizes: &[usize]) -> (Vec<Bytes>, Vec<u8>) {
        let (mut chunks, mut all) = (Vec::new(), Vec::new());
        for (number, size) in (0_u8..).zip(sizes) {
            let chunk = vec![number; *size];
            all.extend_from_slice(&chunk);
            add(&mut chunks, Bytes::from_owner(chunk));
        }
        (chunks, all)
    }

    proptest! {
        #[test]
        fn all_bytes_stay_in_order(sizes in vec(prop_oneof![0..3_000_usize, 0..40_000_usize], 0..40)) {
            let (chunks, all) = added(&sizes);
            prop_assert_eq!(chunks.concat(), all);
        }
    }

    #[test]
    fn small_chunks_share_memory_that_is_at_most_twice_theirs() {
        for (size, expected) in [(1000, 2), (8000, 10), (100, 1)] {
            let (chunks, _) = added(&vec![size; 40]);
            assert_eq!(chunks.len(), expected, "of {size}");
            for chunk in chunks {
                let length = chunk.len();
                assert!(chunk.try_into_mut().unwrap().capacity() <= 2 * length, "of {size}");
            }
        }
    }

    #[test]
    fn large_chunks_stay_where_they_lie() {
        let large = Bytes::from(vec![1; SMALL]);
        let mut chunks = Vec::new();
        for chunk in [&large, &large.slice(..10), &large.slice(..20), &large] {
            add(&mut chunks, chunk.clone());
        }
        assert_eq!(chunks.iter().map(Bytes::len).collect::<Vec<_>>(), [SMALL, 30, SMALL]);
        assert!([0, 2].iter().all(|at| chunks[*at].as_ptr() == large.as_ptr()));
    }

    /// Guarantees: a small request never drags a large one that nobody else has along into new memory.
    #[test]
    fn a_large_chunk_that_is_ours_alone_is_not_copied_to_grow() {
        let large = Bytes::from(vec![1; 100 * SMALL]);
        let place = large.as_ptr();
        let mut chunks = vec![large];
        add(&mut chunks, Bytes::from_static(b"small"));
        assert_eq!((chunks.len(), chunks[0].as_ptr()), (2, place));
    }
}
