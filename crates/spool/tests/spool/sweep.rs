//! Every single operation on the disk fails once, and the machine dies at every single one.
//!
//! Guarantees: what was acknowledged is read back in order, once, while the log runs and after a restart; a consumer's
//! floor is never beyond what it passed, and never before what was persisted; neither is mistaken for damage.

use std::io::ErrorKind;

use tollgate_disk::{Disk, Fault, Faults, Operation, Torn};
use tollgate_spool::{Consumer, Durability, Position, Spool};

use crate::world::{World, append_all, entry, number, read_all};

const OPERATIONS: [Operation; 4] = [Operation::Allocate, Operation::Write, Operation::Sync, Operation::Rename];
/// Two records fill a segment.
const SIZE: usize = 3500;

/// What a run was told.
#[derive(Default)]
struct Told {
    acknowledged: Vec<(Position, u64)>,
    handed_over: u64,
    passed: Position,
    persisted: Position,
}

/// Appends, reads behind, passes and persists: over many segments, of which most are used again.
async fn run(spool: &Spool, link: &Consumer) -> Told {
    let mut told = Told::default();
    for turn in 0..8 {
        let numbers = told.handed_over..told.handed_over + 2;
        told.handed_over = numbers.end;
        let answers = append_all(spool, numbers.clone().map(|number| entry(number, SIZE)).collect()).await;
        let taken = numbers.zip(answers).filter_map(|(number, answer)| Some((answer.ok()?, number)));
        told.acknowledged.extend(taken);
        if turn % 2 == 1 {
            told.passed = told.acknowledged.last().map_or(Position::ZERO, |(position, _)| *position);
            link.advance("lane", told.passed);
        }
        if turn == 5 && link.persist().await.is_ok() {
            told.persisted = told.passed;
        }
    }
    told
}

impl Told {
    /// All from the floor on is there; what was not answered may be.
    async fn is_kept_by(&self, link: &Consumer, when: &str) {
        let floor = link.floor();
        assert!((self.persisted..=self.passed).contains(&floor), "{when}: {floor}");
        let records = read_all(link, floor).await.unwrap();
        assert!(records.windows(2).all(|pair| pair[0].end <= pair[1].position), "{when}");
        let found: Vec<_> = records.iter().map(|record| (record.position, number(record))).collect();
        let known = self.acknowledged.iter().filter(|(position, _)| *position >= floor);
        assert!(known.clone().all(|record| found.contains(record)), "{when}: something acknowledged is missing");
        let acknowledged = |number: &u64| self.acknowledged.iter().any(|(_, known)| known == number);
        let more: Vec<u64> = found.iter().map(|(_, number)| *number).filter(|number| !acknowledged(number)).collect();
        assert!(more.iter().all(|number| *number < self.handed_over) && more.is_sorted(), "{when}: {more:?}");
        assert_eq!(found.len(), known.count() + more.len(), "{when}: once each");
    }
}

/// Runs the log on a disk that `plant` has prepared, then starts it again. Says whether the fault struck.
async fn strike(durability: Durability, at: u64, operation: Operation, fault: Fault) -> bool {
    let when = format!("{fault:?} at {operation:?} {at}, {durability:?}");
    let mut world = World::new(&["link"]);
    world.config.durability = durability;
    let (disk, faults) = Disk::with_faults();
    let (spool, _) = world.open_on(disk);
    let before = faults.tried(operation);
    faults.plant(operation, at, fault);
    let link = spool.consumer("link").unwrap();
    let told = run(&spool, &link).await;
    let struck = faults.tried(operation) > before + at;
    if matches!(fault, Fault::Fail(_)) {
        assert_eq!(told.acknowledged.len() as u64, told.handed_over, "{when}: one failure is nobody's business");
        told.is_kept_by(&link, &when).await;
        // What could not be removed is found again by the next start.
        let (status, left) = (spool.status(), usize::from(operation == Operation::Rename));
        let files = status.segments + status.spares;
        assert!((files..=files + left).contains(&world.files().len()), "{when}: no file is forgotten");
    }
    stop(spool, &faults, fault).await;
    drop(link);
    let (spool, recovered) = world.open();
    assert!(recovered.quarantined.is_empty(), "{when}: {recovered:?}");
    told.is_kept_by(&spool.consumer("link").unwrap(), &when).await;
    assert!(world.segments().len() as u64 <= spool.status().segments as u64, "{when}: no file is forgotten");
    struck
}

/// Ends the log; a machine that was to die is dead afterwards, whatever it was to die of.
async fn stop(spool: Spool, faults: &Faults, fault: Fault) {
    if matches!(fault, Fault::Crash(_)) {
        faults.plant(Operation::Sync, 0, fault);
    }
    spool.close().await;
}

async fn strike_everywhere(durability: Durability, fault: Fault) {
    for operation in OPERATIONS {
        let mut at = 0;
        while strike(durability, at, operation, fault).await {
            at += 1;
        }
        assert!(at > 8, "{operation:?} happened only {at} times");
    }
}

#[tokio::test]
async fn any_one_operation_may_fail() {
    strike_everywhere(Durability::Fsync, Fault::Fail(ErrorKind::Other)).await;
}

#[tokio::test]
async fn the_machine_may_die_at_any_operation() {
    strike_everywhere(Durability::Fsync, Fault::Crash(Torn::Prefix(700))).await;
}

#[tokio::test]
async fn with_os_durability_any_one_operation_may_fail_too() {
    strike_everywhere(Durability::Os, Fault::Fail(ErrorKind::Other)).await;
}
