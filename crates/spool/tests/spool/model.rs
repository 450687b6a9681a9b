//! The log against a reference model: random appends, reads, acknowledgements, faults, restarts and crashes that tear
//! what was not synced at any byte.
//!
//! Guarantees: what was acknowledged is read back, in order, once a pass; a cursor never goes beyond what was advanced;
//! positions tile the log and never go back.

use std::io::ErrorKind;

use proptest::prelude::*;
use tollgate_config::ByteSize;
use tollgate_disk::{Disk, Fault, Faults, Operation, Torn};
use tollgate_spool::{AppendError, Consumer, Position, ReadError, Record, Spool};

use crate::world::{SEGMENT, World, append_all, entry, number, read_all};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<usize>),
    Read { consumer: usize, max_bytes: usize },
    Advance { consumer: usize },
    Persist { consumer: usize },
    Fail(Operation),
    Reopen,
    Crash { sizes: Vec<usize>, passing: u64, torn: Torn },
}

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
        5 => (0..2_usize).prop_map(|consumer| Step::Advance { consumer }),
        1 => (0..2_usize).prop_map(|consumer| Step::Persist { consumer }),
        1 => prop_oneof![Just(Operation::Write), Just(Operation::Sync), Just(Operation::Allocate)].prop_map(Step::Fail),
        1 => Just(Step::Reopen),
        2 => (sizes(), 0..4_u64, torn()).prop_map(|(sizes, passing, torn)| Step::Crash { sizes, passing, torn }),
    ]
}

/// What the log must hold.
struct Model {
    world: World,
    spool: Spool,
    faults: Faults,
    consumers: Vec<Consumer>,
    /// Acknowledged records by position.
    records: Vec<(Position, u64)>,
    /// Where each consumer reads next, and what it advanced to.
    next: [Position; 2],
    advanced: [Position; 2],
    /// What survives in any case.
    persisted: [Position; 2],
    next_number: u64,
}

impl Model {
    fn new(recent: u64) -> Self {
        let mut world = World::new(&["a", "b"]);
        world.config.recent = ByteSize(recent);
        world.config.disk = ByteSize(24 * SEGMENT);
        let (disk, faults) = Disk::with_faults();
        let (spool, _) = world.open_on(disk);
        let consumers = ["a", "b"].map(|name| spool.consumer(name).unwrap()).into();
        let start = [Position::ZERO; 2];
        Self {
            world,
            spool,
            faults,
            consumers,
            records: Vec::new(),
            next: start,
            advanced: start,
            persisted: start,
            next_number: 0,
        }
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
            Step::Advance { consumer } => {
                let to = self.next[consumer];
                self.consumers[consumer].advance("lane", to);
                self.advanced[consumer] = self.advanced[consumer].max(to);
            }
            Step::Persist { consumer } => {
                if self.consumers[consumer].persist().await.is_ok() {
                    self.persisted = self.advanced;
                }
            }
            // A failure once is nobody's business but the log's.
            Step::Fail(operation) => self.faults.plant(operation, 0, Fault::Fail(ErrorKind::Other)),
            Step::Reopen => {
                self.faults.lift();
                self.reopen().await;
            }
            Step::Crash { sizes, passing, torn } => self.crash(&sizes, passing, torn).await,
        }
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

    async fn read(&mut self, consumer: usize, max_bytes: usize) {
        let (from, reader) = (self.next[consumer], &self.consumers[consumer]);
        if from >= reader.durable_end() {
            return;
        }
        match reader.read(from, max_bytes, None).await {
            Ok(chunk) => {
                self.compare(from, &chunk.records);
                self.next[consumer] = chunk.end;
            }
            Err(ReadError::Expired { resume, bytes }) if self.spool.status().consumers[consumer].expired > 0 => {
                assert_eq!(bytes, resume.since(from));
                self.next[consumer] = resume;
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The records are those that the model has from `from` on, without a gap.
    fn compare(&self, from: Position, records: &[Record]) {
        assert!(records.windows(2).all(|pair| pair[0].end == pair[1].position));
        let found: Vec<_> = records.iter().map(|record| (record.position, number(record))).collect();
        let first = self.records.partition_point(|(position, _)| *position < from);
        assert_eq!(found, self.records[first..first + found.len()]);
    }

    async fn crash(&mut self, sizes: &[usize], passing: u64, torn: Torn) {
        self.faults.plant(Operation::Write, passing, Fault::Crash(torn));
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
        let floors = [0, 1].map(|consumer: usize| self.consumers[consumer].floor());
        let (disk, faults) = Disk::with_faults();
        let (spool, recovered) = self.world.open_on(disk);
        assert!(recovered.quarantined.is_empty(), "a crash is not damage: {recovered:?}");
        self.consumers = ["a", "b"].map(|name| spool.consumer(name).unwrap()).into();
        (self.spool, self.faults) = (spool, faults);
        for (consumer, before) in floors.into_iter().enumerate() {
            let floor = self.consumers[consumer].floor();
            assert!(floor <= before, "a cursor is never ahead of what was acknowledged or expired");
            assert!(floor >= self.persisted[consumer], "what was persisted stays");
            let records = read_all(&self.consumers[consumer], floor).await.unwrap();
            let known = self.records.iter().filter(|(position, _)| *position >= floor).count();
            let (old, new) = records.split_at_checked(known).expect("no acknowledged record is missing");
            self.compare(floor, old);
            let new: Vec<_> = new.iter().map(|record| (record.position, number(record))).collect();
            assert!(new.iter().all(|(_, number)| unanswered.contains(number)));
            new.into_iter().for_each(|(position, number)| self.note(position, number));
            (self.next[consumer], self.advanced[consumer]) = (floor, floor);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_log_does_what_the_model_does(
        recent in prop_oneof![Just(0_u64), Just(9_000), Just(1 << 20)],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new(recent);
            for step in steps {
                model.step(step).await;
            }
            model.faults.lift();
            model.reopen().await;
        });
    }
}
