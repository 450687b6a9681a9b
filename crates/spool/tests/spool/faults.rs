//! A disk that is full, fails, falls short or keeps us waiting.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use tollgate_config::ByteSize;
use tollgate_disk::{Disk, Fault, Faults, Operation, Torn};
use tollgate_spool::{AppendError, Durability, OpenError, Position, ReadError, Spool};

use crate::world::{World, append_all, append_each, entry, is_pending, number, read_all, read_numbers, until};

#[tokio::test]
async fn a_failed_sync_moves_the_log_and_loses_nothing() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..2, 100).await;
    let before = world.segments();
    faults.plant(Operation::Sync, 0, Fault::Fail(ErrorKind::Other));
    append_each(&spool, 2..5, 100).await;
    assert_eq!(spool.status().counts.failed_writes, 1);
    assert_eq!(world.segments().len(), before.len() + 1, "never the same file again");
    let link = spool.consumer("link").unwrap();
    assert_eq!(read_numbers(&link).await, [0, 1, 2, 3, 4], "each once");
    spool.close().await;

    // The failed commit lies whole in the old file, and is not the log's any more.
    let (spool, recovered) = world.open();
    assert!(recovered.quarantined.is_empty());
    assert_eq!(read_numbers(&spool.consumer("link").unwrap()).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_failed_file_is_never_recycled() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..2, 100).await;
    // Held open, so that nothing else can look like it.
    let failed = File::open(&world.segments()[0]).unwrap();
    faults.plant(Operation::Sync, 0, Fault::Fail(ErrorKind::Other));
    append_each(&spool, 2..3, 100).await;
    spool.consumer("link").unwrap().advance("lane", spool.durable_end());
    append_each(&spool, 3..20, 1000).await;
    assert_eq!(failed.metadata().unwrap().nlink(), 0, "it is removed and got no other name");
}

#[tokio::test]
async fn a_failed_or_short_write_loses_nothing() {
    for fault in [Fault::Fail(ErrorKind::Other), Fault::Fail(ErrorKind::StorageFull), Fault::Short(33)] {
        let world = World::new(&["link"]);
        let (disk, faults) = Disk::with_faults();
        let (spool, _) = world.open_on(disk);
        append_each(&spool, 0..2, 100).await;
        faults.plant(Operation::Write, 0, fault);
        assert!(append_all(&spool, vec![entry(2, 100), entry(3, 6000)]).await.iter().all(Result::is_ok));
        spool.close().await;
        let (spool, _) = world.open();
        assert_eq!(read_numbers(&spool.consumer("link").unwrap()).await, [0, 1, 2, 3]);
    }
}

#[tokio::test]
async fn a_disk_that_stays_broken_fails_appends_and_recovers_with_the_disk() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..2, 100).await;
    faults.plant_lasting(Operation::Sync, Fault::Fail(ErrorKind::Other));
    assert_eq!(spool.append(entry(50, 100)).await, Err(AppendError::Failed));
    assert_eq!(spool.append(entry(51, 100)).await, Err(AppendError::Failed));
    faults.lift();
    append_each(&spool, 2..4, 100).await;
    let link = spool.consumer("link").unwrap();
    assert_eq!(read_numbers(&link).await, [0, 1, 2, 3], "what was refused is not there");
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..2, 1000).await;
    faults.plant_lasting(Operation::Allocate, Fault::Fail(ErrorKind::StorageFull));
    let mut next = 2;
    let refused = loop {
        // What is reserved already can be filled.
        match spool.append(entry(next, 1000)).await {
            Ok(_) => next += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Full { .. }) && next > 5);
    faults.lift();
    append_each(&spool, next..next + 3, 1000).await;
    let link = spool.consumer("link").unwrap();
    assert_eq!(read_numbers(&link).await, (0..next + 3).collect::<Vec<_>>());
}

#[tokio::test]
async fn nothing_is_let_go_while_cursors_cannot_be_made_durable() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    let link = spool.consumer("link").unwrap();
    let positions = append_each(&spool, 0..20, 1000).await;
    assert!(spool.status().segments >= 3);
    let (before, syncs) = (world.segments(), faults.tried(Operation::Sync));
    faults.plant_lasting(Operation::Sync, Fault::Fail(ErrorKind::Other));
    link.advance("lane", positions[19]);
    assert!(link.persist().await.is_err());
    until(|| faults.tried(Operation::Sync) > syncs + 3).await;
    assert_eq!((spool.status().oldest, world.segments()), (Position::ZERO, before));
    faults.lift();
    append_each(&spool, 20..30, 1000).await;
    assert!(spool.status().oldest > positions[10]);
}

#[tokio::test]
async fn what_is_not_durable_is_not_shown() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..1, 100).await;
    let (link, end) = (spool.consumer("link").unwrap(), spool.durable_end());
    let (gate, before) = (faults.gate(Operation::Sync), faults.tried(Operation::Write));
    let mut slow = Box::pin(spool.append(entry(1, 100)));
    assert!(is_pending(&mut slow).await);
    until(|| gate.waiting() == 1).await;
    assert!(faults.tried(Operation::Write) > before, "it is written");
    assert!(is_pending(&mut slow).await, "answered before it is durable");
    assert_eq!((spool.durable_end(), read_all(&link, Position::ZERO).await.unwrap().len()), (end, 1));
    assert!(is_pending(link.read(end, 1, None)).await);
    drop(gate);
    slow.await.unwrap();
    assert_eq!(read_all(&link, Position::ZERO).await.unwrap().iter().map(number).collect::<Vec<_>>(), [0, 1]);
}

/// A log with `Durability::Os` on a disk with faults, and one record in its first segment of a mebibyte.
async fn with_os_durability() -> (World, Faults, Spool) {
    let mut world = World::new(&["link"]);
    world.config.durability = Durability::Os;
    world.config.segment_bytes = ByteSize(1 << 20);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..1, 100).await;
    (world, faults, spool)
}

#[tokio::test]
async fn os_durability_does_not_sync_commits() {
    let (world, faults, spool) = with_os_durability().await;
    let before = faults.tried(Operation::Sync);
    append_each(&spool, 1..100, 100).await;
    assert_eq!(faults.tried(Operation::Sync), before);
    spool.close().await;
    let (spool, _) = world.open();
    assert_eq!(read_numbers(&spool.consumer("link").unwrap()).await, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_orderly_end_says_nothing_of_what_could_not_be_synced() {
    let (world, faults, spool) = with_os_durability().await;
    append_each(&spool, 1..3, 100).await;
    faults.plant(Operation::Sync, 0, Fault::Fail(ErrorKind::Other));
    spool.close().await;
    let bytes = std::fs::read(&world.segments()[0]).unwrap();
    let commits = bytes.windows(7).filter(|window| *window == b"\xC5commit").count();
    assert_eq!(commits, 3, "one for each append, and no closing one");
}

#[tokio::test]
async fn a_segments_header_and_name_are_durable_before_its_first_record() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..1, 100).await;
    assert_eq!(faults.tried(Operation::Sync), 3, "header, name, record");
}

#[tokio::test]
async fn os_durability_syncs_behind_the_log_and_no_more_than_a_segment_behind() {
    let (_world, faults, spool) = with_os_durability().await;
    let gate = faults.gate(Operation::Sync);
    // Three quarters of the segment go on while the first one is on its way to the disk.
    append_each(&spool, 1..10, 100_000).await;
    until(|| gate.waiting() == 1).await;
    let mut next = Box::pin(append_each(&spool, 10..12, 100_000));
    for _ in 0..20 {
        assert!(is_pending(&mut next).await, "a power loss could take more than a segment");
        tokio::task::yield_now().await;
    }
    drop(gate);
    next.await;
    let link = spool.consumer("link").unwrap();
    assert_eq!(read_numbers(&link).await, (0..12).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_that_fails_to_sync_behind_the_log_is_not_written_or_used_again() {
    let (world, faults, spool) = with_os_durability().await;
    let (path, link) = (world.segments()[0].clone(), spool.consumer("link").unwrap());
    let failed = File::open(&path).unwrap();
    faults.plant(Operation::Sync, 0, Fault::Fail(ErrorKind::Other));
    append_each(&spool, 1..4, 100_000).await;
    until(|| faults.tried(Operation::Sync) > 2 && spool.status().counts.failed_writes == 1).await;
    let written = std::fs::read(&path).unwrap();
    append_each(&spool, 4..6, 100_000).await;
    assert_eq!((world.segments().len(), std::fs::read(&path).unwrap() == written), (2, true));
    assert_eq!(read_numbers(&link).await, (0..6).collect::<Vec<_>>());
    link.advance("lane", spool.durable_end());
    until(|| failed.metadata().unwrap().nlink() == 0).await;
    assert_eq!(spool.status().spares, 0);
}

#[tokio::test]
async fn a_file_that_somebody_still_reads_is_not_used_again() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    let positions = append_each(&spool, 0..10, 1000).await;
    let link = spool.consumer("link").unwrap();
    let gate = faults.gate(Operation::Read);
    let mut reading = Box::pin(link.read(Position::ZERO, usize::MAX, Some(positions[3])));
    // It lets others go first, once, before it begins.
    assert!(is_pending(&mut reading).await && is_pending(&mut reading).await);
    until(|| gate.waiting() == 1).await;
    // All is passed while the read is under way: every other file comes round several times.
    for number in 10..60 {
        link.advance("lane", spool.append(entry(number, 1000)).await.unwrap());
    }
    assert!(spool.status().oldest > positions[9]);
    drop(gate);
    let records = reading.await.unwrap().records;
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [0, 1, 2]);
}

#[tokio::test]
async fn what_cannot_be_read_for_now_is_neither_lost_nor_cut_off() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..10, 1000).await;
    let link = spool.consumer("link").unwrap();
    faults.plant_lasting(Operation::Read, Fault::Fail(ErrorKind::Other));
    assert!(matches!(link.read(Position::ZERO, 1, None).await, Err(ReadError::Io(_))));
    faults.plant(Operation::Sync, 0, Fault::Crash(Torn::Prefix(0)));
    spool.close().await;
    assert_eq!(spool.status().counts.quarantined, 0);
    let mut at = 0;
    loop {
        let (disk, faults) = Disk::with_faults();
        faults.plant(Operation::Read, at, Fault::Fail(ErrorKind::Other));
        match Spool::open(world.config.clone(), world.clock.clone(), disk) {
            Err(OpenError::Io(_)) => at += 1,
            Err(error) => panic!("{error}"),
            Ok((spool, recovered)) => {
                assert!(faults.tried(Operation::Read) <= at, "whoever cannot read does not start");
                faults.lift();
                assert_eq!((recovered.records, recovered.quarantined.len()), (10, 0));
                assert_eq!(read_numbers(&spool.consumer("link").unwrap()).await, (0..10).collect::<Vec<_>>());
                break;
            }
        }
    }
    assert!(at >= 4, "headers and contents of two segments at least: {at}");
}

#[tokio::test]
async fn what_a_killed_process_wrote_is_durable_before_anyone_reads_it() {
    let mut world = World::new(&["link"]);
    world.config.durability = Durability::Os;
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..3, 1000).await;
    faults.plant(Operation::Sync, 0, Fault::Crash(Torn::Prefix(0)));
    spool.close().await;
    let (disk, faults) = Disk::with_faults();
    faults.plant_lasting(Operation::Sync, Fault::Fail(ErrorKind::Other));
    let opened = Spool::open(world.config.clone(), world.clock.clone(), disk);
    assert!(matches!(opened, Err(OpenError::Io(_))), "it is not shown as long as it cannot be synced");
    assert_eq!(read_numbers(&world.open().0.consumer("link").unwrap()).await, [0, 1, 2]);
}
