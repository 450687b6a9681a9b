//! Lanes of one consumer at different speeds, one of them dead past the consumer's share.

use std::collections::BTreeMap;

use tollgate_config::ByteSize;
use tollgate_spool::{Consumer, Position, ReadError, Spool, WhenFull};

use crate::world::{AMPLE, SEGMENT, World, append_each, consumer, entry, number, read_all};

const SHARE: u64 = 8 * SEGMENT;
const SIZE: usize = 700;

/// A destination: reads on from where it is, at its own pace.
struct Lane {
    name: &'static str,
    /// Reads every so many records.
    every: u64,
    at: Position,
    seen: Vec<u64>,
    /// Bytes that it was told have expired.
    missed: u64,
}

impl Lane {
    fn new(name: &'static str, every: u64) -> Self {
        Self { name, every, at: Position::ZERO, seen: Vec::new(), missed: 0 }
    }

    /// Takes about `max_bytes`, as far as it is allowed to.
    async fn take(&mut self, link: &Consumer, max_bytes: usize) {
        if self.at == link.durable_end() {
            return;
        }
        match link.read(self.at, max_bytes, None).await {
            Ok(chunk) => {
                self.seen.extend(chunk.records.iter().map(number));
                self.at = chunk.end;
            }
            Err(ReadError::Expired { resume, bytes }) => {
                assert_eq!((resume.since(self.at), link.cursors()[self.name]), (bytes, resume));
                (self.at, self.missed) = (resume, self.missed + bytes);
            }
            Err(error) => panic!("{error}"),
        }
        link.advance(self.name, self.at);
    }
}

fn dead(link: &Consumer) -> Position {
    link.cursors()["dead"]
}

/// What holds at every moment, whatever each lane does.
fn check(spool: &Spool, link: &Consumer, before: &BTreeMap<String, Position>, world: &World) {
    let (status, cursors) = (spool.status(), link.cursors());
    let slowest = *cursors.values().min().unwrap();
    assert_eq!(link.floor(), slowest);
    assert!(status.oldest <= slowest, "a segment was let go in front of the slowest lane");
    assert!(status.consumers[0].held <= SHARE + SEGMENT, "looked at with every new segment");
    assert_eq!((status.consumers[1].expired, status.counts.refused, status.counts.quarantined), (0, 0, 0));
    let moved: Vec<&str> = before.keys().map(String::as_str).filter(|lane| cursors[*lane] != before[*lane]).collect();
    assert!(moved.is_empty() || moved == ["dead"], "appending moved {moved:?}");
    assert!(world.files().iter().sum::<u64>() <= world.config.disk.0);
}

#[tokio::test]
async fn a_dead_lane_costs_the_others_nothing_and_segments_wait_for_the_slowest() {
    let mut world = World::new(&[]);
    world.config.disk = ByteSize(24 * SEGMENT);
    world.config.consumers =
        vec![consumer("link", ByteSize(SHARE), WhenFull::Expire), consumer("backend", AMPLE, WhenFull::Expire)];
    let (spool, _) = world.open();
    let (link, backend) = (spool.consumer("link").unwrap(), spool.consumer("backend").unwrap());
    let [mut fast, mut slow] = [Lane::new("fast", 1), Lane::new("slow", 8)];
    for lane in ["dead", "fast", "slow"] {
        link.advance(lane, Position::ZERO);
    }
    for record in 0..600 {
        let before = link.cursors();
        spool.append(entry(record, SIZE)).await.unwrap();
        check(&spool, &link, &before, &world);
        for lane in [&mut fast, &mut slow] {
            if record % lane.every == 0 {
                lane.take(&link, usize::MAX).await;
            }
        }
        backend.advance("only", backend.durable_end());
    }
    let all: Vec<u64> = (0..600).collect();
    assert_eq!((fast.seen.as_slice(), slow.seen.as_slice()), (&all[..], &all[..slow.seen.len()]));
    assert_eq!((fast.missed, slow.missed), (0, 0), "only the dead lane lets go");
    let expired = spool.status().consumers[0].expired;
    assert!(expired > 30 * SEGMENT && expired == dead(&link).value());

    // It comes back: told once how much it missed, then all the rest.
    let mut woken = Lane::new("dead", 1);
    while woken.at < link.durable_end() {
        woken.take(&link, 1500).await;
    }
    assert_eq!(woken.missed, expired);
    assert_eq!(woken.seen, all[all.len() - woken.seen.len()..]);
    assert!(woken.seen.len() as u64 * SIZE as u64 > SHARE / 2, "no more was let go than needed");
    // From now on the slow lane holds the log, and then nobody.
    assert_eq!(link.floor(), slow.at);
    slow.take(&link, usize::MAX).await;
    while slow.at < link.durable_end() {
        slow.take(&link, usize::MAX).await;
    }
    assert_eq!(slow.seen, all);
}

#[tokio::test]
async fn a_segment_is_used_again_only_behind_the_slowest_lane() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    let link = spool.consumer("link").unwrap();
    let positions = append_each(&spool, 0..30, 1500).await;
    let files = world.segments();
    for lane in ["a", "b", "c"] {
        link.advance(lane, Position::ZERO);
    }
    for (lane, passed) in [("a", 29), ("b", 14), ("c", 9)] {
        link.advance(lane, positions[passed]);
    }
    for slowest in [9, 14, 29] {
        // Enough to begin several segments, which look for files to use again.
        append_each(&spool, 100..110, 1500).await;
        let held = files.iter().filter(|file| file.exists()).count();
        // Four records fill a segment, and the one that the slowest lane stands in stays.
        assert_eq!(held, files.len() - slowest / 4, "the slowest is at {slowest}");
        let records = read_all(&link, positions[slowest]).await.unwrap();
        let old: Vec<u64> = records.iter().map(number).take_while(|number| *number < 100).collect();
        assert_eq!(old, (slowest as u64..30).collect::<Vec<_>>());
        link.remove_lane(match slowest {
            9 => "c",
            _ => "b",
        });
    }
}
