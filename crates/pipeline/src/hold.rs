//! The hold step: a trace's spans wait in the log while its summary is judged, then follow the verdict.
//!
//! Two readers stand on the log of received spans, `decision_wait` apart: the head folds each record into summaries,
//! the tail sweeps it with the verdicts. Kept spans and verdicts go to the log of kept spans, verdicts first.
//!
//! Promises:
//! 1. A verdict is in the journal before the first span that it lets through.
//! 2. After a crash the tail goes on exactly behind the last kept record, and given verdicts stand.
//! 3. Uptime counts, not wall time: an outage does not judge every pending trace at once.
//! 4. A span without a verdict when the tail reaches it is kept and counted, never lost in silence.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tollgate_otlp::Batch;
use tollgate_runtime::{Clock, Shutdown};
use tollgate_sampling::{Decision, Sampler};
use tollgate_spool::{AppendError, Consumer, Position, ReadError, Record};

use crate::counters::Counters;
use crate::kept::{Kept, KeptLog};
use crate::records;

/// How much of the log is read at a time.
const STRETCH: usize = 1 << 20;
/// How often verdicts fall due.
const TICK: Duration = Duration::from_millis(50);
/// How long a log that cannot be written or read is left alone.
const AGAIN: Duration = Duration::from_millis(500);
/// The lane of the tail's cursor.
const TAIL: &str = "tail";

/// Tail sampling on one log.
pub(crate) struct Hold {
    received: Consumer,
    kept: KeptLog,
    sampler: Sampler,
    decision_wait: Duration,
    clock: Clock,
    counters: Arc<Counters>,
    head: Position,
    tail: Position,
    /// Up to where the log was folded, and when: the tail may follow one wait later.
    folded: VecDeque<(Position, Duration)>,
}

impl Hold {
    /// Recovers verdicts and the tail's place from the log of kept spans, then stands ready.
    pub(crate) async fn open(
        received: Consumer,
        mut kept: KeptLog,
        mut sampler: Sampler,
        decision_wait: Duration,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Result<Self, ReadError> {
        let swept = kept.recover(&mut sampler, clock.uptime()).await?;
        let cursor = received.cursors().get(TAIL).copied();
        let tail = cursor.unwrap_or_else(|| received.floor()).max(swept);
        // The head starts where the tail stands: what is not swept yet is folded again, with a fresh wait.
        Ok(Self { received, kept, sampler, decision_wait, clock, counters, head: tail, tail, folded: VecDeque::new() })
    }

    /// Runs until the process stops. What is not swept stays in the log.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut tick = Instant::now();
        while !shutdown.is_started() {
            tokio::select! {
                // Every arm is cancel safe: a flag, a clock, and a read that takes nothing until it is ready.
                biased;
                () = shutdown.started() => break,
                () = tokio::time::sleep_until(tick) => {
                    if let Err(error) = self.judge_and_sweep().await {
                        tracing::error!(%error, "tail sampling stands still; trying again");
                        shutdown.sleep(AGAIN).await;
                    }
                    tick = Instant::now() + TICK;
                }
                read = self.received.read(self.head, STRETCH, None) => self.fold(read, &shutdown).await,
            }
        }
    }

    async fn fold(&mut self, read: Result<tollgate_spool::Chunk, ReadError>, shutdown: &Shutdown) {
        let now = self.clock.uptime();
        self.head = match read {
            Ok(chunk) => {
                for record in &chunk.records {
                    if let Some(index) = records::payload_index(record) {
                        self.sampler.fold(now, Batch::new(&record.payload, &index));
                    }
                }
                chunk.end
            }
            Err(error) => match records::resume(&error) {
                Some(resume) => resume, // the tail meets the same gap and counts it
                None => {
                    tracing::error!(%error, "tail sampling cannot read its log; trying again");
                    shutdown.sleep(AGAIN).await;
                    return;
                }
            },
        };
        self.folded.push_back((self.head, now));
    }

    async fn judge_and_sweep(&mut self) -> Result<(), HoldError> {
        let now = self.clock.uptime();
        let judged = self.sampler.due(now);
        if !judged.is_empty() {
            for trace in &judged {
                let reason = self.sampler.reason(trace.verdict.reason);
                self.counters.verdict(reason, trace.verdict.decision == Decision::Keep);
            }
            let mut journal = Vec::new();
            self.sampler.journal(&judged, &mut journal);
            self.kept.journal(journal);
        }
        self.kept.flush().await?;
        if let Err(error) = self.sweep(now).await {
            // What is durable is not swept again; the rest is.
            self.tail = self.tail.max(self.kept.take_back());
            return Err(error);
        }
        self.counters.sampling.pending.set(i64::try_from(self.sampler.pending()).unwrap_or(i64::MAX));
        self.counters.sampling.remembered.set(i64::try_from(self.sampler.remembered()).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Moves the tail over everything that was folded one wait ago: all of it has its verdict by now.
    async fn sweep(&mut self, now: Duration) -> Result<(), HoldError> {
        while let Some(&(until, folded_at)) = self.folded.front() {
            if now.saturating_sub(folded_at) < self.decision_wait {
                break;
            }
            while self.tail < until {
                self.sweep_stretch(until).await?;
            }
            self.folded.pop_front();
        }
        Ok(())
    }

    async fn sweep_stretch(&mut self, until: Position) -> Result<(), HoldError> {
        let to = match self.received.read(self.tail, STRETCH, Some(until)).await {
            Ok(chunk) => {
                for record in &chunk.records {
                    self.take(record).await?;
                }
                self.kept.flush().await?;
                chunk.end
            }
            Err(error) => {
                tracing::error!(%error, "records are gone before they were sampled");
                records::resume(&error).ok_or(HoldError::Read(error))?
            }
        };
        self.tail = to;
        self.received.advance(TAIL, to);
        Ok(())
    }

    async fn take(&mut self, record: &Record) -> Result<(), HoldError> {
        let Some(index) = records::payload_index(record) else { return Ok(()) };
        let batch = Batch::new(&record.payload, &index);
        let mut keep = Vec::with_capacity(index.items());
        let mut unjudged = 0;
        for item in batch.items() {
            let verdict = item.trace_id().and_then(|trace| self.sampler.verdict(&trace));
            unjudged += u64::from(verdict.is_none());
            keep.push(verdict.is_none_or(|verdict| verdict.decision == Decision::Keep));
        }
        let kept = keep.iter().filter(|keep| **keep).count() as u64;
        let counters = &self.counters.sampling;
        counters.spans_kept.inc_by(kept);
        counters.spans_dropped.inc_by(keep.len() as u64 - kept);
        counters.spans_unjudged.inc_by(unjudged);
        self.kept.add(&Kept { record, batch, keep: &keep }).await?;
        Ok(())
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
