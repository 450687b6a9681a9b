//! Which set of members was in force at which position of a log.
//!
//! Promises:
//! 1. A record routes by the set in force at its position, however late it is sent and in whichever process.
//! 2. Encoding and decoding are each other's inverse; damaged bytes are a fault, never a panic or a large allocation.
//!
//! Not here: where the journal is kept (`tollgate_spool` stores its bytes unread).

use std::collections::VecDeque;

use crate::{Members, Owners};

const VERSION: u8 = 1;

/// The journal of a consumer's membership changes.
#[derive(Debug, Clone)]
pub struct Epochs {
    seed: u64,
    epochs: VecDeque<(u64, Owners)>,
}

/// What is wrong with a membership journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EpochFault {
    /// Written by a release this one does not know.
    #[error("membership journal has the unknown version {0}")]
    Version(u8),
    /// Cut short.
    #[error("membership journal ends within an entry")]
    Truncated,
    /// More bytes than its entries.
    #[error("membership journal has bytes after its last entry")]
    Trailing,
    /// Positions do not rise.
    #[error("membership journal is not in the order of its positions")]
    Order,
    /// A node id that is not UTF-8.
    #[error("membership journal names a node that is not valid UTF-8")]
    Name,
    /// A position before the last one journalled.
    #[error("a membership change lies before the last one journalled")]
    Backwards,
}

impl Epochs {
    /// Starts an empty journal whose owners are chosen with `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, epochs: VecDeque::new() }
    }

    /// Journals that `members` are in force from `position` on.
    ///
    /// A second change at the same position replaces the first; the set already in force is no change.
    pub fn begin(&mut self, position: u64, members: Members) -> Result<(), EpochFault> {
        match self.epochs.back() {
            Some((last, _)) if position < *last => return Err(EpochFault::Backwards),
            Some((_, owners)) if *owners.members() == members => return Ok(()),
            Some((last, _)) if position == *last => {
                self.epochs.pop_back();
                return self.begin(position, members);
            }
            _ => {}
        }
        self.epochs.push_back((position, Owners::new(members, self.seed)));
        Ok(())
    }

    /// The owners in force at `position`; a record older than the journal routes by its first set.
    pub fn owners_at(&self, position: u64) -> Option<&Owners> {
        let after = self.epochs.partition_point(|(from, _)| *from <= position);
        self.epochs.get(after.saturating_sub(1)).map(|(_, owners)| owners)
    }

    /// The members in force at `position`.
    pub fn members_at(&self, position: u64) -> Option<&Members> {
        self.owners_at(position).map(Owners::members)
    }

    /// The position from which the newest set is in force.
    pub fn newest(&self) -> Option<u64> {
        self.epochs.back().map(|(from, _)| *from)
    }

    /// Every node that a remembered set names; one of several sets comes several times.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.epochs.iter().flat_map(|(_, owners)| owners.members().iter())
    }

    /// Forgets sets that no position from `position` on can ask for.
    pub fn prune(&mut self, position: u64) {
        while self.epochs.get(1).is_some_and(|(from, _)| *from <= position) {
            self.epochs.pop_front();
        }
    }

    /// How many sets are remembered.
    pub fn len(&self) -> usize {
        self.epochs.len()
    }

    /// Whether no set was ever journalled.
    pub fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// Appends the journal's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put(out, self.epochs.len() as u64);
        for (position, owners) in &self.epochs {
            put(out, *position);
            put(out, owners.members().len() as u64);
            for id in owners.members().iter() {
                put(out, id.len() as u64);
                out.extend_from_slice(id.as_bytes());
            }
        }
    }

    /// Reads what [`Epochs::encode`] wrote.
    pub fn decode(bytes: &[u8], seed: u64) -> Result<Self, EpochFault> {
        let (&version, mut rest) = bytes.split_first().ok_or(EpochFault::Truncated)?;
        if version != VERSION {
            return Err(EpochFault::Version(version));
        }
        let mut epochs = VecDeque::new();
        let mut last = None;
        for _ in 0..take(&mut rest)? {
            let position = take(&mut rest)?;
            if last.is_some_and(|last| position <= last) {
                return Err(EpochFault::Order);
            }
            last = Some(position);
            let members = take_members(&mut rest)?;
            epochs.push_back((position, Owners::new(members, seed)));
        }
        if rest.is_empty() { Ok(Self { seed, epochs }) } else { Err(EpochFault::Trailing) }
    }
}

fn put(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn take(rest: &mut &[u8]) -> Result<u64, EpochFault> {
    let (head, tail) = rest.split_first_chunk().ok_or(EpochFault::Truncated)?;
    *rest = tail;
    Ok(u64::from_le_bytes(*head))
}

fn take_members(rest: &mut &[u8]) -> Result<Members, EpochFault> {
    let mut ids = Vec::new();
    for _ in 0..take(rest)? {
        let length = usize::try_from(take(rest)?).map_err(|_| EpochFault::Truncated)?;
        let (id, tail) = rest.split_at_checked(length).ok_or(EpochFault::Truncated)?;
        *rest = tail;
        ids.push(std::str::from_utf8(id).map_err(|_| EpochFault::Name)?);
    }
    Ok(Members::new(ids))
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::ROUTING_SEED;

    fn members(ids: &[&str]) -> Members {
        Members::new(ids.iter().copied())
    }

    fn grown() -> Epochs {
        let mut epochs = Epochs::new(ROUTING_SEED);
        epochs.begin(10, members(&["a", "b"])).unwrap();
        epochs.begin(20, members(&["a", "b", "c"])).unwrap();
        epochs.begin(30, members(&["b", "c"])).unwrap();
        epochs
    }

    #[test]
    fn a_record_routes_by_the_set_at_its_position() {
        let epochs = grown();
        for (position, ids) in [(10, "ab"), (19, "ab"), (20, "abc"), (29, "abc"), (30, "bc"), (u64::MAX, "bc")] {
            assert_eq!(epochs.members_at(position).unwrap().iter().collect::<String>(), ids);
        }
        assert_eq!(epochs.members_at(0), Some(&members(&["a", "b"])), "older than the journal");
        assert_eq!(Epochs::new(1).members_at(0), None);
    }

    #[test]
    fn the_newest_change_and_all_nodes_are_known() {
        let epochs = grown();
        assert_eq!((epochs.newest(), Epochs::new(1).newest()), (Some(30), None));
        assert_eq!(Members::new(epochs.nodes()), members(&["a", "b", "c"]));
    }

    #[test]
    fn the_set_already_in_force_is_no_new_epoch() {
        let mut epochs = grown();
        epochs.begin(40, members(&["c", "b"])).unwrap();
        assert_eq!(epochs.len(), 3);
    }

    #[test]
    fn a_second_change_at_one_position_replaces_the_first() {
        let mut epochs = grown();
        epochs.begin(30, members(&["d"])).unwrap();
        assert_eq!(epochs.members_at(30), Some(&members(&["d"])));
        epochs.begin(30, members(&["a", "b", "c"])).unwrap();
        assert_eq!(epochs.len(), 2, "back to the set before: no change is left");
    }

    #[test]
    fn a_change_before_the_last_one_is_refused() {
        assert_eq!(grown().begin(29, members(&["d"])), Err(EpochFault::Backwards));
    }

    #[test]
    fn pruning_keeps_what_is_still_asked_for() {
        let mut epochs = grown();
        epochs.prune(25);
        assert_eq!(epochs.len(), 2);
        assert_eq!(epochs.members_at(25), Some(&members(&["a", "b", "c"])));
        epochs.prune(u64::MAX);
        assert_eq!(epochs.members_at(99), Some(&members(&["b", "c"])));
    }

    #[test]
    fn damaged_journals_are_refused_with_the_reason() {
        let mut bytes = Vec::new();
        grown().encode(&mut bytes);
        let decode = |bytes: &[u8]| Epochs::decode(bytes, ROUTING_SEED).err();
        assert_eq!(decode(&[]), Some(EpochFault::Truncated));
        assert_eq!(decode(&[9]), Some(EpochFault::Version(9)));
        for cut in 1..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), Some(EpochFault::Truncated));
        }
        assert_eq!(decode(&[bytes.clone(), vec![0]].concat()), Some(EpochFault::Trailing));
        let second_position = bytes.iter().rposition(|byte| *byte == 20).unwrap();
        bytes[second_position] = 10;
        assert_eq!(decode(&bytes), Some(EpochFault::Order));
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(
            history in btree_map(any::<u64>(), btree_set("[a-z/]{0,9}", 0..5), 0..8), asked in vec(any::<u64>(), 8),
        ) {
            let mut epochs = Epochs::new(ROUTING_SEED);
            for (position, ids) in &history {
                epochs.begin(*position, Members::new(ids.iter().map(String::as_str))).unwrap();
            }
            let mut bytes = Vec::new();
            epochs.encode(&mut bytes);
            let read = Epochs::decode(&bytes, ROUTING_SEED).unwrap();
            for position in asked.into_iter().chain(history.into_keys()) {
                prop_assert_eq!(read.members_at(position), epochs.members_at(position));
                let (ours, theirs) = (epochs.owners_at(position), read.owners_at(position));
                let key = position.to_be_bytes();
                prop_assert_eq!(ours.map(|owners| owners.owner(&key)), theirs.map(|owners| owners.owner(&key)));
            }
        }

        #[test]
        fn no_bytes_make_decoding_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = Epochs::decode(&bytes, ROUTING_SEED);
            let _ = Epochs::decode(&[&[VERSION], bytes.as_slice()].concat(), ROUTING_SEED);
        }

        #[test]
        fn pruning_changes_no_answer_from_there_on(
            history in btree_map(0_u64..100, btree_set("[a-c]", 0..3), 1..8), below in 0_u64..120, asked in 0_u64..120,
        ) {
            let mut epochs = Epochs::new(ROUTING_SEED);
            for (position, ids) in history {
                epochs.begin(position, Members::new(ids.iter().map(String::as_str))).unwrap();
            }
            let mut pruned = epochs.clone();
            pruned.prune(below);
            let position = below + asked;
            prop_assert_eq!(pruned.members_at(position), epochs.members_at(position));
        }
    }
}
