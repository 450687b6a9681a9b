//! Looking at a log from outside while it runs.

use std::time::Duration;

use tollgate_spool::{Position, inspect};

use crate::world::{World, append_each, entry};

#[tokio::test]
async fn a_running_log_can_be_inspected() {
    let world = World::new(&["link", "backend"]);
    let (spool, _) = world.open();
    let mut positions = append_each(&spool, 0..20, 1000).await;
    world.hand.advance(Duration::from_secs(5));
    positions.extend(append_each(&spool, 20..21, 10_000 - 3000).await);
    let link = spool.consumer("link").unwrap();
    link.advance("a", positions[3]);
    link.advance("b", spool.durable_end());
    link.set_journal(bytes::Bytes::from_static(b"secret"));
    link.persist().await.unwrap();
    let seen = inspect(world.dir.path()).unwrap();

    assert_eq!(seen.segments.len(), spool.status().segments);
    assert_eq!(seen.segments[0].base, Position::ZERO);
    assert_eq!(seen.segments.last().unwrap().end, spool.durable_end());
    assert!(seen.segments.windows(2).all(|pair| pair[0].end == pair[1].base));
    assert_eq!(seen.segments.last().unwrap().first_arrival.unwrap().nanos(), 6_000_000_000);
    let link = &seen.consumers[1];
    assert_eq!((link.name.as_str(), link.floor, link.journal_bytes), ("link", positions[3], 6));
    let [a, b] = &link.lanes[..] else { panic!() };
    assert_eq!((a.lag, b.lag), (spool.durable_end().since(positions[3]), 0));
    assert_eq!(a.waiting_since.unwrap().nanos(), 1_000_000_000);
    assert_eq!(b.waiting_since, None);
    assert!((seen.quarantined, seen.spares, seen.unreadable.len()) == (0, 0, 0));
}

#[test]
fn what_is_not_a_log_is_an_error_or_empty() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(inspect(dir.path()).unwrap(), tollgate_spool::Inspection::default());
    assert!(inspect(&dir.path().join("missing")).is_err());
}

#[tokio::test]
async fn inspecting_changes_nothing_and_shows_no_payload() {
    let world = World::new(&["link"]);
    let (spool, _) = world.open();
    let mut canary = entry(1, 10);
    canary.payload = bytes::Bytes::from_static(b"canary-payload");
    spool.append(canary).await.unwrap();
    spool.close().await;
    let names = || {
        let mut names: Vec<_> =
            std::fs::read_dir(world.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let seen = inspect(world.dir.path()).unwrap();
    assert!(!format!("{seen:?}").contains("canary"));
    assert_eq!(names(), before);
}
