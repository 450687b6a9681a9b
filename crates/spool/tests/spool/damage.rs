//! Torn tails and flipped bits, told apart, also in files that held other records before.

use std::path::PathBuf;

use tollgate_disk::{Disk, Fault, Operation, Torn};
use tollgate_spool::{Consumer, OpenError, Position, ReadError, Recovered, Spool};

use crate::world::{World, append_each, entry, find, flip, number, read_all, read_numbers};

const SIZE: usize = 1000;

/// A log whose growing segment is a used file, full of records of the same sizes; its last three records are
/// `0`, `1`, `2`, and the process dies while it writes `3`, of which `torn` stays.
async fn crashed_in_a_recycled_segment(world: &World, torn: Torn) -> (Vec<Position>, PathBuf) {
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    let consumer = spool.consumer("link").unwrap();
    for number in 1000..1080 {
        consumer.advance("lane", spool.append(entry(number, SIZE)).await.unwrap());
    }
    let filled = world.segments().last().unwrap().clone();
    while world.segments().last().unwrap() == &filled {
        spool.append(entry(1080, SIZE)).await.unwrap();
    }
    consumer.advance("lane", spool.durable_end());
    consumer.persist().await.unwrap();
    let positions = append_each(&spool, 0..3, SIZE).await;
    let segment = world.segments().last().unwrap().clone();
    assert_eq!(std::fs::metadata(&segment).unwrap().len(), 8192);
    faults.plant(Operation::Write, 0, Fault::Crash(torn));
    spool.append(entry(3, SIZE)).await.unwrap_err();
    spool.close().await;
    let bytes = std::fs::read(&segment).unwrap();
    let old = (1000..1080).any(|number| {
        let payload = entry(number, SIZE).payload;
        bytes.windows(SIZE).any(|window| window == payload)
    });
    assert!(old, "old records still lie behind the end");
    (positions, segment)
}

fn reopened(world: &World) -> (Spool, Consumer, Recovered) {
    let (spool, recovered) = world.open();
    assert_eq!(spool.status().disk_bytes, world.files().iter().sum::<u64>(), "what was cut off is given back");
    let consumer = spool.consumer("link").unwrap();
    (spool, consumer, recovered)
}

#[tokio::test]
async fn a_torn_tail_in_a_recycled_segment_is_cut_off() {
    for torn in
        [0, 10, 28, 100, 600, 1000].map(Torn::Prefix).into_iter().chain([Torn::Sectors(0b01), Torn::Sectors(0b10)])
    {
        let world = World::new(&["link"]);
        crashed_in_a_recycled_segment(&world, torn).await;
        let (spool, link, recovered) = reopened(&world);
        assert_eq!(recovered.quarantined, [], "{torn:?}");
        assert_eq!(read_numbers(&link).await, [0, 1, 2], "{torn:?}");
        assert_eq!(spool.status().counts.damaged_bytes, 0);
        append_each(&spool, 4..6, SIZE).await;
        assert_eq!(read_numbers(&link).await, [0, 1, 2, 4, 5]);
        spool.close().await;
        let (_spool, link, recovered) = reopened(&world);
        assert_eq!(recovered.truncated_bytes, 0, "cut off once");
        assert_eq!(read_numbers(&link).await, [0, 1, 2, 4, 5]);
    }
}

#[tokio::test]
async fn a_torn_tail_says_how_much_was_cut() {
    let world = World::new(&["link"]);
    crashed_in_a_recycled_segment(&world, Torn::Prefix(600)).await;
    let (_, _, recovered) = reopened(&world);
    assert!(recovered.truncated_bytes > 1000, "the whole record of which a part was there");
}

#[tokio::test]
async fn a_flipped_bit_below_the_durable_point_is_damage() {
    let world = World::new(&["link"]);
    let (positions, segment) = crashed_in_a_recycled_segment(&world, Torn::Prefix(0)).await;
    flip(&segment, find(&segment, &entry(1, SIZE).payload) + 500);
    let (spool, link, recovered) = reopened(&world);
    let [lost] = recovered.quarantined[..] else { panic!("{recovered:?}") };
    assert_eq!((lost.from, recovered.truncated_bytes), (positions[1], 0));
    assert!(lost.bytes >= SIZE as u64);
    let kept = world.dir.path().join("quarantine").join(segment.file_name().unwrap());
    let damaged = std::fs::read(&kept).unwrap();

    append_each(&spool, 4..6, SIZE).await;
    let before = link.read(link.floor(), usize::MAX, Some(positions[1])).await.unwrap();
    assert_eq!(before.records.iter().map(number).collect::<Vec<_>>(), [0]);
    let Err(ReadError::Corrupt { resume, bytes }) = link.read(positions[1], 1, None).await else { panic!() };
    assert_eq!(bytes, resume.since(positions[1]));
    let after: Vec<u64> = read_all(&link, resume).await.unwrap().iter().map(number).collect();
    assert_eq!(after, [4, 5], "the log goes on");
    for number in 6..40 {
        link.advance("lane", spool.append(entry(number, SIZE)).await.unwrap());
    }
    assert!(!segment.exists() && std::fs::read(kept).unwrap() == damaged, "what is kept is not written again");
    assert_eq!(spool.status().counts.quarantined, 1);
}

#[tokio::test]
async fn a_flipped_bit_in_the_last_commit_before_a_kill_looks_like_a_torn_tail() {
    let world = World::new(&["link"]);
    let (_, segment) = crashed_in_a_recycled_segment(&world, Torn::Prefix(0)).await;
    flip(&segment, find(&segment, &entry(2, SIZE).payload) + 500);
    let (_spool, link, recovered) = reopened(&world);
    assert!(recovered.quarantined.is_empty() && recovered.truncated_bytes > 0);
    assert_eq!(read_numbers(&link).await, [0, 1]);
}

#[tokio::test]
async fn after_a_clean_close_every_flipped_bit_is_damage() {
    let sample = World::new(&["link"]);
    let (spool, _) = sample.open();
    append_each(&spool, 0..3, 40).await;
    let end = spool.durable_end();
    spool.close().await;
    let bytes = std::fs::read(&sample.segments()[0]).unwrap();
    // The end of the last record: what comes then is the closing commit frame itself.
    for offset in (64..usize::try_from(end.value()).unwrap()).step_by(3) {
        let world = World::new(&["link"]);
        let name = sample.segments()[0].file_name().unwrap().to_owned();
        std::fs::write(world.dir.path().join(&name), &bytes).unwrap();
        flip(&world.dir.path().join(&name), offset);
        let (spool, recovered) = world.open();
        assert_eq!(recovered.quarantined.len(), 1, "offset {offset}");
        assert_eq!(spool.durable_end(), end, "no position is used again");
        let position = spool.append(entry(9, 10)).await.unwrap();
        assert!(position >= end);
    }
}

#[tokio::test]
async fn damage_in_an_older_segment_costs_only_its_rest() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    let positions = append_each(&spool, 0..30, SIZE).await;
    spool.close().await;
    let segment = &world.segments()[1];
    let number_there = (0..30).find(|number| {
        let payload = entry(*number, SIZE).payload;
        std::fs::read(segment).unwrap().windows(SIZE).any(|window| window == payload)
    });
    let second = number_there.unwrap() + 1;
    flip(segment, find(segment, &entry(second, SIZE).payload));
    let (_spool, link, recovered) = reopened(&world);
    assert_eq!(recovered.quarantined.len(), 1);
    let damaged = positions[usize::try_from(second).unwrap()];
    let Err(ReadError::Corrupt { resume, .. }) = link.read(damaged, 1, None).await else { panic!() };
    let after = read_all(&link, resume).await.unwrap();
    assert_eq!(after.last().map(number), Some(29));
    assert!(after.iter().map(number).is_sorted() && number(&after[0]) > second);
}

#[tokio::test]
async fn a_lost_segment_is_a_gap_and_not_damage_of_the_one_before_it() {
    let world = World::new(&["link", "slow"]);
    let (spool, _) = world.open();
    append_each(&spool, 0..20, SIZE).await;
    let end = spool.durable_end();
    let link = spool.consumer("link").unwrap();
    link.advance("lane", end);
    link.persist().await.unwrap();
    spool.close().await;
    std::fs::remove_file(world.segments().last().unwrap()).unwrap();
    let (spool, _) = world.open();
    assert!(append_each(&spool, 20..22, SIZE).await[0] >= end, "no position is used again");
    spool.close().await;
    let (spool, recovered) = world.open();
    assert_eq!(recovered.quarantined, []);
    let slow = spool.consumer("slow").unwrap();
    let (mut at, mut found) = (Position::ZERO, Vec::new());
    while at < slow.durable_end() {
        match slow.read(at, 1, None).await {
            Ok(chunk) => {
                found.extend(chunk.records.iter().map(number));
                at = chunk.end;
            }
            Err(ReadError::Corrupt { resume, .. }) => at = resume,
            Err(error) => panic!("{error}"),
        }
    }
    let lost = found.iter().position(|number| *number == 20).unwrap() as u64;
    assert_eq!(found, (0..lost).chain(20..22).collect::<Vec<_>>());
    assert!((10..20).contains(&lost));
}

#[tokio::test]
async fn damage_met_while_running_is_skipped_counted_and_kept() {
    let world = World::new(&["link", "backend"]);
    let (spool, _) = world.open();
    let positions = append_each(&spool, 0..4, SIZE).await;
    let segment = &world.segments()[0];
    flip(segment, find(segment, &entry(1, SIZE).payload) + 7);
    let end = spool.durable_end();
    append_each(&spool, 4..5, SIZE).await;
    let consumers = ["link", "backend"].map(|name| spool.consumer(name).unwrap());
    for consumer in &consumers {
        assert_eq!(consumer.read(Position::ZERO, 1, None).await.unwrap().records.len(), 1);
        let error = consumer.read(positions[1], 1, None).await.unwrap_err();
        let ReadError::Corrupt { resume, .. } = error else { panic!("{error}") };
        assert!(resume > end);
    }
    assert_eq!(spool.status().counts.quarantined, 1, "counted once");
    let kept = world.dir.path().join("quarantine").join(segment.file_name().unwrap());
    let damaged = std::fs::read(&kept).unwrap();
    // All is passed, and other records come where these were.
    for number in 5..40 {
        let end = spool.append(entry(number, SIZE)).await.unwrap();
        consumers.iter().for_each(|consumer| consumer.advance("lane", end));
    }
    assert!(!segment.exists());
    let held = 64..usize::try_from(end.value()).unwrap();
    assert!(std::fs::read(kept).unwrap()[held.clone()] == damaged[held], "what is kept is not written over");
}

#[tokio::test]
async fn a_position_from_elsewhere_is_not_mistaken_for_damage() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    append_each(&spool, 0..4, SIZE).await;
    let link = spool.consumer("link").unwrap();
    let wrong = Position::new(777);
    assert!(matches!(link.read(wrong, 1, None).await, Err(ReadError::NoRecordThere(at)) if at == wrong));
    assert_eq!(spool.status().counts.quarantined, 0);
}

#[tokio::test]
async fn a_segment_without_a_header_is_kept_in_quarantine_and_the_log_starts() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    append_each(&spool, 0..30, SIZE).await;
    let end = spool.durable_end();
    spool.close().await;
    let segments = world.segments();
    for segment in [&segments[1], segments.last().unwrap()] {
        flip(segment, 20);
    }
    let (spool, link, recovered) = reopened(&world);
    assert_eq!(recovered.quarantined.len(), 2);
    assert_eq!(world.segments().len(), segments.len() - 2);
    assert_eq!(spool.durable_end(), end, "the closing commit still said how far it went");
    let first = read_all(&link, Position::ZERO).await;
    assert!(matches!(first, Err(ReadError::Corrupt { .. })));
}

#[tokio::test]
async fn positions_are_never_used_twice_even_if_the_log_is_gone() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    append_each(&spool, 0..10, SIZE).await;
    let end = spool.durable_end();
    spool.consumer("link").unwrap().advance("lane", end);
    spool.close().await;
    for segment in world.segments() {
        std::fs::remove_file(segment).unwrap();
    }
    let (spool, link, _) = reopened(&world);
    assert_eq!(spool.append(entry(10, SIZE)).await, Ok(end));
    assert_eq!(read_all(&link, end).await.unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_whole_cursor_file_everything_is_read_again() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    append_each(&spool, 0..3, SIZE).await;
    spool.consumer("link").unwrap().advance("lane", spool.durable_end());
    spool.close().await;
    for name in ["cursors", "cursors.synced"] {
        std::fs::write(world.dir.path().join(name), b"").unwrap();
    }
    assert_eq!(read_numbers(&reopened(&world).1).await, [0, 1, 2]);
}

#[tokio::test]
async fn files_of_another_format_version_are_refused_untouched() {
    for name in ["segment", "cursors.synced"] {
        let world = World::new(&["link"]);
        let (spool, _) = world.open();
        append_each(&spool, 0..1, 10).await;
        spool.close().await;
        let path = if name == "segment" { world.segments()[0].clone() } else { world.dir.path().join(name) };
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8] = 9;
        let end = if name == "segment" { 64 } else { bytes.len() };
        let crc = crc32c::crc32c(&bytes[..end - 4]);
        bytes[end - 4..end].copy_from_slice(&crc.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let opened = Spool::open(world.config.clone(), world.clock.clone(), Disk::real());
        assert!(matches!(opened, Err(OpenError::Version(9))), "{name}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}
