//! Random arrival, lags, standstills, crashes and other policies after them or while all runs, against a model of a few lists:
//! which verdict a trace gets, and that all of its spans follow it, whatever happens in between.

use proptest::collection::vec;
use proptest::prelude::*;

use super::lagging::{LONGEST, hear};
use super::tests::{Bench, WAIT, error, policies, span};
use super::*;

/// A policy set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Errors,
    All,
    /// Traces of exactly two spans: each must be counted once.
    Pairs,
}

impl Wants {
    fn policy(self) -> &'static str {
        match self {
            Self::Errors => super::tests::ERRORS,
            Self::All => "{name: all, type: always_sample}",
            Self::Pairs => "{name: pairs, type: span_count, span_count: {min_spans: 2, max_spans: 2}}",
        }
    }

    fn keeps(self, trace: &Waiting) -> bool {
        match self {
            Self::Errors => trace.spans.iter().any(|(_, is_error)| *is_error),
            Self::All => true,
            Self::Pairs => trace.spans.len() == 2,
        }
    }
}

fn wants() -> impl Strategy<Value = Wants> {
    prop_oneof![Just(Wants::Errors), Just(Wants::All), Just(Wants::Pairs)]
}

#[derive(Clone, Debug)]
enum Event {
    /// Spans of traces of these numbers, and whether each is an error.
    Append(Vec<(u64, bool)>),
    /// So many seconds pass.
    Pass(u64),
    /// The process stands still for so many seconds.
    StandStill(u64),
    Tick,
    /// A sender says that its oldest span has waited for so many seconds.
    Hear(u64),
    /// The process is killed, and the next one has these policies.
    Crash(Wants),
    /// These policies are to come into force; they catch up by so many bytes a tick.
    Reload(Wants, usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => vec((0_u64..12, prop::bool::weighted(0.2)), 1..6).prop_map(Event::Append),
        3 => (1_u64..7).prop_map(Event::Pass),
        1 => (1_u64..15).prop_map(Event::StandStill),
        5 => Just(Event::Tick),
        1 => prop_oneof![Just(0), 0_u64..30].prop_map(Event::Hear),
        1 => wants().prop_map(Event::Crash),
        2 => (wants(), prop_oneof![Just(1), 1_usize..2000]).prop_map(|(wants, bytes)| Event::Reload(wants, bytes)),
    ]
}

/// A trace that waits.
struct Waiting {
    trace: u64,
    arrived: u64,
    spans: Vec<(u64, bool)>,
}

/// All of it in lists; times in seconds.
struct Model {
    wants: Wants,
    /// What is to come into force.
    next: Option<Wants>,
    uptime: u64,
    /// Of the uptime, what counts; and when it was looked at last.
    now: (u64, u64),
    /// When the sender spoke last, and up to when it has sent everything.
    heard: Option<(u64, u64)>,
    unread: Vec<(u64, u64, bool)>,
    waiting: Vec<Waiting>,
    /// Each trace with its verdict.
    judged: Vec<(u64, bool)>,
    /// Every span ever, with its trace.
    all: Vec<(u64, u64)>,
}

impl Model {
    fn new() -> Self {
        let (waiting, judged, all) = (Vec::new(), Vec::new(), Vec::new());
        let (wants, unread) = (Wants::Errors, Vec::new());
        Self { wants, next: None, uptime: 0, now: (0, 0), heard: None, unread, waiting, judged, all }
    }

    fn look(&mut self) -> u64 {
        let (now, seen) = self.now;
        self.now = (now + (self.uptime - seen).min(1), self.uptime);
        self.now.0
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.uptime += 1;
            self.look();
        }
    }

    fn hear(&mut self, waited: u64) {
        let sent = self.uptime.saturating_sub(waited);
        let sent = self.heard.map_or(sent, |(_, before)| sent.max(before));
        self.heard = Some((self.uptime, sent));
    }

    fn due(&self) -> u64 {
        let lag = self.heard.filter(|(spoke, _)| self.uptime - spoke <= LONGEST.as_secs());
        let lag = lag.map_or(0, |(_, sent)| self.uptime - sent);
        (WAIT.as_secs() + lag.saturating_sub(1)).min(LONGEST.as_secs())
    }

    fn tick(&mut self) {
        let now = self.look();
        for (trace, number, is_error) in std::mem::take(&mut self.unread) {
            if self.judged.iter().any(|(known, _)| *known == trace) {
                continue;
            }
            let known = self.waiting.iter().position(|waiting| waiting.trace == trace).unwrap_or_else(|| {
                self.waiting.push(Waiting { trace, arrived: now, spans: Vec::new() });
                self.waiting.len() - 1
            });
            self.waiting[known].spans.push((number, is_error));
        }
        let due = self.due();
        while self.waiting.first().is_some_and(|first| first.arrived + due <= now) {
            let first = self.waiting.remove(0);
            self.judged.push((first.trace, self.wants.keeps(&first)));
        }
    }

    fn crash(&mut self, wants: Wants) {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let spans = waiting
            .flat_map(|waiting| waiting.spans.into_iter().map(move |(number, bad)| (waiting.trace, number, bad)));
        self.unread.extend(spans);
        self.unread.sort_by_key(|(_, number, _)| *number);
        (self.wants, self.next, self.uptime, self.now, self.heard) = (wants, None, 0, (0, 0), None);
    }

    /// When they do is not said, but once what is there is read they must.
    fn take_over(&mut self, is_renewing: bool) {
        if !is_renewing {
            self.wants = self.next.take().unwrap_or(self.wants);
        }
    }

    fn kept(&self) -> Vec<u64> {
        let is_kept = |trace: u64| self.judged.iter().any(|(judged, keep)| *judged == trace && *keep);
        self.all.iter().filter(|(trace, _)| is_kept(*trace)).map(|(_, number)| *number).collect()
    }
}

async fn run(events: Vec<Event>) -> Result<(), TestCaseError> {
    let (mut bench, mut model) = (Bench::new().await, Model::new());
    for event in events {
        match event {
            Event::Append(spans) => {
                let next = model.all.len() as u64;
                let numbered: Vec<_> =
                    spans.iter().zip(next..).map(|((trace, bad), number)| (*trace, number, *bad)).collect();
                let make = |(trace, number, bad): &(u64, u64, bool)| {
                    if *bad { error(*trace, *number) } else { span(*trace, *number) }
                };
                bench.append(&numbered.iter().map(make).collect::<Vec<_>>()).await;
                model.all.extend(numbered.iter().map(|(trace, number, _)| (*trace, *number)));
                model.unread.extend(numbered);
            }
            Event::Pass(seconds) => {
                bench.pass(Duration::from_secs(seconds));
                model.pass(seconds);
            }
            Event::StandStill(seconds) => {
                bench.stand_still(Duration::from_secs(seconds));
                model.uptime += seconds;
            }
            Event::Tick => {
                bench.tick().await.unwrap();
                model.tick();
                model.take_over(bench.hold.renewal.is_some());
                prop_assert_eq!(bench.hold.sampler.pending(), model.waiting.len());
            }
            Event::Hear(waited) => {
                // A sender cannot have waited for longer than we know of it.
                let waited = waited.min(model.uptime);
                hear(&bench, Duration::from_secs(waited));
                model.hear(waited);
            }
            Event::Crash(wants) => {
                bench = bench.crashed_into(wants.policy()).await;
                model.crash(wants);
            }
            Event::Reload(wants, bytes) => {
                bench.hold.renew(policies(1000, wants.policy(), ""));
                bench.hold.pace = Pace { time: Duration::ZERO, bytes };
                model.next = Some(wants);
            }
        }
    }
    while !(model.unread.is_empty() && model.waiting.is_empty() && bench.is_swept()) {
        bench.tick().await.unwrap();
        model.tick();
        model.take_over(bench.hold.renewal.is_some());
        bench.pass(Duration::from_secs(1));
        model.pass(1);
    }
    prop_assert_eq!(bench.kept().await, model.kept());
    bench.tick().await.unwrap();
    prop_assert!(bench.hold.renewal.is_none(), "nothing is left to read");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 300, ..ProptestConfig::default() })]

    /// Guarantees: verdicts come when they should and by the policies in force then, on all spans that came before; given ones
    /// stand through crashes and under other policies, and every span of a kept trace is kept once.
    #[test]
    fn verdicts_and_spans_are_those_of_a_few_lists(events in vec(event(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(events))?;
    }
}
