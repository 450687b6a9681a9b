//! Traffic whose fate is known, who acknowledged what of it, and what must have become of it.
//!
//! Each trace has spans at every collector, in two halves that are sent some time apart, so that a trace that is split
//! shows. Every span of a trace tells alone whether its trace is kept, so that no delay changes what must arrive.
//! Senders try again until they are told `Ok`, as SDKs do; only then a span counts as acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use fastrand::Rng;
use tollgate_otlp::{SpanId, TraceId};
use tollgate_runtime::Clock;
use tollgate_testkit::{Client, Service, wait_until};

use crate::delivered::Delivered;
use crate::requests;

/// A span as both sides name it.
pub type Span = (TraceId, SpanId);

/// How many traces are begun between the two halves of one.
const BETWEEN_HALVES: u64 = 20;
/// Spans of one trace at one collector, in its first and its second half.
const HALVES: [u64; 2] = [2, 1];
/// How long a sender waits after a refusal.
const AGAIN: Duration = Duration::from_millis(100);
/// How long a few hundred spans may take to be acknowledged.
const FLOW: Duration = Duration::from_secs(60);
/// How often it still tries when the test has ended.
const LAST_TRIES: usize = 200;
/// The gRPC code of a request that will never be taken.
const INVALID_ARGUMENT: i32 = 3;

/// What sampling must decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Every span is an error: kept.
    Kept,
    /// No span is one: dropped.
    Dropped,
    /// Only the first span at the first collector is one: kept, unless it comes too late for the verdict.
    Mixed,
}

/// Senders that run until they are stopped, one for each collector.
#[derive(Debug)]
pub struct Traffic {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    seed: u64,
    senders: Vec<JoinHandle<Sent>>,
}

/// What was acknowledged.
#[derive(Debug)]
pub struct Ledger {
    seed: u64,
    acknowledged: BTreeMap<TraceId, BTreeSet<SpanId>>,
    /// Traces whose first half was taken by every collector at the first try: nothing but Tollgate itself delays them.
    prompt: BTreeSet<TraceId>,
}

/// What one sender got acknowledged.
#[derive(Debug, Default)]
struct Sent {
    spans: Vec<Span>,
    /// Steps whose request was taken at the first try.
    prompt: BTreeSet<u64>,
}

impl Traffic {
    /// Begins one trace every so often, with spans at each of the collectors.
    pub fn start(collectors: &[SocketAddr], every: Duration, seed: u64) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let sender = |(place, collector): (u64, &SocketAddr)| {
            let sender = Sender { place, collector: *collector, every, seed };
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            std::thread::spawn(move || sender.run(&stop, &acknowledged))
        };
        let senders = (0..).zip(collectors).map(sender).collect();
        Self { stop, acknowledged, seed, senders }
    }

    /// How many spans are acknowledged by now.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many more spans are acknowledged.
    #[track_caller]
    pub fn flow(&self, spans: usize) {
        let enough = self.acknowledged() + spans;
        wait_until(FLOW, "traffic flows", || self.acknowledged() >= enough);
    }

    /// Ends the senders and says what was acknowledged.
    #[track_caller]
    pub fn stop(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let sent: Vec<Sent> = self.senders.into_iter().map(|sender| sender.join().expect("a sender")).collect();
        let mut acknowledged: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (trace, span) in sent.iter().flat_map(|sent| &sent.spans) {
            acknowledged.entry(*trace).or_default().insert(*span);
        }
        let everywhere = |step: &&u64| sent.iter().all(|sent| sent.prompt.contains(step));
        let steps = sent.first().into_iter().flat_map(|sent| &sent.prompt).filter(everywhere);
        let prompt = steps.map(|step| trace(self.seed, *step)).collect();
        Ledger { seed: self.seed, acknowledged, prompt }
    }
}

struct Sender {
    place: u64,
    collector: SocketAddr,
    every: Duration,
    seed: u64,
}

impl Sender {
    fn run(&self, stop: &AtomicBool, counter: &AtomicUsize) -> Sent {
        let (clock, client) = (Clock::system(), Client::plain(self.collector));
        let mut sent = Sent::default();
        let mut next = 0;
        while !stop.load(Ordering::Relaxed) {
            // All senders follow the same clock, so that a trace is at every collector at the same time; who was held up
            // leaves steps out.
            let now = clock.now().nanos() / self.step();
            if now < next {
                std::thread::sleep(Duration::from_nanos((next * self.step()).saturating_sub(clock.now().nanos())));
                continue;
            }
            next = now + 1;
            let spans = self.spans(now, now.saturating_sub(BETWEEN_HALVES));
            let Some(tries) = self.send(&client, &spans, stop) else { break };
            counter.fetch_add(spans.len(), Ordering::Relaxed);
            sent.prompt.extend((tries == 1).then_some(now));
            sent.spans.extend(spans.iter().map(|(span, _)| *span));
        }
        sent
    }

    fn step(&self) -> u64 {
        u64::try_from(self.every.as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// Tries until it is taken, and says how often; gives up only when the test has ended meanwhile and nobody is there.
    fn send(&self, client: &Client, spans: &[(Span, bool)], stop: &AtomicBool) -> Option<usize> {
        let spans: Vec<_> = spans.iter().map(|(span, is_error)| write(*span, *is_error)).collect();
        let request = requests::request(&spans);
        let mut tries = 1;
        let mut tries_at_the_end = 0;
        while let Err(status) = client.export(Service::Traces, request.clone()) {
            let blames_us = i32::from(status.code()) == INVALID_ARGUMENT;
            assert!(!blames_us, "{} refuses what is sent: {status}", self.collector);
            tries += 1;
            tries_at_the_end += usize::from(stop.load(Ordering::Relaxed));
            if tries_at_the_end == LAST_TRIES {
                return None;
            }
            std::thread::sleep(AGAIN);
        }
        Some(tries)
    }

    /// The first half of one trace and the second half of another, each span with whether it is an error.
    fn spans(&self, first: u64, second: u64) -> Vec<(Span, bool)> {
        let halves = [(first, 0..HALVES[0]), (second, HALVES[0]..HALVES[0] + HALVES[1])];
        let mut spans = Vec::new();
        for (step, numbers) in halves {
            for number in numbers {
                let is_error = match fate(step) {
                    Fate::Kept => true,
                    Fate::Dropped => false,
                    Fate::Mixed => (self.place, number) == (0, 0),
                };
                let span = SpanId((1 + self.place * 100 + number).to_be_bytes());
                spans.push(((trace(self.seed, step), span), is_error));
            }
        }
        spans
    }
}

fn fate(step: u64) -> Fate {
    match step % 4 {
        0 | 2 => Fate::Kept,
        1 => Fate::Dropped,
        _ => Fate::Mixed,
    }
}

/// The step stands in the id: what becomes of a trace is known from its name.
fn trace(seed: u64, step: u64) -> TraceId {
    let random = Rng::with_seed(seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..);
    TraceId((u128::from(random) << 64 | u128::from(step + 1)).to_be_bytes())
}

fn fate_of(trace: &TraceId) -> Fate {
    let step = u128::from_be_bytes(trace.0) & u128::from(u64::MAX);
    fate(u64::try_from(step).unwrap_or(1).saturating_sub(1))
}

fn write(ids: Span, is_error: bool) -> Vec<u8> {
    let now = Clock::system().now().nanos();
    requests::span(ids, |span| {
        span.string(5, "GET");
        span.varint(6, 2);
        span.fixed64(7, now);
        span.fixed64(8, now + 1_000_000);
        span.key_string(9, "http.request.method", "GET");
        if is_error {
            requests::fail(span);
        }
    })
}

/// What is wrong with a delivery, and what is not wrong but worth knowing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Acknowledged spans of kept traces that are nowhere.
    pub missing: Vec<Span>,
    /// Spans that should have been dropped.
    pub unwanted: Vec<Span>,
    /// Traces that are partly there, or at more than one place.
    pub split: Vec<TraceId>,
    /// Spans delivered more often than once.
    pub repeated: usize,
    /// Traces whose one telling span was acknowledged at once and yet came too late for the verdict, of how many.
    pub too_late: (usize, usize),
}

impl Ledger {
    /// How many spans were acknowledged.
    pub fn spans(&self) -> usize {
        self.acknowledged.values().map(BTreeSet::len).sum()
    }

    /// Every span that was acknowledged, whatever its fate.
    pub fn missing_anywhere(&self, delivered: &Delivered) -> Vec<Span> {
        let spans = self.acknowledged.iter().flat_map(|(trace, spans)| spans.iter().map(|span| (*trace, *span)));
        spans.filter(|span| delivered.places_of(span).is_empty()).collect()
    }

    /// Compares what was acknowledged with what arrived behind sampling.
    pub fn check(&self, delivered: &Delivered) -> Findings {
        let mut findings = Findings { repeated: delivered.repeated(), ..Findings::default() };
        for (trace, acknowledged) in &self.acknowledged {
            let fate = fate_of(trace);
            let (there, absent): (Vec<_>, Vec<_>) =
                acknowledged.iter().map(|span| (*trace, *span)).partition(|span| !delivered.places_of(span).is_empty());
            match fate {
                Fate::Kept => findings.missing.extend(&absent),
                Fate::Dropped => findings.unwanted.extend(&there),
                Fate::Mixed if self.prompt.contains(trace) => {
                    findings.too_late.0 += usize::from(there.is_empty());
                    findings.too_late.1 += 1;
                }
                Fate::Mixed => {}
            }
            let is_partial = fate == Fate::Mixed && !there.is_empty() && !absent.is_empty();
            if is_partial || delivered.places_of_trace(trace).len() > 1 {
                findings.split.push(*trace);
            }
        }
        findings
    }

    /// How many acknowledged spans of traces that must be kept are not there yet.
    pub fn outstanding(&self, delivered: &Delivered) -> usize {
        let kept = self.acknowledged.iter().filter(|(trace, _)| fate_of(trace) == Fate::Kept);
        let spans = kept.flat_map(|(trace, spans)| spans.iter().map(|span| (*trace, *span)));
        spans.filter(|span| delivered.places_of(span).is_empty()).count()
    }
}

impl Findings {
    /// Stops the test unless every trace is complete, at one place, and kept only if it should be.
    #[track_caller]
    pub fn assert_complete(&self) {
        assert!(self.missing.is_empty() && self.unwanted.is_empty() && self.split.is_empty(), "{self}");
    }

    /// Stops the test if a verdict was given before its trace had a chance to be there.
    #[track_caller]
    pub fn assert_in_time(&self) {
        assert_eq!(self.too_late.0, 0, "{self}");
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, unwanted, split, repeated, too_late: (late, mixed) } = self;
        write!(f, "{} spans missing, {} unwanted, {} traces split", missing.len(), unwanted.len(), split.len())?;
        write!(f, ", {repeated} spans repeated, {late} of {mixed} verdicts without their telling span")?;
        for (trace, span) in missing.iter().chain(unwanted).take(8) {
            write!(f, "\n  {trace} {span}")?;
        }
        split.iter().take(8).try_for_each(|trace| write!(f, "\n  split: {trace}"))
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} spans of {} traces acknowledged, seed {}", self.spans(), self.acknowledged.len(), self.seed)
    }
}
