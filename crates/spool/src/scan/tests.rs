use bytes::Bytes;
use proptest::prelude::*;
use tollgate_disk::Disk;

use super::*;
use crate::commit::{Commit, NameTable, Place};
use crate::frame;
use crate::record::Entry;

const SPACING: u64 = 64;
const FILE: u64 = 1 << 16;

fn header(number: u64) -> Header {
    let stamp = Timestamp::from_nanos(1);
    Header { log: [9; 16], number, base: Position::new(1000), previous_end: Position::new(1000), stamp }
}

fn entry(size: usize) -> Entry {
    let (payload, index) = (Bytes::from(vec![size.to_le_bytes()[0]; size]), Bytes::from_static(b"index"));
    let (signal, origin, peer) = ("traces".into(), "EEA".into(), "peer".into());
    Entry { kind: 2, signal, origin, peer, policy: [1; 32], payload, index }
}

/// A segment's bytes with one commit for each list of sizes; also where each commit ends.
fn laid_out(number: u64, commits: &[Vec<usize>]) -> (Vec<u8>, Vec<u64>) {
    let (dir, header) = (tempfile::tempdir().unwrap(), header(number));
    let file = Disk::real().create(&dir.path().join("segment"), FILE).unwrap();
    file.write_all_at(&header.encode(), 0).unwrap();
    let (mut names, mut offset, mut position) = (NameTable::new(), HEADER, header.base);
    let mut ends = Vec::new();
    for sizes in commits {
        let entries: Vec<Entry> = sizes.iter().map(|size| entry(*size)).collect();
        let arrival = Timestamp::from_nanos(offset);
        let place = Place { header: &header, offset, position, durable: position, arrival };
        let commit = Commit::lay_out(entries.iter(), &mut names, &place);
        commit.write(&file).unwrap();
        (offset, position) = (commit.end, commit.records.last().unwrap().end);
        ends.push(offset);
    }
    (std::fs::read(dir.path().join("segment")).unwrap(), ends)
}

/// What a scan of these bytes says, when they are a file's content.
fn scan_of(bytes: &[u8], number: u64, known_end: Option<Position>) -> Scan {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment");
    std::fs::write(&path, bytes).unwrap();
    let file = Disk::real().open(&path).unwrap();
    let segment = Segment { header: header(number), file, path, capacity: bytes.len() as u64 };
    scan(&segment, known_end, SPACING).unwrap()
}

fn commits() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(prop_oneof![0..100_usize, 4000..5000_usize], 1..3), 2..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_can_be_scanned(bytes in prop::collection::vec(any::<u8>(), 0..400), known in prop::option::of(0..5000_u64)) {
        let scan = scan_of(&bytes, 1, known.map(Position::new));
        prop_assert_eq!(scan.records, 0);
    }

    #[test]
    fn a_whole_segment_is_scanned_to_its_end(commits in commits()) {
        let (bytes, ends) = laid_out(1, &commits);
        let end = header(1).position(*ends.last().unwrap());
        for known in [None, Some(end)] {
            let scan = scan_of(&bytes, 1, known);
            prop_assert_eq!((scan.end, scan.tail, scan.names.len()), (end, Tail::Clean, 3));
            prop_assert_eq!(scan.records, commits.iter().map(Vec::len).sum::<usize>() as u64);
        }
    }

    #[test]
    fn damage_and_torn_tails_are_told_apart_at_every_bit(commits in commits(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let (mut bytes, ends) = laid_out(1, &commits);
        let [.., before_last, last] = ends[..] else { unreachable!() };
        let offset = HEADER + at.index(usize::try_from(last - HEADER).unwrap()) as u64;
        bytes[usize::try_from(offset).unwrap()] ^= 1_u8 << bit;
        let scan = scan_of(&bytes, 1, None);
        let durable = header(1).position(before_last);
        if offset < before_last {
            prop_assert_eq!(scan.tail, Tail::Damaged(durable), "the last commit says how far it was durable");
        } else {
            prop_assert!(matches!(scan.tail, Tail::Torn(_) | Tail::Clean));
            prop_assert!(scan.end >= durable, "nothing that is known to be durable is cut off");
        }
    }

    #[test]
    fn a_commit_in_the_place_of_another_is_not_read(sizes in prop::collection::vec(0..100_usize, 1..3), damaged in 1..3_usize) {
        let (mut bytes, ends) = laid_out(1, &vec![sizes; 4]);
        // The first defines the names; from then on all are of one length.
        let [first, second, third, _] = ends[..] else { unreachable!() };
        let [first, second, third] = [first, second, third].map(|end| usize::try_from(end).unwrap());
        let (from, to) = if damaged == 1 { (second..third, first) } else { (first..second, second) };
        bytes.copy_within(from, to);
        let scan = scan_of(&bytes, 1, None);
        prop_assert_eq!(scan.used, to as u64);
        prop_assert_eq!(scan.tail, Tail::Damaged(header(1).position(third as u64)));
    }

    #[test]
    fn what_a_recycled_file_held_before_is_not_read(old in commits(), new in commits()) {
        let (mut bytes, _) = laid_out(1, &old);
        let (fresh, ends) = laid_out(2, &new);
        let end = usize::try_from(*ends.last().unwrap()).unwrap();
        bytes[..end].copy_from_slice(&fresh[..end]);
        let scan = scan_of(&bytes, 2, None);
        prop_assert_eq!((scan.used, scan.tail), (end as u64, Tail::Clean));
    }
}

#[test]
fn a_commit_frame_is_found_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment");
    let (header, durable, stop) = (header(1), Position::new(5_000_000), 100);
    let near = |edge: u64| edge - 20..edge + 20;
    for offset in
        (stop..stop + BLOCK as u64 + 20).chain(near(STRETCH)).chain(near(4 * STRETCH)).chain(near(4 * STRETCH + stop))
    {
        let begin = usize::try_from(offset).unwrap();
        let mut bytes = vec![0xFF; begin + 2 * BLOCK];
        bytes[begin - 6..begin].copy_from_slice(&MARK[..6]);
        let mut frame = Vec::new();
        frame::write_commit(&mut frame, header.seed(), offset, durable, 1);
        bytes[begin..][..frame.len()].copy_from_slice(&frame);
        std::fs::write(&path, &bytes).unwrap();
        let file = Disk::real().open(&path).unwrap();
        let mut window = Window::new(&file, bytes.len() as u64);
        let found = highest_claim(&mut window, &header, &file.written().unwrap(), stop).unwrap();
        assert_eq!(found, Some(durable), "offset {offset}");
    }
}

#[test]
fn a_length_beyond_the_file_is_not_read_for() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, faults) = Disk::with_faults();
    let file = disk.create(&dir.path().join("segment"), 4 << 20).unwrap();
    file.write_all_at(&[0xFF; 64], 0).unwrap();
    let mut window = Window::new(&file, 4 << 20);
    assert!(window.frame(header(1).seed(), 0).unwrap().is_none());
    assert!(faults.read() < 1 << 20, "{}", faults.read());
}
