//! The hold step: a trace's spans wait in the log while its summary is judged, then follow the verdict.
//!
//! Two readers stand on the log of received spans, `decision_wait` apart, and more while a link lags: the head folds each record into summaries,
//! the tail sweeps it with the verdicts. Kept spans and verdicts go to the log of kept spans, verdicts first.
//!
//! Promises:
//! 1. A verdict is in the journal before the first span that it lets through.
//! 2. After a crash the tail goes on exactly behind the last kept record, and given verdicts stand.
//! 3. Only time in which this process runs counts: no outage or standstill judges every pending trace at once.
//! 4. A span without a verdict when the tail reaches it is kept and counted, never lost in silence.
//! 5. A backlog of the tail delays no evidence, as head and tail take turns; but the head goes no further than verdicts are
//!    remembered for the tail, so that a log that cannot be written costs no memory and no verdict: then records wait where
//!    they are, and the receiver refuses at last.
//!
//! Not here: how other policies come into force (`renewal.rs`).

mod attended;
pub(crate) mod correlation;
pub(crate) mod history;
pub(crate) mod kept;
mod naming;
mod patience;
mod recorded;
pub(crate) mod renewal;
mod tally;
pub(crate) mod thresholds;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tollgate_federation::Signal;
use tollgate_otlp::Batch;
use tollgate_runtime::{Clock, Shutdown};
use tollgate_sampling::tracestate::Kept;
use tollgate_sampling::{Consistency, Decision, Folded, Mark, Moment, Reason, RecordPolicy, Sampler, Verdict, Waits};
use tollgate_spool::{AppendError, Chunk, Consumer, Position, ReadError, Record};

use crate::admit::attendance::Attendance;
use crate::hold::attended::Attended;
use crate::hold::correlation::Correlation;
use crate::hold::history::History;
use crate::hold::kept::{Chosen, KeptLog};
use crate::hold::patience::{Filling, Patience};
use crate::hold::recorded::Recorded;
use crate::hold::renewal::{Following, Pace, Renewal};
use crate::hold::tally::Swept;
use crate::node::counters::{Counters, Losses, Outcome};
use crate::records;

/// How much of the log is read at a time.
const STRETCH: usize = 1 << 20;
/// How often verdicts fall due, and how long the tail may sweep before it is the head's turn.
const TICK: Duration = Duration::from_millis(50);
/// How long a log that cannot be written or read is left alone.
const AGAIN: Duration = Duration::from_millis(500);
/// Verdicts in one record at most, about half a mebibyte: a wait that ends for very many traces at once fits any log.
const JOURNALLED: usize = 32_768;
/// The lane of the tail's cursor.
const TAIL: &str = "tail";

/// Tail sampling on one log.
pub(crate) struct Hold {
    received: Consumer,
    kept: KeptLog,
    sampler: Sampler,
    patience: Patience,
    attendance: Arc<Attendance>,
    history: Option<History>,
    correlation: Option<Correlation>,
    /// How long traces wait as things are.
    waits: Waits,
    clock: Attended,
    recorded: Recorded,
    counters: Arc<Counters>,
    swept: Swept,
    losses: Losses,
    head: Position,
    tail: Position,
    /// The tail's cursor.
    saved: Position,
    /// What was folded: the tail may follow one wait later.
    folded: VecDeque<Stretch>,
    /// Where the tail may go: all of it has its verdict.
    sweeping: VecDeque<Stretch>,
    /// Its end.
    due: Position,
    /// Policies that are to come into force, and how fast they catch up.
    renewal: Option<Renewal>,
    pace: Pace,
}

/// A part of the log, up to a position, that was folded at once.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    until: Position,
    at: Duration,
    /// Before anything of it was folded.
    before: Mark,
}

/// What tail sampling works with beside its logs.
pub(crate) struct Beside {
    pub(crate) attendance: Arc<Attendance>,
    pub(crate) history: Option<History>,
    pub(crate) correlation: Option<Correlation>,
    pub(crate) clock: Clock,
    pub(crate) counters: Arc<Counters>,
}

impl Hold {
    /// Recovers verdicts and the tail's place from the log of kept spans, then stands ready.
    pub(crate) async fn open(
        received: Consumer,
        mut kept: KeptLog,
        mut sampler: Sampler,
        beside: Beside,
    ) -> Result<Self, ReadError> {
        let Beside { attendance, history, correlation, clock, counters } = beside;
        let swept = kept.recover(&mut sampler, history.as_ref(), clock.uptime()).await?;
        let cursor = received.cursors().get(TAIL).copied();
        // A power loss may have taken what was swept from the end of the source: what comes there is new.
        let tail = cursor.unwrap_or_else(|| received.floor()).max(swept).min(received.durable_end());
        kept.resume(tail);
        let losses = counters.losses(received.name(), Signal::Traces);
        // The head starts where the tail stands: what is not swept yet is folded again, with a fresh wait.
        let (head, saved, due, folded, sweeping) = (tail, tail, tail, VecDeque::new(), VecDeque::new());
        let (recorded, clock, bounds) = (Recorded::new(&clock), Attended::new(clock), *sampler.policies().bounds());
        let (patience, waits) = (Patience::new(&bounds), Waits::of(bounds.decision_wait));
        let (renewal, pace) = (None, Pace::default());
        #[rustfmt::skip]
        let hold = Self {
            received, kept, sampler, patience, attendance, history, correlation, waits, clock, recorded, counters, swept: Swept::default(),
            losses, head, tail, saved, folded, sweeping, due, renewal, pace,
        };
        Ok(hold)
    }

    /// Runs until the process stops. What is not swept stays in the log.
    pub(crate) async fn run(mut self, mut following: Following, shutdown: Shutdown) {
        let mut tick = Instant::now();
        while !shutdown.is_started() {
            tokio::select! {
                // Every arm is cancel safe: a flag, documents, a clock, and a read that takes nothing until it is ready.
                biased;
                () = shutdown.started() => break,
                policies = following.changed() => self.renew(policies),
                () = tokio::time::sleep_until(tick) => {
                    if let Err(error) = self.judge_and_sweep().await {
                        tracing::error!(%error, "tail sampling stands still; trying again");
                        shutdown.sleep(AGAIN).await;
                    }
                    tick = Instant::now() + TICK;
                }
                read = self.received.read(self.head, STRETCH, None), if self.has_room() => self.fold(read, &shutdown).await,
            }
        }
    }

    /// Whether verdicts on all that is not swept yet will be remembered, however much more is read now.
    fn has_room(&self) -> bool {
        !self.unswept().is_some_and(|mark| self.sampler.outgrows(mark))
    }

    /// The moment before the first of what is folded and not swept.
    fn unswept(&self) -> Option<Mark> {
        self.sweeping.front().or(self.folded.front()).map(|stretch| stretch.before)
    }

    async fn fold(&mut self, read: Result<Chunk, ReadError>, shutdown: &Shutdown) {
        let (now, before) = (self.clock.now(), self.sampler.mark());
        self.head = match read {
            Ok(chunk) => self.fold_chunk(now, chunk),
            Err(error) => match records::resume(&error) {
                Some(resume) => resume, // the tail meets the same gap and counts it
                None => {
                    tracing::error!(%error, "tail sampling cannot read its log; trying again");
                    shutdown.sleep(AGAIN).await;
                    return;
                }
            },
        };
        self.folded.push_back(Stretch { until: self.head, at: now, before });
    }

    /// Returns up to where it had room. What is folded at once is swept at once: so no more than that traces which come next have
    /// all of it judged, however few may wait.
    fn fold_chunk(&mut self, now: Duration, chunk: Chunk) -> Position {
        let begun = self.sampler.mark();
        let unswept = self.unswept().unwrap_or(begun);
        for record in &chunk.records {
            self.fold_record(now, record);
            if self.sampler.outgrows(unswept) || self.sampler.outpaces(begun) {
                return record.end;
            }
        }
        chunk.end
    }

    fn fold_record(&mut self, now: Duration, record: &Record) {
        // What has no index is counted by the tail.
        let Ok(Some(index)) = records::payload_index(record) else { return };
        let batch = Batch::new(&record.payload, &index);
        let arrived = self.recorded.at(record.arrival, now);
        let folded = self.sampler.fold(Moment { now, arrived }, batch);
        self.count(&folded);
        self.history.iter().for_each(|history| history.arrived(record, self.sampler.folded()));
        if let Some(correlation) = &mut self.correlation {
            correlation.take(now, record, batch, &self.sampler);
        }
    }

    fn count(&self, folded: &Folded) {
        let counters = &self.counters.sampling;
        counters.judged_early.inc_by(folded.judged_early);
        counters.new_traces.inc_by(folded.new_traces);
        counters.not_evaluated(folded.evaluation_errors, folded.passed_over);
        counters.late(Outcome::Sampled, folded.late_kept);
        counters.late(Outcome::NotSampled, folded.late_dropped);
        folded.late_by.iter().for_each(|age| counters.late_by(*age));
    }

    async fn judge_and_sweep(&mut self) -> Result<(), HoldError> {
        self.catch_up().await;
        let now = self.clock.now();
        self.wait();
        self.judge(now);
        self.fall_due(now);
        self.take_over();
        if let Some(correlation) = &mut self.correlation {
            correlation.tell(now, self.waits, &self.attendance, &self.counters);
        }
        self.settle().await?; // verdicts before their spans, and what the disk did not take the last time
        self.sweep(now).await
    }

    /// Finds out how long traces wait as things are.
    fn wait(&mut self) {
        let lag = self.attendance.lag(self.head);
        // A tail that has something to sweep would be held up by something else than verdicts.
        let filling = (self.tail == self.due).then(|| self.received.held());
        let filling = filling.map(|(held, share)| Filling { held, share });
        self.waits = self.patience.waits(lag, filling);
        self.kept.outlive(lag.of_all);
    }

    fn judge(&mut self, now: Duration) {
        loop {
            let begun = Instant::now();
            let judged = self.sampler.judge_some(now, self.waits, JOURNALLED);
            if judged.is_empty() {
                break;
            }
            self.counters.sampling.judged_in(begun.elapsed());
            tally::judged(&judged, &self.sampler, now, &self.counters.sampling);
            self.history.iter().for_each(|history| history.judged(&judged, &self.sampler, now));
            for some in judged.chunks(JOURNALLED) {
                let mut journal = Vec::new();
                self.sampler.journal(some, &mut journal);
                self.kept.journal(journal);
            }
        }
        self.counters.sampling.pending.set(i64::try_from(self.sampler.pending()).unwrap_or(i64::MAX));
        self.counters.sampling.remembered.set(i64::try_from(self.sampler.remembered()).unwrap_or(i64::MAX));
    }

    /// All of what was folded one wait ago has its verdict by now. So may what came later, where traces are judged early: the tail
    /// follows at once, and the head need not wait for it.
    fn fall_due(&mut self, now: Duration) {
        let has_waited = |stretch: &Stretch| now.saturating_sub(stretch.at) >= self.waits.due;
        let is_due = |stretch: &mut Stretch| has_waited(stretch) || self.sampler.has_judged(stretch.at);
        while let Some(stretch) = self.folded.pop_front_if(is_due) {
            self.due = stretch.until;
            match self.sweeping.back_mut().filter(|last| last.before == stretch.before) {
                // No verdict lies between the two: however long the tail stands, they are no more than verdicts are remembered.
                Some(last) => last.until = stretch.until,
                None => self.sweeping.push_back(stretch),
            }
        }
    }

    /// Makes durable what was judged and swept; the cursor follows.
    async fn settle(&mut self) -> Result<(), HoldError> {
        self.swept.count(&self.sampler, &self.counters.sampling);
        let flushed = self.kept.flush().await;
        match self.kept.lost() {
            0 => {}
            bytes => self.losses.corrupt(bytes),
        }
        flushed?;
        if self.tail > self.saved {
            self.saved = self.tail;
            self.received.advance(TAIL, self.tail);
        }
        Ok(())
    }

    /// Moves the tail over what is due.
    async fn sweep(&mut self, now: Duration) -> Result<(), HoldError> {
        while self.tail < self.due && self.clock.now().saturating_sub(now) < TICK {
            self.sweep_stretch().await?;
        }
        self.settle().await
    }

    async fn sweep_stretch(&mut self) -> Result<(), HoldError> {
        match self.received.read(self.tail, STRETCH, Some(self.due)).await {
            Ok(chunk) => {
                for record in &chunk.records {
                    if !self.kept.has_room(record) {
                        self.settle().await?;
                    }
                    self.take(record);
                    self.pass(record.end);
                }
            }
            Err(ReadError::Expired { resume, bytes }) => {
                self.losses.expired(bytes);
                self.pass(resume);
            }
            Err(ReadError::Corrupt { resume, bytes }) => {
                self.losses.corrupt(bytes);
                self.pass(resume);
            }
            Err(error) => return Err(HoldError::Read(error)),
        }
        Ok(())
    }

    /// From here on an error loses nothing of what lies before: it waits with the kept spans.
    fn pass(&mut self, to: Position) {
        self.tail = to;
        self.kept.pass(to);
        while self.sweeping.pop_front_if(|stretch| stretch.until <= to).is_some() {}
    }

    fn take(&mut self, record: &Record) {
        let index = match records::payload_index(record) {
            Ok(Some(index)) => index,
            Ok(None) => return,
            Err(_) => return self.losses.corrupt(record.end.since(record.position)),
        };
        let batch = Batch::new(&record.payload, &index);
        let verdicts = self.sampler.verdicts(batch);
        let unjudged = verdicts.iter().filter(|verdict| verdict.is_none()).count() as u64;
        for (item, verdict) in batch.items().zip(&verdicts) {
            verdict.iter().for_each(|verdict| self.swept.add(*verdict, item.body().len()));
        }
        let is_kept = |verdict: &Option<Verdict>| verdict.is_none_or(|verdict| verdict.decision == Decision::Keep);
        let keep: Vec<bool> = verdicts.iter().map(is_kept).collect();
        let kept = keep.iter().filter(|keep| **keep).count() as u64;
        let counters = &self.counters.sampling;
        counters.spans_kept.inc_by(kept);
        counters.spans_dropped.inc_by(keep.len() as u64 - kept);
        counters.spans_unjudged.inc_by(unjudged);
        let thresholds = self.thresholds(&verdicts);
        let chosen = Chosen { keep: &keep, thresholds: thresholds.as_deref() };
        match self.sampler.policies().own().record_policy {
            RecordPolicy::Off => self.kept.add(record, batch, chosen),
            RecordPolicy::On => self.add_named(record, batch, &verdicts, chosen),
        }
    }

    /// By which probability each span was kept, where kept spans say it.
    fn thresholds(&self, verdicts: &[Option<Verdict>]) -> Option<Vec<Kept>> {
        let by = |verdict: &Option<Verdict>| verdict.and_then(|verdict| self.sampler.kept_by(verdict));
        let kept = |verdict| by(verdict).unwrap_or(Kept::Unknown);
        let says = self.sampler.policies().own().sampling == Consistency::TraceState;
        says.then(|| verdicts.iter().map(kept).collect())
    }

    /// Kept spans with the name of the policy that kept them, each policy's for itself.
    fn add_named(&mut self, record: &Record, batch: Batch<'_>, verdicts: &[Option<Verdict>], chosen: Chosen<'_>) {
        let keep = chosen.keep;
        let reason =
            |verdict: &Option<Verdict>| verdict.map(|verdict| verdict.reason).filter(|reason| reason.is_policy());
        let reasons: BTreeSet<Option<Reason>> =
            verdicts.iter().zip(keep).filter(|(_, keep)| **keep).map(|(verdict, _)| reason(verdict)).collect();
        let sampler = &self.sampler;
        let parts = reasons.into_iter().map(|wanted| {
            let of_reason = verdicts.iter().zip(keep).map(|(verdict, keep)| *keep && reason(verdict) == wanted);
            (wanted.and_then(|reason| sampler.policy_name(reason)), of_reason.collect())
        });
        self.kept.add_named(record, batch, chosen, parts);
    }
}

/// Why sampling stands still.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HoldError {
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Read(ReadError),
}

#[cfg(test)]
mod burst;
#[cfg(test)]
mod counted;
#[cfg(test)]
mod fitting;
#[cfg(test)]
mod lagging;
#[cfg(test)]
mod large;
#[cfg(test)]
mod model;
#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
