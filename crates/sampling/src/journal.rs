//! Verdicts as bytes, for the log that gives them back after a restart.
//!
//! Promises:
//! 1. Reasons travel by name, so that a verdict keeps its reason under another policy list.
//! 2. Decoding undoes encoding; damaged bytes are a fault, never a panic or a large allocation.
//!
//! Layout, numbers as varints: version 3; number of names; each name with its length; number of thresholds; each of them;
//! number of entries; each entry the 16 bytes of its trace id and eight times its name's place, plus one if the trace is kept,
//! plus two if it was judged before all evidence was there, plus four if a threshold decided, the place of which follows.
//! Version 2 has four times the place and no thresholds; version 1 has twice the place and does not speak of evidence either.

use tollgate_otlp::wire::{delimited, varint};
use tollgate_otlp::{TraceId, Writer};

use crate::tracestate::Threshold;
use crate::verdict::{Coverage, Decision};

const VERSION: u64 = 3;
/// Of releases before.
const WITHOUT_THRESHOLDS: u64 = 2;
const WITHOUT_COVERAGE: u64 = 1;

/// What the lowest bits of an entry's number say.
const KEPT: u64 = 1;
const INCOMPLETE: u64 = 2;
const BY_THRESHOLD: u64 = 4;

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
    /// By which threshold the trace was kept, if by one.
    pub threshold: Option<Threshold>,
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
    /// An entry refers to a threshold that is not there, or is none.
    #[error("a journalled verdict refers to a threshold that is not there")]
    Threshold,
}

impl<'a> Entry<'a> {
    /// Appends verdicts to `out`, about 17 bytes each, and one more where a threshold decided.
    pub fn encode(entries: &[Self], out: &mut Vec<u8>) {
        let names = distinct(entries.iter().map(|entry| entry.reason));
        let thresholds = distinct(entries.iter().filter_map(|entry| entry.threshold));
        let mut writer = Writer::new(out);
        writer.bare_varint(VERSION);
        writer.bare_varint(names.len() as u64);
        for name in &names {
            writer.bare_varint(name.len() as u64);
            writer.raw(name.as_bytes());
        }
        writer.bare_varint(thresholds.len() as u64);
        thresholds.iter().for_each(|threshold| writer.bare_varint(threshold.number()));
        writer.bare_varint(entries.len() as u64);
        for entry in entries {
            let place = names.iter().position(|name| *name == entry.reason).unwrap_or_default();
            let threshold = entry.threshold.and_then(|own| thresholds.iter().position(|known| *known == own));
            writer.raw(entry.trace.as_bytes());
            let kept = if entry.decision == Decision::Keep { KEPT } else { 0 };
            let incomplete = if entry.coverage == Coverage::Incomplete { INCOMPLETE } else { 0 };
            let by_threshold = if threshold.is_some() { BY_THRESHOLD } else { 0 };
            writer.bare_varint((place as u64) << 3 | kept | incomplete | by_threshold);
            threshold.iter().for_each(|place| writer.bare_varint(*place as u64));
        }
    }

    /// Reads what [`Entry::encode`] wrote, in this release or one before.
    pub fn decode(bytes: &'a [u8]) -> Result<Vec<Self>, JournalFault> {
        let (version, rest) = number(bytes)?;
        let flags = match version {
            VERSION => 3,
            WITHOUT_THRESHOLDS => 2,
            WITHOUT_COVERAGE => 1,
            other => return Err(JournalFault::Version(other)),
        };
        let (names, rest) = names(rest)?;
        let (thresholds, rest) = if version == VERSION { thresholds(rest)? } else { (Vec::new(), rest) };
        let (count, mut rest) = number(rest)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let (id, after) = rest.split_first_chunk().ok_or(JournalFault::Truncated)?;
            let (code, after) = number(after)?;
            let said = code & ((1 << flags) - 1);
            let reason = *at(&names, code >> flags).ok_or(JournalFault::Reason)?;
            let decision = if said & KEPT != 0 { Decision::Keep } else { Decision::Drop };
            let coverage = if said & INCOMPLETE != 0 { Coverage::Incomplete } else { Coverage::Complete };
            let threshold;
            (threshold, rest) = match said & BY_THRESHOLD {
                0 => (None, after),
                _ => {
                    let (place, after) = number(after)?;
                    (Some(*at(&thresholds, place).ok_or(JournalFault::Threshold)?), after)
                }
            };
            entries.push(Self { trace: TraceId(*id), decision, reason, coverage, threshold });
        }
        if rest.is_empty() { Ok(entries) } else { Err(JournalFault::Trailing) }
    }
}

/// Each once, in the order of their first appearance: of both names and thresholds there are few.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for one in all {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    distinct
}

fn at<T>(list: &[T], place: u64) -> Option<&T> {
    list.get(usize::try_from(place).ok()?)
}

fn thresholds(bytes: &[u8]) -> Result<(Vec<Threshold>, &[u8]), JournalFault> {
    let (count, mut rest) = number(bytes)?;
    let mut thresholds = Vec::new();
    for _ in 0..count {
        let (threshold, after) = number(rest)?;
        rest = after;
        thresholds.push(Threshold::from_number(threshold).ok_or(JournalFault::Threshold)?);
    }
    Ok((thresholds, rest))
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
    use proptest::option;
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
            let (decision, coverage) = (Decision::Keep, Coverage::Complete);
            Entry { trace: TraceId(id), decision, reason: "errors", coverage, threshold: None }
        };
        let entries: Vec<_> = (0..1_000).map(entry).collect();
        assert!(encoded(&entries).len() < 17_020);
    }

    #[test]
    fn damaged_journals_are_refused_with_the_reason() {
        let (decision, coverage) = (Decision::Keep, Coverage::Incomplete);
        let threshold = Some(Threshold::ALWAYS);
        let entry = Entry { trace: TraceId([1; 16]), decision, reason: "é", coverage, threshold };
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
        assert_eq!(Entry::decode(&changed(bytes.len() - 1, 1)), Err(JournalFault::Threshold));
        assert_eq!(Entry::decode(&changed(bytes.len() - 2, 8 + 7)), Err(JournalFault::Reason));
        let too_high = [&bytes[..6], &[0x80; 8], &[1], &bytes[7..]].concat();
        assert_eq!(Entry::decode(&too_high), Err(JournalFault::Threshold));
        assert_eq!(Entry::decode(&[bytes.clone(), vec![0]].concat()), Err(JournalFault::Trailing));
    }

    #[test]
    fn journals_of_releases_before_are_read() {
        let read = |bytes: &[u8]| {
            let entries = Entry::decode(bytes).unwrap();
            entries.iter().map(|entry| (entry.decision, entry.coverage, entry.threshold)).collect::<Vec<_>>()
        };
        let first = [&[1, 1, 1, b'a', 2][..], &[1; 16], &[1], &[2; 16], &[0]].concat();
        let (keep, drop) = ((Decision::Keep, Coverage::Complete, None), (Decision::Drop, Coverage::Complete, None));
        assert_eq!(read(&first), [keep, drop]);
        let second = [&[2, 2, 1, b'a', 1, b'b', 2][..], &[1; 16], &[5], &[2; 16], &[2]].concat();
        assert_eq!(read(&second), [keep, (Decision::Drop, Coverage::Incomplete, None)]);
        let reasons: Vec<_> = Entry::decode(&second).unwrap().iter().map(|entry| entry.reason).collect();
        assert_eq!(reasons, ["b", "a"]);
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(
            list in vec((any::<[u8; 16]>(), any::<[bool; 2]>(), "[a-zé ]{0,9}", option::of(0_u64..1 << 56)), 0..60),
        ) {
            let entries: Vec<_> = list
                .iter()
                .map(|(id, [kept, whole], reason, threshold)| Entry {
                    trace: TraceId(*id),
                    decision: if *kept { Decision::Keep } else { Decision::Drop },
                    reason,
                    coverage: if *whole { Coverage::Complete } else { Coverage::Incomplete },
                    threshold: threshold.and_then(Threshold::from_number),
                })
                .collect();
            let bytes = encoded(&entries);
            prop_assert_eq!(Entry::decode(&bytes), Ok(entries));
        }

        #[test]
        fn no_bytes_make_decoding_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = Entry::decode(&bytes);
            let _ = Entry::decode(&[&[2], bytes.as_slice()].concat());
            let _ = Entry::decode(&[&[3], bytes.as_slice()].concat());
        }
    }
}
