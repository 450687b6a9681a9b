//! Holds what must be known of each trace until it can be judged, then judges it once and remembers the verdict.
//!
//! Promises:
//! 1. One verdict per trace while it is remembered; late spans follow it.
//! 2. At most `num_traces` summaries are held, or two for each while another set of policies takes over; the oldest is judged
//!    early instead, and counted.
//! 3. Traces are judged in the order of their first arrival, `decision_wait` after it.
//! 4. A pending trace costs less than 100 bytes and a remembered one less than 40, however many spans it has.
//!
//! Not here: what policies want (`policy.rs`), where spans wait meanwhile (`tollgate_pipeline`).

mod gather;
mod index;
mod mark;
mod moment;
mod outcome;
mod reasons;
mod room;
mod successor;

use std::collections::VecDeque;
use std::time::Duration;

use tollgate_otlp::{Batch, TraceId};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use gather::{Gathered, Trace};
use index::Index;
use reasons::Reasons;
use successor::Successor;

pub use mark::Mark;
pub use moment::Moment;
pub use outcome::{Cause, Folded, Judged, Timing, Waits};

use crate::correlation::{Met, Novelty};
use crate::journal::{Entry, JournalFault};
use crate::policy::{Consistency, Limits, PolicySet, Votes};
use crate::summary::{Column, Evidence, Summary};
use crate::tracestate::Kept;
use crate::verdict::{Decision, Reason, Verdict};

/// What a pending trace takes at most, without the second column: its summary, with the slack of its queue, and its entry in
/// the index.
pub(crate) const PENDING_BYTES: u64 = 100;
/// What a verdict takes that is remembered.
pub(crate) const REMEMBERED_BYTES: u64 = 40;

/// The traces that wait for their verdict and those that got it, in one order of sequence numbers.
///
/// ```text
/// forgotten | remembered: id, verdict | pending: id, arrival, summary |
///           ^ oldest                  ^ judged next                   ^ next arrival
/// ```
#[derive(Debug)]
pub struct Sampler {
    policies: PolicySet,
    reasons: Reasons,
    secret: u64,
    index: Index,
    /// The sequence number of the first that is remembered, or else pending.
    oldest: u64,
    remembered: VecDeque<Remembered>,
    pending: VecDeque<Pending>,
    /// What some sets must know of each pending trace beyond its summary.
    column: Column,
    limits: Limits,
    /// Another set of policies that is about to take over.
    successor: Option<Box<Successor>>,
    /// How many verdicts are remembered, for how many traces the index has room, and how many may be pending above
    /// `num_traces`: those that are left of when the set in force took over, or all of a recording.
    memory: usize,
    indexed: usize,
    crowd: usize,
    /// Verdicts that could not wait for the next [`Sampler::due`].
    early: Vec<Judged>,
    gathered: Gathered,
    /// Which traces of the request that was folded last were seen for the first time, by their places in it.
    begun: Vec<usize>,
}

#[derive(Debug)]
struct Remembered {
    trace: TraceId,
    verdict: Verdict,
    /// Seconds of uptime.
    judged: u32,
}

#[derive(Debug)]
struct Pending {
    trace: TraceId,
    /// Nanoseconds of uptime.
    arrived: u64,
    summary: Summary,
    /// A verdict that was restored while the trace was pending, or in place of it.
    restored: Option<Verdict>,
}

/// Where a trace's sequence number leads.
#[derive(Debug, Clone, Copy)]
enum Place {
    Remembered(usize),
    Pending(usize),
}

impl Sampler {
    /// Starts with nothing pending. Trace ids come from strangers: `secret` keeps them from choosing their buckets.
    pub fn new(policies: PolicySet, secret: u64) -> Self {
        let bounds = *policies.bounds();
        // One more of each: a trace is added before the one it displaces is forgotten.
        let indexed = bounds.num_traces.saturating_add(bounds.remembered).saturating_add(2);
        Self {
            reasons: Reasons::new(&policies),
            secret,
            index: Index::new(indexed),
            oldest: 1,
            remembered: VecDeque::with_capacity(bounds.remembered.saturating_add(1)),
            pending: VecDeque::with_capacity(bounds.num_traces.saturating_add(1)),
            column: Column::with_room(policies.layout(), bounds.num_traces.saturating_add(1)),
            limits: policies.limits(),
            successor: None,
            memory: bounds.remembered,
            indexed,
            crowd: 0,
            early: Vec::new(),
            gathered: Gathered::default(),
            begun: Vec::new(),
            policies,
        }
    }

    /// Takes in a request that arrived at a moment (of uptime, unless more is said). Verdicts that this forces early stand at once, but are handed out
    /// by the next [`Sampler::due`]: call it, and journal them, before spans are swept.
    pub fn fold(&mut self, at: impl Into<Moment>, batch: Batch<'_>) -> Folded {
        let mut gathered = std::mem::take(&mut self.gathered);
        let Moment { now, arrived } = at.into();
        let (now, arrived) = (nanos(now), nanos(arrived));
        gathered.gather(&self.policies, self.secret, arrived, batch);
        let mut folded = Folded {
            unreadable: gathered.unreadable,
            without_trace: gathered.without_trace,
            evaluation_errors: gathered.observed.failed.unanswered,
            passed_over: gathered.observed.failed.passed_over,
            ..Folded::default()
        };
        self.index.warm(gathered.traces().iter().map(|trace| trace.hash));
        self.begun.clear();
        for (number, trace) in gathered.traces().iter().enumerate() {
            let known = folded.new_traces;
            self.fold_trace((now, arrived), trace, gathered.words(number), &mut folded);
            if folded.new_traces > known {
                self.begun.push(number);
            }
        }
        self.gathered = gathered;
        folded
    }

    /// The traces of the request that was folded last, each with the number of its spans there.
    pub fn folded(&self) -> impl Iterator<Item = (TraceId, u32)> {
        self.gathered.traces().iter().map(|trace| (trace.id, trace.summary.spans()))
    }

    /// The same traces, and whether they were known before.
    pub fn met(&self) -> impl Iterator<Item = Met> {
        let mut begun = self.begun.iter().peekable();
        self.gathered.traces().iter().enumerate().map(move |(number, trace)| {
            let is_new = begun.next_if_eq(&&number).is_some();
            Met { trace: trace.id, hash: trace.hash, novelty: if is_new { Novelty::New } else { Novelty::Known } }
        })
    }

    fn fold_trace(&mut self, (now, arrived): (u64, u64), trace: &Trace, words: &[u64], folded: &mut Folded) {
        let spans = u64::from(trace.summary.spans());
        let place = self.place(trace.hash, &trace.id);
        let late = match place {
            Some(Place::Remembered(at)) => self.remembered.get(at).map(|remembered| remembered.verdict),
            Some(Place::Pending(at)) => self.pending.get(at).and_then(|pending| pending.restored),
            None => None,
        };
        match late.map(|verdict| verdict.decision) {
            Some(Decision::Keep) => folded.late_kept += spans,
            Some(Decision::Drop) => folded.late_dropped += spans,
            None => folded.pending_spans += spans,
        }
        match place {
            Some(Place::Pending(at)) => {
                let wait = self.policies.bounds().wait_after_root.map(nanos);
                let in_time = self.column.is_in_time(at, arrived, wait);
                if let Some(pending) = self.pending.get_mut(at).filter(|_| in_time) {
                    pending.summary.merge(&trace.summary);
                    self.column.merge(at, words);
                }
            }
            Some(Place::Remembered(at)) => {
                let judged = self.remembered.get(at).map_or(0, |remembered| remembered.judged);
                folded.late_by.push(Duration::from_nanos(now).saturating_sub(Duration::from_secs(judged.into())));
            }
            None => {
                folded.new_traces += 1;
                folded.judged_early += self.make_room(now);
                let pending = Pending { trace: trace.id, arrived: now, summary: trace.summary, restored: None };
                self.push(trace.hash, pending, words);
            }
        }
    }

    /// Judges the oldest early if the bound is reached; returns how many traces that judged.
    fn make_room(&mut self, now: u64) -> u64 {
        let before = self.early.len();
        let most = self.most_pending();
        while self.pending.len() >= most {
            let judged = self.judge_oldest(Timing::Early(Cause::Room), now);
            self.early.extend(judged);
        }
        (self.early.len() - before) as u64
    }

    /// The verdicts that are due at `now`, and those given early since the last call, in order of first arrival.
    pub fn due(&mut self, now: Duration) -> Vec<Judged> {
        self.judge(now, Waits::of(self.policies.bounds().decision_wait))
    }

    /// The same, where traces wait for a longer or shorter time than the configuration says.
    pub fn judge(&mut self, now: Duration, waits: Waits) -> Vec<Judged> {
        self.judge_some(now, waits, usize::MAX)
    }

    /// The same, of so many traces at a time, and once those that were judged early: whoever has very many to judge asks until
    /// none is left, and holds no more than some.
    pub fn judge_some(&mut self, now: Duration, waits: Waits, most: usize) -> Vec<Judged> {
        let mut judged = std::mem::take(&mut self.early);
        while let Some(first) = self.pending.front().filter(|_| judged.len() < most) {
            let waited = nanos(now).checked_sub(first.arrived);
            if waited.is_none_or(|waited| waited < nanos(waits.due)) {
                break;
            }
            let is_whole = waited.is_some_and(|waited| waited >= nanos(waits.whole));
            let timing = if is_whole { Timing::Due } else { Timing::Early(waits.cause) };
            judged.extend(self.judge_oldest(timing, nanos(now)));
        }
        judged
    }

    /// When the next verdict is due.
    pub fn next_due(&self) -> Option<Duration> {
        let first = self.pending.front()?;
        Some(Duration::from_nanos(first.arrived).saturating_add(self.policies.bounds().decision_wait))
    }

    /// Moves the oldest pending trace to those remembered; `None` if its verdict was there already.
    fn judge_oldest(&mut self, timing: Timing, now: u64) -> Option<Judged> {
        let pending = self.pending.pop_front()?;
        self.crowd = self.crowd.min(self.pending.len());
        self.successor.iter_mut().for_each(|successor| successor.pop());
        let evidence = Evidence { summary: &pending.summary, words: self.column.pop() };
        let mut votes = Votes::default();
        let verdict = pending.restored.unwrap_or_else(|| {
            let now = Duration::from_nanos(now);
            self.reasons.known(self.policies.vote(&pending.trace, evidence, &mut self.limits, now, &mut votes))
        });
        self.remember(pending.trace, verdict, now);
        let Pending { trace, summary, .. } = pending;
        let judged = Judged { trace, verdict, summary, votes, arrived: Duration::from_nanos(pending.arrived), timing };
        pending.restored.is_none().then_some(judged)
    }

    fn remember(&mut self, trace: TraceId, verdict: Verdict, now: u64) {
        let judged = u32::try_from(now / 1_000_000_000).unwrap_or(u32::MAX);
        self.remembered.push_back(Remembered { trace, verdict, judged });
        if self.remembered.len() > self.memory {
            self.remembered.pop_front();
            self.oldest += 1;
        }
    }

    /// The verdict on each item's trace, if it was given and is remembered.
    pub fn verdicts(&mut self, batch: Batch<'_>) -> Vec<Option<Verdict>> {
        let traces = self.gathered.number(self.secret, batch);
        self.index.warm(self.gathered.traces().iter().map(|trace| trace.hash));
        let known = self.gathered.traces().iter().map(|trace| self.known(trace.hash, &trace.id));
        let known: Vec<_> = known.collect();
        traces.into_iter().map(|trace| known.get(trace?).copied()?).collect()
    }

    /// The verdict on a trace, if it was given and is remembered.
    pub fn verdict(&self, trace: &TraceId) -> Option<Verdict> {
        self.known(hash(trace, self.secret), trace)
    }

    fn known(&self, hash: u64, trace: &TraceId) -> Option<Verdict> {
        match self.place(hash, trace)? {
            Place::Remembered(at) => self.remembered.get(at).map(|remembered| remembered.verdict),
            Place::Pending(at) => self.pending.get(at)?.restored,
        }
    }

    /// The name of a verdict's reason: a policy, of this list or an earlier one, or why no policy decided.
    pub fn reason(&self, reason: Reason) -> &str {
        self.reasons.name(reason)
    }

    /// The name of the policy that a verdict's reason is, as its document has it; `None` if the reason is none.
    pub fn policy_name(&self, reason: Reason) -> Option<&str> {
        self.reasons.policy_name(reason)
    }

    /// By which probability the trace of a verdict was kept; `None` if trace states go out as they came.
    pub fn kept_by(&self, verdict: Verdict) -> Option<Kept> {
        let says = self.policies.own().sampling == Consistency::TraceState;
        says.then(|| self.reasons.threshold(verdict.reason).map_or(Kept::Unknown, Kept::At))
    }

    /// Appends verdicts for the log to `out`.
    pub fn journal(&self, judged: &[Judged], out: &mut Vec<u8>) {
        let entry = |judged: &Judged| Entry {
            trace: judged.trace,
            decision: judged.verdict.decision,
            reason: self.reason(judged.verdict.reason),
            coverage: judged.timing.coverage(),
            threshold: self.reasons.threshold(judged.verdict.reason),
        };
        Entry::encode(&judged.iter().map(entry).collect::<Vec<_>>(), out);
    }

    /// Takes verdicts back from the log, in its order; returns how many.
    pub fn recover(&mut self, journal: &[u8], now: Duration) -> Result<usize, JournalFault> {
        let entries = Entry::decode(journal)?;
        for entry in &entries {
            let reason = self.reasons.brought(entry.reason, entry.threshold);
            self.restore(entry.trace, Verdict { decision: entry.decision, reason }, now);
        }
        Ok(entries.len())
    }

    /// Takes in a verdict that was given elsewhere or before: it stands unless a higher one is known.
    pub fn restore(&mut self, trace: TraceId, verdict: Verdict, now: Duration) {
        let hash = hash(&trace, self.secret);
        match self.place(hash, &trace) {
            Some(Place::Remembered(at)) => {
                if let Some(remembered) = self.remembered.get_mut(at) {
                    remembered.verdict = remembered.verdict.raised_by(verdict);
                }
            }
            Some(Place::Pending(at)) => {
                if let Some(pending) = self.pending.get_mut(at) {
                    pending.restored = Some(pending.restored.map_or(verdict, |known| known.raised_by(verdict)));
                }
            }
            None if self.pending.is_empty() => {
                self.index.insert(hash, self.oldest, self.next_number());
                self.remember(trace, verdict, nanos(now));
            }
            None => {
                // Behind traces that are pending it must keep the order of arrival: it waits with them.
                self.make_room(nanos(now));
                let summary = Summary::default();
                self.push(hash, Pending { trace, arrived: nanos(now), summary, restored: Some(verdict) }, &[]);
            }
        }
    }

    /// Whether every trace that began by then (uptime) has its verdict.
    pub fn has_judged(&self, then: Duration) -> bool {
        self.pending.front().is_none_or(|first| first.arrived > nanos(then))
    }

    /// How many traces wait for their verdict.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// How many verdicts are remembered.
    pub fn remembered(&self) -> usize {
        self.remembered.len()
    }

    /// The policies in force.
    pub fn policies(&self) -> &PolicySet {
        &self.policies
    }

    fn push(&mut self, hash: u64, mut pending: Pending, words: &[u64]) {
        // The queue is in order of arrival even if a clock was read out of order.
        pending.arrived = self.pending.back().map_or(pending.arrived, |last| last.arrived.max(pending.arrived));
        self.index.insert(hash, self.oldest, self.next_number());
        self.pending.push_back(pending);
        self.column.push(words);
        self.successor.iter_mut().for_each(|successor| successor.push());
    }

    fn next_number(&self) -> u64 {
        self.oldest + (self.remembered.len() + self.pending.len()) as u64
    }

    fn place(&self, hash: u64, trace: &TraceId) -> Option<Place> {
        let number = self.index.find(hash, self.oldest, |number| self.id(number) == Some(trace))?;
        self.at(number)
    }

    fn at(&self, number: u64) -> Option<Place> {
        let offset = usize::try_from(number.checked_sub(self.oldest)?).ok()?;
        Some(offset.checked_sub(self.remembered.len()).map_or(Place::Remembered(offset), Place::Pending))
    }

    fn id(&self, number: u64) -> Option<&TraceId> {
        match self.at(number)? {
            Place::Remembered(at) => self.remembered.get(at).map(|remembered| &remembered.trace),
            Place::Pending(at) => self.pending.get(at).map(|pending| &pending.trace),
        }
    }
}

/// The hash of the table and of a request's scratch table, which take different bits of it.
fn hash(trace: &TraceId, secret: u64) -> u64 {
    xxh3_64_with_seed(trace.as_bytes(), secret)
}

fn nanos(uptime: Duration) -> u64 {
    u64::try_from(uptime.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
