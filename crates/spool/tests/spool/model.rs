//! The log against a reference model: random appends, reads, acknowledgements, faults, restarts and crashes that tear
//! what was not synced at any byte, for one consumer that keeps everything and one that lets go past its share or age.
//!
//! Guarantees: what was acknowledged is read back, in order, once a pass, or was let go and told; a lane is where it was
//! advanced to, after a restart not beyond it nor before what was persisted; only who has limits lets go; positions tile
//! the log and never go back.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use proptest::prelude::*;
use tollgate_config::ByteSize;
use tollgate_disk::{Disk, Fault, Faults, Operation, Torn};
use tollgate_spool::{AppendError, Consumer, Position, ReadError, Record, Spool};

use crate::world::{SEGMENT, World, append_all, entry, number, read_all};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<usize>),
    Read { consumer: usize, max_bytes: usize },
    Advance { consumer: usize, lane: usize },
    Leave { consumer: usize, lane: usize },
    Persist { consumer: usize },
    Pass(Duration),
    Fail(Operation),
    Reopen,
    Crash { sizes: Vec<usize>, operation: Operation, passing: u64, torn: Torn },
}

const LANES: [&str; 2] = ["one", "two"];
/// The consumer that lets go.
const HASTY: usize = 1;
const MAX_AGE: Duration = Duration::from_secs(3600);

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![0..200_usize, 1000..7000_usize], 1..8)
}

fn torn() -> impl Strategy<Value = Torn> {
    prop_oneof![(0..9000_usize).prop_map(Torn::Prefix), any::<u64>().prop_map(Torn::Sectors)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => sizes().prop_map(Step::Append),
        5 => (0..2_usize, 1..20_000_usize).prop_map(|(consumer, max_bytes)| Step::Read { consumer, max_bytes }),
        5 => (0..2_usize, 0..2_usize).prop_map(|(consumer, lane)| Step::Advance { consumer, lane }),
        1 => (0..2_usize, 0..2_usize).prop_map(|(consumer, lane)| Step::Leave { consumer, lane }),
        1 => (0..2 * MAX_AGE.as_secs()).prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
        1 => (0..2_usize).prop_map(|consumer| Step::Persist { consumer }),
        1 => operation().prop_map(Step::Fail),
        1 => Just(Step::Reopen),
        2 => (sizes(), operation(), 0..4_u64, torn())
            .prop_map(|(sizes, operation, passing, torn)| Step::Crash { sizes, operation, passing, torn }),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => Just(Operation::Write),
        1 => Just(Operation::Sync),
        1 => Just(Operation::Allocate),
        1 => Just(Operation::Rename)
    ]
}

/// What the log must hold.
struct Model {
    world: World,
    spool: Spool,
    faults: Faults,
    /// What of a file reads find in memory.
    cached: usize,
    readers: Vec<Reader>,
    /// Acknowledged records by position.
    records: Vec<(Position, u64)>,
    next_number: u64,
}

/// A consumer, and what it must be told.
struct Reader {
    consumer: Consumer,
    /// Where it reads next.
    next: Position,
    lanes: BTreeMap<String, Position>,
    /// Where each lane was at most, also if it has left.
    highest: BTreeMap<String, Position>,
    /// What survives in any case.
    persisted: BTreeMap<String, Position>,
    persisted_floor: Position,
}

impl Reader {
    fn new(consumer: Consumer) -> Self {
        Self {
            consumer,
            next: Position::ZERO,
            lanes: BTreeMap::new(),
            highest: BTreeMap::new(),
            persisted: BTreeMap::new(),
            persisted_floor: Position::ZERO,
        }
    }

    fn advance(&mut self, lane: &str) {
        let before = self.lanes.get(lane).copied().unwrap_or_default();
        self.consumer.advance(lane, self.next);
        let at = self.consumer.cursors()[lane];
        assert_eq!(at, self.next.max(before).max(self.consumer.floor().min(at)), "a lane is where it was advanced to");
        self.lanes.insert(lane.to_owned(), at);
        let highest = self.highest.entry(lane.to_owned()).or_default();
        *highest = at.max(*highest);
    }

    fn leave(&mut self, lane: &str) {
        self.consumer.remove_lane(lane);
        self.lanes.remove(lane);
        self.persisted.remove(lane);
        // What only this lane had not passed, nobody reads any more.
        self.next = self.next.max(self.consumer.floor());
    }

    fn persisted(&mut self) {
        (self.persisted, self.persisted_floor) = (self.lanes.clone(), self.consumer.floor());
    }

    /// Takes the consumer that is there after a restart.
    fn restart(&mut self, consumer: Consumer) {
        let (floor, before) = (consumer.floor(), self.consumer.floor());
        assert!(floor <= before, "a cursor is never ahead of what was acknowledged or expired");
        assert!(floor >= self.persisted_floor, "what was persisted stays");
        let lanes = consumer.cursors();
        for (lane, at) in &lanes {
            assert!(*at <= self.highest[lane].max(before), "{lane} is further than it ever was");
        }
        for (lane, persisted) in &self.persisted {
            assert!(lanes[lane] >= *persisted, "{lane} has gone back");
        }
        (self.consumer, self.lanes, self.next) = (consumer, lanes, floor);
    }
}

fn readers(spool: &Spool) -> impl Iterator<Item = Consumer> {
    ["keeper", "hasty"].into_iter().map(|name| spool.consumer(name).unwrap())
}

impl Model {
    fn new(recent: u64, cached: usize) -> Self {
        let mut world = World::new(&["keeper", "hasty"]);
        world.config.recent = ByteSize(recent);
        world.config.consumers[HASTY].share = ByteSize(6 * SEGMENT);
        world.config.consumers[HASTY].max_age = MAX_AGE;
        let (disk, faults) = Disk::with_faults();
        faults.cache(cached);
        let (spool, _) = world.open_on(disk);
        let readers = readers(&spool).map(Reader::new).collect();
        Self { world, spool, faults, cached, readers, records: Vec::new(), next_number: 0 }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Append(sizes) => {
                for (number, answer) in self.append(&sizes).await {
                    match answer {
                        Ok(position) => self.note(position, number),
                        Err(AppendError::Full { .. } | AppendError::Failed) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Step::Read { consumer, max_bytes } => self.read(consumer, max_bytes).await,
            Step::Advance { consumer, lane } => self.readers[consumer].advance(LANES[lane]),
            Step::Leave { consumer, lane } => self.readers[consumer].leave(LANES[lane]),
            Step::Persist { consumer } => {
                if self.readers[consumer].consumer.persist().await.is_ok() {
                    self.readers.iter_mut().for_each(Reader::persisted);
                }
            }
            Step::Pass(time) => self.world.hand.advance(time),
            // A failure once is nobody's business but the log's.
            Step::Fail(operation) => self.faults.plant(operation, 0, Fault::Fail(ErrorKind::Other)),
            Step::Reopen => {
                self.faults.lift();
                self.reopen().await;
            }
            Step::Crash { sizes, operation, passing, torn } => self.crash(&sizes, operation, passing, torn).await,
        }
        self.check();
    }

    /// What holds after every step.
    fn check(&self) {
        let status = self.spool.status();
        assert_eq!(status.consumers[0].expired, 0, "who has no limits keeps everything");
        let lowest = self.readers.iter().map(|reader| reader.consumer.floor()).min().unwrap();
        assert!(status.oldest <= lowest, "nothing is let go in front of the slowest lane");
        assert_eq!(status.counts.quarantined, 0);
    }

    async fn append(&mut self, sizes: &[usize]) -> Vec<(u64, Result<Position, AppendError>)> {
        let numbers = self.next_number..self.next_number + sizes.len() as u64;
        self.next_number = numbers.end;
        let entries = numbers.clone().zip(sizes).map(|(number, size)| entry(number, *size)).collect();
        let mut answers: Vec<_> = numbers.zip(append_all(&self.spool, entries).await).collect();
        // Who waits for room to hand a record over may be passed by a smaller one.
        answers.sort_by_key(|(_, answer)| answer.ok());
        answers
    }

    fn note(&mut self, position: Position, number: u64) {
        assert!(self.records.last().is_none_or(|(last, _)| *last < position), "positions ascend");
        self.records.push((position, number));
    }

    async fn read(&mut self, number: usize, max_bytes: usize) {
        let (from, reader) = (self.readers[number].next, &self.readers[number].consumer);
        if from >= reader.durable_end() {
            return;
        }
        self.readers[number].next = match reader.read(from, max_bytes, None).await {
            Ok(chunk) => {
                self.compare(from, &chunk.records);
                chunk.end
            }
            Err(ReadError::Expired { resume, bytes }) => {
                assert_eq!((number, bytes), (HASTY, resume.since(from)), "who has no limits keeps everything");
                assert!(self.spool.status().consumers[HASTY].expired >= bytes, "what is let go is counted");
                resume
            }
            Err(error) => panic!("{error}"),
        };
    }

    /// The records are those that the model has from `from` on, without a gap.
    fn compare(&self, from: Position, records: &[Record]) {
        assert!(records.windows(2).all(|pair| pair[0].end == pair[1].position));
        let found: Vec<_> = records.iter().map(|record| (record.position, number(record))).collect();
        let first = self.records.partition_point(|(position, _)| *position < from);
        assert_eq!(found, self.records[first..first + found.len()]);
    }

    async fn crash(&mut self, sizes: &[usize], operation: Operation, passing: u64, torn: Torn) {
        self.faults.plant(operation, passing, Fault::Crash(torn));
        let answers = self.append(sizes).await;
        for (number, answer) in &answers {
            if let Ok(position) = answer {
                self.note(*position, *number);
            }
        }
        // Had it not struck yet, it does when the log is closed.
        self.faults.plant(Operation::Sync, 0, Fault::Crash(Torn::Prefix(0)));
        let unanswered = answers.into_iter().filter(|(_, answer)| answer.is_err()).map(|(number, _)| number).collect();
        self.reopen_with(unanswered).await;
    }

    async fn reopen(&mut self) {
        self.reopen_with(Vec::new()).await;
    }

    /// Restarts; of what was not answered, a beginning may be there.
    async fn reopen_with(&mut self, unanswered: Vec<u64>) {
        self.spool.close().await;
        let (disk, faults) = Disk::with_faults();
        faults.cache(self.cached);
        let (spool, recovered) = self.world.open_on(disk);
        assert!(recovered.quarantined.is_empty(), "a crash is not damage: {recovered:?}");
        let (status, files) = (spool.status(), self.world.files());
        assert_eq!(status.segments + status.spares, files.len(), "no file is forgotten");
        assert!(status.disk_bytes >= files.iter().sum(), "nor any byte");
        for (reader, consumer) in self.readers.iter_mut().zip(readers(&spool)) {
            reader.restart(consumer);
        }
        (self.spool, self.faults) = (spool, faults);
        for number in 0..self.readers.len() {
            let floor = self.readers[number].consumer.floor();
            let records = read_all(&self.readers[number].consumer, floor).await.unwrap();
            let known = self.records.iter().filter(|(position, _)| *position >= floor).count();
            let (old, new) = records.split_at_checked(known).expect("no acknowledged record is missing");
            self.compare(floor, old);
            let new: Vec<_> = new.iter().map(|record| (record.position, crate::world::number(record))).collect();
            assert!(new.iter().all(|(_, number)| unanswered.contains(number)));
            new.into_iter().for_each(|(position, number)| self.note(position, number));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_log_does_what_the_model_does(
        recent in prop_oneof![Just(0_u64), Just(9_000), Just(1 << 20)],
        cached in prop_oneof![Just(0_usize), 1..9_000_usize, Just(usize::MAX)],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new(recent, cached);
            for step in steps {
                model.step(step).await;
            }
            model.faults.lift();
            model.reopen().await;
        });
    }
}
