//! Random acknowledgements, failures, members and restarts: nothing is lost, and without a restart nothing comes twice.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use tollgate_federation::Signal;
use tollgate_routing::{HopKind, Seen};
use tollgate_runtime::{Clock, TaskGroup};
use tollgate_spool::Spool;

use super::*;
use crate::rig::{self, Answer, Counted, Far, Running, cursors, entry, spans};
use crate::send::hop::Hop;

const NODES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Event {
    /// So many records of so many spans.
    Append(u64, u64),
    Answers(usize, Answer),
    /// The nodes whose bit is set.
    Members(usize),
    Pass,
    Stop,
    Kill,
}

fn event() -> impl Strategy<Value = Event> {
    let answer = prop_oneof![Just(Answer::Ok), Just(Answer::Unreachable), Just(Answer::Silence), Just(Answer::Held)];
    prop_oneof![
        4 => (1_u64..8, 1_u64..20).prop_map(|(records, spans)| Event::Append(records, spans)),
        3 => (0..NODES.len(), answer).prop_map(|(node, answer)| Event::Answers(node, answer)),
        2 => (1_usize..8).prop_map(Event::Members),
        3 => Just(Event::Pass),
        1 => Just(Event::Stop),
        1 => Just(Event::Kill),
    ]
}

/// One run over one folder, from process to process.
struct Run {
    dir: tempfile::TempDir,
    tasks: TaskGroup,
    clock: Clock,
    log: Spool,
    far: Far,
    hop: Arc<Hop>,
    counted: Counted,
    running: Option<Running>,
    appended: u64,
    members: BTreeSet<&'static str>,
    restarts: usize,
}

impl Run {
    fn new() -> Self {
        let (dir, tasks) = (tempfile::tempdir().unwrap(), TaskGroup::new());
        let clock = rig::following(&tasks);
        let log = rig::log(&dir.path().join("log"), "there", &clock);
        let hop = Arc::new(Hop::new(HopKind::FailOver, Duration::ZERO, Signal::Traces, clock.clone()));
        let (far, counted) = (Far::default(), Counted::new());
        let (appended, members, restarts) = (0, BTreeSet::from(["a", "b"]), 0);
        let mut run = Self { dir, tasks, clock, log, far, hop, counted, running: None, appended, members, restarts };
        run.start();
        run
    }

    fn start(&mut self) {
        self.see();
        self.running = Some(Running::start(&self.log, &self.far, &self.hop, &self.counted, self.dir.path()));
    }

    fn see(&self) {
        let seen = self.members.iter().map(|node| ((*node).to_owned(), "127.0.0.1:1".to_owned()));
        self.hop.observe(Seen::Nodes(seen.collect()));
    }

    async fn apply(&mut self, event: Event) {
        match event {
            Event::Append(records, of) => {
                for _ in 0..records {
                    self.log.append(entry(spans(self.appended..self.appended + of))).await.unwrap();
                    self.appended += of;
                }
            }
            Event::Answers(node, answer) => self.far.set(NODES[node], answer),
            Event::Members(bits) => {
                let chosen = NODES.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
                self.members = chosen.map(|(_, node)| *node).collect();
                self.see();
            }
            Event::Pass => pass(Duration::from_millis(300)).await,
            Event::Stop => {
                self.running.take().unwrap().stop().await;
                self.reopen().await;
            }
            Event::Kill => {
                self.running.take().unwrap().kill().await;
                self.reopen().await;
            }
        }
    }

    async fn reopen(&mut self) {
        self.restarts += 1;
        self.log.close().await;
        self.log = rig::log(&self.dir.path().join("log"), "there", &self.clock);
        self.hop = Arc::new(Hop::new(HopKind::FailOver, Duration::ZERO, Signal::Traces, self.clock.clone()));
        self.start();
    }

    /// Everybody answers again: all arrives, and every cursor passes.
    async fn finish(mut self) -> Result<(), TestCaseError> {
        NODES.iter().for_each(|node| self.far.set(node, Answer::Ok));
        let arrived = |run: &Self| {
            let end = run.log.durable_end();
            let passed = cursors(&run.log).values().all(|cursor| *cursor == end);
            passed && run.far.taken().into_iter().collect::<BTreeSet<_>>().len() as u64 == run.appended
        };
        for _ in 0..2000 {
            if arrived(&self) {
                break;
            }
            pass(Duration::from_millis(100)).await;
        }
        prop_assert!(arrived(&self), "{} of {}: {}", self.far.taken().len(), self.appended, rig::describe(&self.far));
        if self.restarts == 0 {
            prop_assert_eq!(self.far.taken(), (0..self.appended).collect::<Vec<_>>());
            prop_assert_eq!(self.counted.items("\"offered\""), self.appended);
            prop_assert_eq!(self.counted.settled(), self.appended);
        }
        self.running.take().unwrap().stop().await;
        self.log.close().await;
        self.tasks.abort();
        Ok(())
    }
}

/// Lets the paused clock go on, and the log's thread work.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
    let _ = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_comes_twice_without_a_restart(events in vec(event(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new();
            for event in events {
                run.apply(event).await;
            }
            run.finish().await
        })?;
    }
}
