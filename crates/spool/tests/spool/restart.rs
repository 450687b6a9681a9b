//! What a start costs and finds in segments of ordinary size: what was written, not what was reserved.

use tollgate_config::ByteSize;
use tollgate_disk::{Disk, Fault, Operation, Torn};
use tollgate_spool::{Position, ReadError};

use crate::world::{World, append_each, entry, find, flip, number, read_all, read_numbers};

const MIB: u64 = 1 << 20;
/// What a start may read without need: its last piece, and the headers.
const SLACK: u64 = MIB;

fn world(segment: u64) -> World {
    let mut world = World::new(&["link"]);
    world.config.segment_bytes = ByteSize(segment);
    world
}

/// Opens the log; says how much was read for it.
fn bytes_read(world: &World, records: u64) -> u64 {
    let (disk, faults) = Disk::with_faults();
    let (_spool, recovered) = world.open_on(disk);
    assert_eq!((recovered.records, recovered.truncated_bytes, recovered.quarantined.len()), (records, 0, 0));
    faults.read()
}

#[tokio::test]
async fn after_a_kill_a_start_does_not_read_what_was_only_reserved() {
    let world = world(64 * MIB);
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    append_each(&spool, 0..5, 300_000).await;
    faults.plant(Operation::Sync, 0, Fault::Crash(Torn::Prefix(0)));
    spool.close().await;
    assert_eq!(std::fs::metadata(&world.segments()[0]).unwrap().len(), 64 * MIB);
    let read = bytes_read(&world, 5);
    assert!((1_500_000..1_500_000 + SLACK).contains(&read), "{read}");
}

#[tokio::test]
async fn after_an_orderly_end_a_start_does_not_read_what_a_used_file_held_before() {
    let world = world(8 * MIB);
    let (spool, _) = world.open();
    let link = spool.consumer("link").unwrap();
    for number in 0..40 {
        spool.append(entry(number, 1_000_000)).await.unwrap();
        link.advance("lane", spool.durable_end());
    }
    // Behind this much lie records of the time before.
    let begun = world.segments().last().unwrap().clone();
    while world.segments().last().unwrap() == &begun {
        spool.append(entry(40, 1_000_000)).await.unwrap();
    }
    let last = std::fs::metadata(world.segments().last().unwrap()).unwrap();
    link.advance("lane", spool.durable_end());
    append_each(&spool, 41..42, 1_000_000).await;
    spool.close().await;
    assert_eq!(last.len(), 8 * MIB);
    let read = bytes_read(&world, 2);
    assert!((2_000_000..2_000_000 + SLACK).contains(&read), "{read}");
}

/// Records of which some are larger than what is read at once, and some lie across its end.
async fn records_of_many_sizes(world: &World) -> u64 {
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    let sizes = [1, 70_000, 262_144, 900_000, 0, 262_000, 524_288, 33, 130_000, 1_900_000];
    let mut count = 0;
    for size in sizes.into_iter().chain(std::iter::repeat_n(70_003, 30)) {
        spool.append(entry(count, size)).await.unwrap();
        count += 1;
    }
    faults.plant(Operation::Sync, 0, Fault::Crash(Torn::Prefix(0)));
    spool.close().await;
    count
}

#[tokio::test]
async fn records_of_every_size_are_found_again() {
    let world = world(2 * MIB);
    let count = records_of_many_sizes(&world).await;
    let (spool, recovered) = world.open();
    assert_eq!((recovered.records, recovered.quarantined.len(), recovered.truncated_bytes), (count, 0, 0));
    assert!(world.segments().len() > 3);
    assert_eq!(read_numbers(&spool.consumer("link").unwrap()).await, (0..count).collect::<Vec<_>>());
}

#[tokio::test]
async fn damage_far_below_the_durable_point_is_told_from_a_torn_tail() {
    let world = world(16 * MIB);
    let count = records_of_many_sizes(&world).await;
    let segment = &world.segments()[0];
    // The next commit that can be read lies nearly two million bytes behind it.
    flip(segment, find(segment, &entry(9, 1_900_000).payload) + 5);
    let (spool, recovered) = world.open();
    let [lost] = recovered.quarantined[..] else { panic!("{recovered:?}") };
    assert_eq!(recovered.truncated_bytes, 0);
    let link = spool.consumer("link").unwrap();
    let before = link.read(Position::ZERO, usize::MAX, Some(lost.from)).await.unwrap().records;
    assert_eq!(before.iter().map(number).collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
    let Err(ReadError::Corrupt { resume, .. }) = link.read(lost.from, 1, None).await else { panic!() };
    // Nobody says that the last commit was durable.
    assert!(lost.bytes > 1_900_000 + (count - 11) * 70_000, "{lost:?}");
    assert!(read_all(&link, resume).await.unwrap().is_empty());
}
