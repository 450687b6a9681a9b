//! Shares, ages and the ingest budget: who lets go, who refuses, and that nobody else notices.

use std::time::Duration;

use tollgate_config::ByteSize;
use tollgate_disk::{Disk, Operation};
use tollgate_spool::{AppendError, Consumer, Position, ReadError, WhenFull};

use crate::world::{AMPLE, SEGMENT, World, append_each, consumer, entry, number, read_all, until};

/// Reads what is there and passes it.
async fn follow(consumer: &Consumer, at: &mut Position) -> Vec<u64> {
    let records = read_all(consumer, *at).await.unwrap();
    *at = consumer.durable_end();
    consumer.advance("lane", *at);
    records.iter().map(number).collect()
}

#[tokio::test]
async fn a_dead_consumer_lets_go_of_its_own_and_nobody_else_notices() {
    let mut world = World::new(&[]);
    world.config.disk = ByteSize(16 * SEGMENT);
    world.config.consumers =
        vec![consumer("dead", ByteSize(6 * SEGMENT), WhenFull::Expire), consumer("alive", AMPLE, WhenFull::Expire)];
    let (spool, _) = world.open();
    let (dead, alive) = (spool.consumer("dead").unwrap(), spool.consumer("alive").unwrap());
    dead.advance("lane", Position::ZERO);
    let (mut at, mut seen) = (Position::ZERO, Vec::new());
    for number in 0..400 {
        spool.append(entry(number, 700)).await.unwrap();
        if number % 50 == 49 {
            seen.extend(follow(&alive, &mut at).await);
        }
        assert!(spool.status().disk_bytes <= 16 * SEGMENT);
    }
    assert_eq!(seen, (0..400).collect::<Vec<_>>());
    let status = spool.status();
    let [dead_status, alive_status] = &status.consumers[..] else { panic!() };
    // Looked at with every new segment.
    assert!(dead_status.held <= 7 * SEGMENT, "{}", dead_status.held);
    assert!(dead_status.held > 5 * SEGMENT, "no more is let go than needed: {}", dead_status.held);
    assert_eq!((alive_status.expired, alive_status.lag, status.counts.refused), (0, 0, 0));

    let Err(ReadError::Expired { resume, bytes }) = dead.read(Position::ZERO, 1, None).await else { panic!() };
    assert_eq!((bytes, dead_status.expired), (resume.value(), resume.value()));
    assert_eq!(dead.cursors()["lane"], resume);
    let rest: Vec<u64> = read_all(&dead, resume).await.unwrap().iter().map(number).collect();
    assert_eq!(rest, (rest[0]..400).collect::<Vec<_>>(), "said once, then the rest is whole");
}

#[tokio::test]
async fn records_past_their_age_expire_for_the_consumer_that_said_so() {
    let mut world = World::new(&["patient", "hasty"]);
    world.config.consumers[1].max_age = Duration::from_secs(3600);
    let (spool, _) = world.open();
    let positions = append_each(&spool, 0..4, 100).await;
    world.hand.advance(Duration::from_secs(1800));
    append_each(&spool, 4..8, 100).await;
    let middle = positions[3].value() + (positions[1].value() - positions[0].value());
    world.hand.advance(Duration::from_secs(2000));
    until(|| spool.status().consumers[1].expired > 0).await;
    let (patient, hasty) = (spool.consumer("patient").unwrap(), spool.consumer("hasty").unwrap());
    assert!(hasty.floor().value() <= middle, "what is younger than its age stays");
    let kept = read_all(&hasty, hasty.floor()).await.unwrap();
    assert_eq!(number(&kept[0]), 3, "and what lies directly before it, whose age is not looked up");
    assert_eq!(read_all(&patient, Position::ZERO).await.unwrap().len(), 8);
    world.hand.advance(Duration::from_secs(1700));
    until(|| spool.status().consumers[1].lag == 0).await;
    assert_eq!(spool.status().consumers[0].expired, 0);
}

#[tokio::test]
async fn a_consumer_that_refuses_stops_intake_until_it_caught_up() {
    let mut world = World::new(&[]);
    world.config.consumers = vec![consumer("audit", ByteSize(3000), WhenFull::Refuse)];
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    let audit = spool.consumer("audit").unwrap();
    let positions = append_each(&spool, 0..2, 1000).await;
    let full = spool.append(entry(2, 1000)).await.unwrap_err();
    assert!(matches!(full, AppendError::Full { retry_after } if retry_after > Duration::ZERO));
    audit.advance("lane", positions[1]);
    spool.append(entry(2, 1000)).await.unwrap();
    world.hand.advance(Duration::from_secs(80 * 3600));
    assert!(matches!(spool.append(entry(3, 10)).await, Err(AppendError::Full { .. })), "past its age");
    // Whatever is due every now and then is done once more.
    let saved = faults.tried(Operation::Rename);
    audit.advance("lane", positions[1]);
    until(|| faults.tried(Operation::Rename) > saved).await;
    let status = spool.status();
    assert_eq!((status.counts.refused, status.consumers[0].expired), (2, 0));
    assert_eq!(read_all(&audit, positions[1]).await.unwrap().len(), 2, "it has let go of nothing");
    audit.advance("lane", spool.durable_end());
    spool.append(entry(3, 10)).await.unwrap();
}

#[tokio::test]
async fn the_ingest_budget_refuses_and_consumers_free_it() {
    let mut world = World::new(&[]);
    world.config.disk = ByteSize(4 * SEGMENT);
    world.config.consumers = vec![consumer("audit", AMPLE, WhenFull::Refuse)];
    let (spool, _) = world.open();
    let audit = spool.consumer("audit").unwrap();
    let mut numbers = 0..;
    let mut last = Position::ZERO;
    let refused = loop {
        match spool.append(entry(numbers.next().unwrap(), 1000)).await {
            Ok(position) => last = position,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Full { .. }));
    assert!(spool.status().disk_bytes == 4 * SEGMENT && numbers.start > 20);
    audit.advance("lane", last);
    spool.append(entry(99, 1000)).await.unwrap();
    let records = read_all(&audit, last).await.unwrap();
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [numbers.start - 2, 99]);
}

#[tokio::test]
async fn age_and_lag_are_told_per_lane() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    let first = append_each(&spool, 0..1, 100).await[0];
    world.hand.advance(Duration::from_secs(600));
    let second = append_each(&spool, 1..2, 100).await[0];
    world.hand.advance(Duration::from_secs(60));
    let link = spool.consumer("link").unwrap();
    link.advance("a", first);
    link.advance("b", second);
    link.advance("c", spool.durable_end());
    let status = spool.status();
    let lanes = &status.consumers[0].lanes;
    assert_eq!(lanes.iter().map(|lane| lane.age.as_secs()).collect::<Vec<_>>(), [660, 60, 0]);
    assert!(lanes[0].lag > lanes[1].lag && lanes[2].lag == 0);
    assert_eq!(status.consumers[0].age.as_secs(), 660);
}

#[tokio::test]
async fn a_share_beyond_the_budget_does_not_stop_intake() {
    let mut world = World::new(&["dead"]);
    world.config.disk = ByteSize(4 * SEGMENT);
    let (spool, _) = world.open();
    let dead = spool.consumer("dead").unwrap();
    dead.advance("lane", Position::ZERO);
    append_each(&spool, 0..60, 1000).await;
    let status = spool.status();
    assert_eq!((status.counts.refused, status.consumers[0].share), (0, 2 * SEGMENT));
    assert!(status.disk_bytes <= 4 * SEGMENT && status.consumers[0].expired > 0);
}
