//! Verdicts as bytes, for the log that gives them back after a restart.
//!
//! Promises:
//! 1. Reasons travel by name, so that a verdict keeps its reason under another policy list.
//! 2. Decoding undoes encoding; damaged bytes are a fault, never a panic or a large allocation.
//!
//! Layout, numbers as varints: version 2; number of names; each name with its length; number of entries; each entry the 16
//! bytes of its trace id and four times its name's place, plus one if the trace is kept, plus two if it was judged before
//! all evidence was there. Version 1 has twice the place, and does not say the latter.

use tollgate_otlp::wire::{delimited, varint};
use tollgate_otlp::{TraceId, Writer};

use crate::verdict::{Coverage, Decision};

const VERSION: u64 = 2;
/// Of the release before.
const WITHOUT_COVERAGE: u64 = 1;

/// One journalled verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The trace that was judged.
    pub trace: TraceId,
    /// What was decided.
    pub decision: Decision,
    /// Why, as a policy's name or a fixed text.
    pub reason: &'a str,
    /// Whether all evidence was there.
    pub coverage: Coverage,
}

/// What is wrong with journalled verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JournalFault {
    /// Written by a release this one does not know.
    #[error("journalled verdicts have the unknown version {0}")]
    Version(u64),
    /// Cut short, or a number that is none.
    #[error("journalled verdicts end within an entry")]
    Truncated,
    /// More bytes than entries.
    #[error("journalled verdicts have bytes after their last entry")]
    Trailing,
    /// A reason that is not UTF-8.
    #[error("a journalled reason is not valid UTF-8")]
    Text,
    /// An entry refers to a reason that is not there.
    #[error("a journalled verdict refers to a reason that is not there")]
    Reason,
}

impl<'a> Entry<'a> {
    /// Appends verdicts to `out`, about 17 bytes each.
    pub fn encode(entries: &[Self], out: &mut Vec<u8>) {
        let mut names: Vec<&str> = Vec::new();
        for entry in entries {
            if !names.contains(&entry.reason) {
                names.push(entry.reason);
            }
        }
        let mut writer = Writer::new(out);
        writer.bare_varint(VERSION);
        writer.bare_varint(names.len() as u64);
        for name in &names {
            writer.bare_varint(name.len() as u64);
            writer.raw(name.as_bytes());
        }
        writer.bare_varint(entries.len() as u64);
        for entry in entries {
            let place = names.iter().position(|name| *name == entry.reason).unwrap_or_default();
            writer.raw(entry.trace.as_bytes());
            let is_incomplete = u64::from(entry.coverage == Coverage::Incomplete);
            writer.bare_varint((place as u64) << 2 | is_incomplete << 1 | u64::from(entry.decision == Decision::Keep));
        }
    }

    /// Reads what [`Entry::encode`] wrote.
    pub fn decode(bytes: &'a [u8]) -> Result<Vec<Self>, JournalFault> {
        let (version, rest) = number(bytes)?;
        let flags = match version {
            VERSION => 2,
            WITHOUT_COVERAGE => 1,
            other => return Err(JournalFault::Version(other)),
        };
        let (names, rest) = names(rest)?;
        let (count, mut rest) = number(rest)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let (id, after) = rest.split_first_chunk().ok_or(JournalFault::Truncated)?;
            let (code, after) = number(after)?;
            rest = after;
            let place = usize::try_from(code >> flags).map_err(|_| JournalFault::Reason)?;
            let reason = names.get(place).copied().ok_or(JournalFault::Reason)?;
            let decision = if code & 1 == 1 { Decision::Keep } else { Decision::Drop };
            let is_incomplete = flags == 2 && code & 2 == 2;
            let coverage = if is_incomplete { Coverage::Incomplete } else { Coverage::Complete };
            entries.push(Self { trace: TraceId(*id), decision, reason, coverage });
        }
        if rest.is_empty() { Ok(entries) } else { Err(JournalFault::Trailing) }
    }
}

fn names(bytes: &[u8]) -> Result<(Vec<&str>, &[u8]), JournalFault> {
    let (count, mut rest) = number(bytes)?;
    let mut names = Vec::new();
    for _ in 0..count {
        let (name, after) = delimited(rest).map_err(|_| JournalFault::Truncated)?;
        rest = after;
        names.push(std::str::from_utf8(name).map_err(|_| JournalFault::Text)?);
    }
    Ok((names, rest))
}

fn number(bytes: &[u8]) -> Result<(u64, &[u8]), JournalFault> {
    varint(bytes).map_err(|_| JournalFault::Truncated)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn encoded(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Entry::encode(entries, &mut bytes);
        bytes
    }

    #[test]
    fn a_thousand_verdicts_take_seventeen_bytes_each() {
        let entry = |n: u16| {
            let mut id = [7; 16];
            id[..2].copy_from_slice(&n.to_be_bytes());
            Entry { trace: TraceId(id), decision: Decision::Keep, reason: "errors", coverage: Coverage::Complete }
        };
        let entries: Vec<_> = (0..1_000).map(entry).collect();
        assert!(encoded(&entries).len() < 17_020);
    }

    #[test]
    fn damaged_journals_are_refused_with_the_reason() {
        let entry =
            Entry { trace: TraceId([1; 16]), decision: Decision::Drop, reason: "é", coverage: Coverage::Incomplete };
        let bytes = encoded(&[entry]);
        for cut in 0..bytes.len() {
            assert_eq!(Entry::decode(&bytes[..cut]), Err(JournalFault::Truncated));
        }
        let changed = |at: usize, byte: u8| {
            let mut changed = bytes.clone();
            changed[at] = byte;
            changed
        };
        assert_eq!(Entry::decode(&changed(0, 9)), Err(JournalFault::Version(9)));
        assert_eq!(Entry::decode(&changed(3, b'x')), Err(JournalFault::Text));
        assert_eq!(Entry::decode(&changed(bytes.len() - 1, 4)), Err(JournalFault::Reason));
        assert_eq!(Entry::decode(&[bytes.clone(), vec![0]].concat()), Err(JournalFault::Trailing));
    }

    #[test]
    fn the_journal_of_the_release_before_is_read() {
        let bytes = [&[1, 1, 1, b'a', 2][..], &[1; 16], &[1], &[2; 16], &[0]].concat();
        let read = Entry::decode(&bytes).unwrap();
        let decisions: Vec<_> = read.iter().map(|entry| (entry.decision, entry.coverage)).collect();
        assert_eq!(decisions, [(Decision::Keep, Coverage::Complete), (Decision::Drop, Coverage::Complete)]);
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(list in vec((any::<[u8; 16]>(), any::<[bool; 2]>(), "[a-zé ]{0,9}"), 0..60)) {
            let entries: Vec<_> = list
                .iter()
                .map(|(id, [kept, whole], reason)| Entry {
                    trace: TraceId(*id),
                    decision: if *kept { Decision::Keep } else { Decision::Drop },
                    reason,
                    coverage: if *whole { Coverage::Complete } else { Coverage::Incomplete },
                })
                .collect();
            let bytes = encoded(&entries);
            prop_assert_eq!(Entry::decode(&bytes), Ok(entries));
        }

        #[test]
        fn no_bytes_make_decoding_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = Entry::decode(&bytes);
            let _ = Entry::decode(&[&[2], bytes.as_slice()].concat());
        }
    }
}
