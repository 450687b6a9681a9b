//! Appending, reading and cursors as long as nothing goes wrong.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bytes::Bytes;
use tollgate_config::ByteSize;
use tollgate_disk::{Disk, Operation};
use tollgate_runtime::Timestamp;
use tollgate_spool::{AppendError, ConfigError, OpenError, Position, ReadError, Spool, Start};

use crate::world::{World, append_all, append_each, entry, flip, is_pending, number, read_all, read_numbers, until};

#[tokio::test]
async fn records_read_back_as_they_were_appended_and_tile_the_log() {
    let world = World::new(&["sampler"]);
    let (spool, _) = world.open();
    let positions = append_each(&spool, 0..40, 900).await;
    let consumer = spool.consumer("sampler").unwrap();
    let records = read_all(&consumer, Position::ZERO).await.unwrap();
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), (0..40).collect::<Vec<_>>());
    assert_eq!(records.iter().map(|record| record.position).collect::<Vec<_>>(), positions);
    assert!(records.windows(2).all(|pair| pair[0].end == pair[1].position), "also over the ends of segments");
    assert_eq!(records.last().unwrap().end, spool.durable_end());
    assert!(spool.status().segments > 3);
}

#[tokio::test]
async fn reading_stops_at_the_bound_and_at_the_size() {
    let mut world = World::new(&["sampler"]);
    for recent in [0, 1 << 20] {
        world.config.recent = ByteSize(recent);
        let (spool, _) = world.open();
        let positions = append_each(&spool, 0..10, 300).await;
        let consumer = spool.consumer("sampler").unwrap();
        let chunk = consumer.read(positions[2], usize::MAX, Some(positions[5])).await.unwrap();
        assert_eq!((chunk.records.len(), chunk.end), (3, positions[5]));
        let chunk = consumer.read(positions[2], 1, None).await.unwrap();
        assert_eq!((chunk.records.len(), chunk.end), (1, positions[3]));
        let chunk = consumer.read(positions[5], 1, Some(positions[5])).await.unwrap();
        assert_eq!((chunk.records.len(), chunk.end), (0, positions[5]));
        spool.close().await;
    }
}

#[tokio::test]
async fn read_waits_for_what_is_durable_and_ends_with_the_log() {
    let world = World::new(&["sampler"]);
    let (spool, _) = world.open();
    let consumer = spool.consumer("sampler").unwrap();
    assert!(is_pending(consumer.read(Position::ZERO, 1, None)).await);
    let (read, appended) = tokio::join!(consumer.read(Position::ZERO, 1, None), spool.append(entry(5, 10)));
    assert_eq!(number(&read.unwrap().records[0]), 5);
    appended.unwrap();
    let end = spool.durable_end();
    let (read, ()) = tokio::join!(consumer.read(end, 1, None), spool.close());
    assert!(matches!(read, Err(ReadError::Closed)));
    assert_eq!(consumer.read(Position::ZERO, 1, None).await.unwrap().end, end, "what is there can still be read");
    assert_eq!(spool.append(entry(6, 10)).await, Err(AppendError::Closed));
}

#[tokio::test]
async fn whoever_keeps_up_never_reads_the_disk() {
    let mut world = World::new(&["sampler"]);
    world.config.recent = ByteSize(4 << 10);
    let (spool, _) = world.open();
    let positions = append_each(&spool, 0..6, 1000).await;
    let segment = &world.segments()[0];
    let last = crate::world::find(segment, &entry(5, 1000).payload);
    flip(segment, last + 3);
    let consumer = spool.consumer("sampler").unwrap();
    assert_eq!(read_all(&consumer, positions[3]).await.unwrap().len(), 3, "the damaged file is not looked at");
    assert_eq!(consumer.read(positions[0], 1, None).await.unwrap().records.len(), 1, "what is older comes from disk");
}

#[tokio::test]
async fn a_commit_is_one_write_and_one_sync_of_all_that_waited() {
    let mut world = World::new(&["sampler"]);
    world.config.segment_bytes = ByteSize(1 << 20);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    spool.append(entry(0, 10)).await.unwrap();
    let gate = faults.gate(Operation::Sync);
    let mut first = Box::pin(spool.append(entry(1, 10)));
    assert!(is_pending(&mut first).await);
    until(|| gate.waiting() == 1).await;
    let before = (spool.status().counts, faults.tried(Operation::Write), faults.tried(Operation::Sync));
    let entries = (2..200).map(|number| entry(number, if number % 4 == 0 { 5000 } else { 10 })).collect();
    let mut rest = Box::pin(append_all(&spool, entries));
    assert!(is_pending(&mut rest).await);
    drop(gate);
    assert!(first.await.is_ok() && rest.await.iter().all(Result::is_ok));
    let after = (spool.status().counts, faults.tried(Operation::Write), faults.tried(Operation::Sync));
    assert_eq!(
        (after.0.appended, after.0.commits - before.0.commits),
        (200, 2),
        "while one syncs, all others wait together"
    );
    // The one that was under way had written already; the cursors may have been saved meanwhile.
    assert!((1..=2).contains(&(after.1 - before.1)), "{} writes", after.1 - before.1);
    assert_eq!(after.2 - before.2, 1, "one more sync");
}

#[tokio::test]
async fn bytes_written_are_few_more_than_the_payload() {
    let mut world = World::new(&["sampler"]);
    world.config.segment_bytes = ByteSize(8 << 20);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    let consumer = spool.consumer("sampler").unwrap();
    let mut payload = 0;
    for number in 0..60 {
        let size = 500 << 10;
        let at = spool.append(entry(number, size)).await.unwrap();
        consumer.advance("lane", at);
        payload += size as u64;
    }
    spool.close().await;
    let ratio = faults.written() as f64 / payload as f64;
    assert!(ratio <= 1.05, "{ratio}");
    assert!(spool.status().disk_bytes <= 5 * (8 << 20), "segments were used again");
}

#[tokio::test]
async fn an_abandoned_append_keeps_its_record() {
    let world = World::new(&["sampler"]);
    let (spool, _) = world.open();
    assert!(is_pending(spool.append(entry(1, 100))).await);
    spool.append(entry(2, 100)).await.unwrap();
    assert_eq!(read_numbers(&spool.consumer("sampler").unwrap()).await, [1, 2]);
}

#[tokio::test]
async fn a_record_larger_than_a_segment_is_refused_and_the_largest_is_not() {
    let world = World::new(&["sampler"]);
    let (spool, _) = world.open();
    let mut size = 8192;
    while spool.append(entry(0, size)).await == Err(AppendError::TooLarge) {
        size -= 1;
    }
    assert!(size > 7700);
    assert_eq!(read_numbers(&spool.consumer("sampler").unwrap()).await, [0]);
}

#[tokio::test]
async fn stamps_never_go_back_over_a_restart() {
    let world = World::new(&["sampler"]);
    let (spool, _) = world.open();
    world.hand.advance(Duration::from_secs(100));
    append_each(&spool, 0..3, 10).await;
    spool.close().await;
    let earlier = tollgate_runtime::Clock::manual(Timestamp::from_nanos(5)).0;
    let (spool, _) = Spool::open(world.config.clone(), earlier, Disk::real()).unwrap();
    append_each(&spool, 3..5, 10).await;
    let records = read_all(&spool.consumer("sampler").unwrap(), Position::ZERO).await.unwrap();
    let stamps: Vec<u64> = records.iter().map(|record| record.arrival.nanos()).collect();
    assert_eq!(stamps, [101_000_000_000; 5]);
}

#[tokio::test]
async fn cursors_lanes_and_journal_survive() {
    let world = World::new(&["link", "backend"]);
    let (spool, _) = world.open();
    let positions = append_each(&spool, 0..20, 1500).await;
    let link = spool.consumer("link").unwrap();
    link.advance("a", positions[3]);
    link.advance("b", positions[5]);
    link.advance("gone", positions[4]);
    link.remove_lane("gone");
    link.set_journal(Bytes::from_static(b"members"));
    link.persist().await.unwrap();
    spool.close().await;
    let (spool, _) = world.open();
    let link = spool.consumer("link").unwrap();
    assert_eq!(link.cursors(), [("a".to_owned(), positions[3]), ("b".to_owned(), positions[5])].into());
    assert_eq!((link.journal(), link.floor()), (Bytes::from_static(b"members"), positions[3]));
    assert!(spool.consumer("backend").unwrap().cursors().is_empty());
    assert!(spool.consumer("link").is_none() && spool.consumer("unknown").is_none());
}

#[tokio::test]
async fn segments_stay_until_every_lane_of_every_consumer_has_passed() {
    let world = World::new(&["link", "backend"]);
    let (spool, _) = world.open();
    let positions = append_each(&spool, 0..30, 1500).await;
    let (link, backend) = (spool.consumer("link").unwrap(), spool.consumer("backend").unwrap());
    backend.advance("only", positions[29]);
    link.advance("slow", positions[1]);
    link.advance("fast", positions[29]);
    append_each(&spool, 30..40, 1500).await;
    assert_eq!(spool.status().oldest, Position::ZERO);
    assert_eq!(read_all(&link, positions[1]).await.unwrap().len(), 39);
    link.advance("slow", positions[20]);
    append_each(&spool, 40..50, 1500).await;
    let status = spool.status();
    assert!(status.oldest > positions[10] && status.oldest <= positions[20]);
    assert_eq!(read_all(&link, positions[20]).await.unwrap().len(), 30, "recycled files hold only new records");
}

#[tokio::test]
async fn files_of_a_burst_serve_the_next_one_and_are_given_back_when_none_comes() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    let link = spool.consumer("link").unwrap();
    let burst = async |numbers| {
        append_each(&spool, numbers, 1500).await;
        let segments = spool.status().segments;
        link.advance("lane", spool.durable_end());
        until(|| spool.status().segments == 1).await;
        assert!(segments > 10);
        world.files().len()
    };
    let files = burst(0..60).await;
    assert!(files > 10, "all of them wait to be used again");
    assert_eq!(burst(60..120).await, files, "and no other was made");
    // Names and their number go one after the other; fewer than these are never left, and one is written to.
    until(|| {
        world.hand.advance(Duration::from_secs(60));
        (world.files().len(), spool.status().spares) == (3, 2)
    })
    .await;
    world.hand.advance(Duration::from_secs(600));
    assert_eq!((world.files().len(), spool.status().spares), (3, 2));
}

#[tokio::test]
async fn what_is_in_memory_is_read_without_the_disk_as_far_as_it_goes() {
    let world = World::new(&["link"]);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..20, 1500).await;
    let link = spool.consumer("link").unwrap();
    // Nothing, half a record, a record and a half, all.
    for (cached, from_disk) in [(0, true), (700, true), (2400, false), (usize::MAX, false)] {
        faults.cache(cached);
        let before = faults.tried(Operation::Read);
        assert_eq!(read_numbers(&link).await, (0..20).collect::<Vec<_>>());
        assert_eq!(faults.tried(Operation::Read) > before, from_disk, "{cached} bytes are cached");
    }
}

#[tokio::test]
async fn a_backlog_in_memory_leaves_time_for_others() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    append_each(&spool, 0..60, 1500).await;
    let link = spool.consumer("link").unwrap();
    let mut turns = 0;
    let others = async {
        loop {
            turns += 1;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        // Both are only dropped at the end.
        biased;
        read = read_numbers(&link) => assert_eq!(read.len(), 60),
        () = others => {}
    }
    assert!(turns >= spool.status().segments - 1, "others had {turns} turns");
}

#[tokio::test]
async fn a_new_consumer_begins_where_it_is_told() {
    let mut world = World::new(&["sampler"]);
    let (spool, _) = world.open();
    append_each(&spool, 0..4, 100).await;
    let end = spool.durable_end();
    spool.close().await;
    for (name, start) in [("old", Start::Oldest), ("new", Start::End)] {
        let mut config = crate::world::consumer(name, crate::world::AMPLE, tollgate_spool::WhenFull::Expire);
        config.start = start;
        world.config.consumers.push(config);
    }
    let (spool, _) = world.open();
    assert_eq!(spool.consumer("old").unwrap().floor(), Position::ZERO);
    assert_eq!(spool.consumer("new").unwrap().floor(), end);
}

#[tokio::test]
async fn one_process_holds_the_directory() {
    let world = World::new(&["sampler"]);
    let (spool, _) = world.open();
    let second = || Spool::open(world.config.clone(), world.clock.clone(), Disk::real());
    assert!(matches!(second(), Err(OpenError::Locked)));
    spool.close().await;
    assert!(second().is_ok());
}

#[tokio::test]
async fn everything_is_for_the_owner_only() {
    let world = World::new(&["sampler"]);
    let (spool, _) = world.open();
    append_each(&spool, 0..20, 1000).await;
    spool.close().await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.dir.path()), 0o700);
    let files: Vec<_> = std::fs::read_dir(world.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 3 && files.iter().all(|path| mode(path) == 0o600));
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let mut world = World::new(&["a", "a"]);
    let open = |world: &World| match Spool::open(world.config.clone(), world.clock.clone(), Disk::real()) {
        Err(OpenError::Config(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(open(&world), ConfigError::DuplicateConsumer("a".to_owned()));
    world.config.consumers.pop();
    world.config.disk = ByteSize(3 * world.config.segment_bytes.0);
    assert_eq!(open(&world), ConfigError::DiskBudget);
    for size in [0, 100, 4 << 30] {
        world.config.segment_bytes = ByteSize(size);
        assert_eq!(open(&world), ConfigError::SegmentSize);
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let mut world = World::new(&["a"]);
    // Read-only also for root.
    world.config.dir = "/proc/tollgate".into();
    assert!(matches!(Spool::open(world.config.clone(), world.clock.clone(), Disk::real()), Err(OpenError::Io(_))));
}
