//! Central's log of kept spans: verdicts, and the spans they let through, in one order.
//!
//! Promises:
//! 1. Entries become durable in the order in which they were given, so a verdict always precedes its spans.
//! 2. Each kept record names the position up to which its source was swept: recovery resumes exactly there.
//! 3. Verdicts stay on the disk as long as late spans may follow them ([`REMEMBER`]), also when all spans are delivered.

use std::collections::VecDeque;
use std::time::Duration;

use tollgate_otlp::{Batch, select, walk_traces};
use tollgate_runtime::Clock;
use tollgate_sampling::Sampler;
use tollgate_spool::{AppendError, Consumer, Entry, Name, Position, ReadError, Record, Spool};

use crate::admit::OWN_REQUESTS;
use crate::records::{self, KEPT, VERDICTS};

/// How much is gathered into one kept record, and read at a time in recovery.
const STRETCH: usize = 1 << 20;
/// How long a verdict stays in the journal.
pub(crate) const REMEMBER: Duration = Duration::from_secs(600);
/// The consumer that holds the journal on the disk, and its lane.
pub(crate) const JOURNAL: &str = "verdicts";

/// The log of kept spans, as the sampler writes it.
pub(crate) struct KeptLog {
    log: Spool,
    journal: Consumer,
    clock: Clock,
    me: Name,
    signal: Name,
    /// Verdicts that are not durable yet, in the order they were given.
    verdicts: VecDeque<Vec<u8>>,
    /// Kept spans of the records swept since the last flush; all of one origin and policy.
    open: Option<Open>,
    /// Up to where the source was swept when the last kept record became durable.
    swept: Position,
    /// Where verdicts lie, and since when.
    journalled: VecDeque<(Position, Duration)>,
}

struct Open {
    origin: Name,
    policy: [u8; 32],
    payload: Vec<u8>,
    swept_to: Position,
}

/// The part of a swept record that was kept.
pub(crate) struct Kept<'a> {
    pub(crate) record: &'a Record,
    pub(crate) batch: Batch<'a>,
    /// For each item whether it is kept.
    pub(crate) keep: &'a [bool],
}

impl KeptLog {
    pub(crate) fn new(log: Spool, journal: Consumer, clock: Clock, me: &str) -> Self {
        let (me, signal) = (Name::from(me), Name::from("traces"));
        let (verdicts, journalled) = (VecDeque::new(), VecDeque::new());
        Self { log, journal, clock, me, signal, verdicts, open: None, swept: Position::ZERO, journalled }
    }

    /// Gives the sampler its verdicts back; returns up to where the source was swept.
    pub(crate) async fn recover(&mut self, sampler: &mut Sampler, now: Duration) -> Result<Position, ReadError> {
        let mut at = self.journal.cursors().get(JOURNAL).copied().unwrap_or_else(|| self.journal.floor());
        let end = self.log.durable_end();
        let mut swept = Position::ZERO;
        while at < end {
            at = match self.journal.read(at, STRETCH, Some(end)).await {
                Ok(chunk) => {
                    for record in &chunk.records {
                        swept = swept.max(self.recover_record(record, sampler, now));
                    }
                    chunk.end
                }
                Err(error) => match records::resume(&error) {
                    Some(resume) => resume,
                    None => return Err(error),
                },
            };
        }
        Ok(swept)
    }

    fn recover_record(&mut self, record: &Record, sampler: &mut Sampler, now: Duration) -> Position {
        if record.kind == VERDICTS {
            self.journalled.push_back((record.end, now));
            if let Err(error) = sampler.recover(&record.payload, now) {
                tracing::error!(%error, "journalled verdicts cannot be read: their traces are judged again");
            }
        }
        records::swept_to(record).unwrap_or_default()
    }

    /// Takes verdicts for the journal.
    pub(crate) fn journal(&mut self, verdicts: Vec<u8>) {
        self.verdicts.push_back(verdicts);
    }

    /// Takes the kept part of one record.
    pub(crate) async fn add(&mut self, kept: &Kept<'_>) -> Result<(), AppendError> {
        let record = kept.record;
        let joins = self.open.as_ref().is_some_and(|open| {
            open.origin == record.origin && open.policy == record.policy && open.payload.len() < STRETCH
        });
        if !joins {
            self.flush().await?;
        }
        let open = self.open.get_or_insert_with(|| Open {
            origin: record.origin.clone(),
            policy: record.policy,
            payload: Vec::new(),
            swept_to: record.position,
        });
        select(kept.batch, |item| kept.keep.get(item) == Some(&true), &mut open.payload);
        open.swept_to = record.end;
        Ok(())
    }

    /// Makes everything durable that was given.
    ///
    /// After an error the next call tries again, unless the spans are taken back to be swept anew.
    pub(crate) async fn flush(&mut self) -> Result<(), AppendError> {
        while let Some(verdicts) = self.verdicts.front() {
            let entry = self.entry(VERDICTS, Name::from(""), [0; 32], verdicts.clone(), Vec::new());
            let position = self.log.append(entry).await?;
            self.verdicts.pop_front();
            self.journalled.push_back((position, self.clock.uptime()));
        }
        if let Some(open) = &self.open {
            if let Some(entry) = self.kept_entry(open) {
                self.log.append(entry).await?;
            }
            self.swept = open.swept_to;
            self.open = None;
        }
        self.forget();
        Ok(())
    }

    /// Drops what is not durable; returns up to where the source was swept when the last record became so.
    pub(crate) fn take_back(&mut self) -> Position {
        self.open = None;
        self.swept
    }

    fn kept_entry(&self, open: &Open) -> Option<Entry> {
        if open.payload.is_empty() {
            return None; // the tail's cursor alone says that all of it was dropped
        }
        // Ranges of a walked request walk clean.
        let walked = walk_traces(&open.payload, &OWN_REQUESTS)
            .inspect_err(|error| tracing::error!(%error, "kept spans cannot be read back: they are left out"))
            .ok()?;
        let index = records::kept_index(open.swept_to, &walked.index);
        Some(self.entry(KEPT, open.origin.clone(), open.policy, open.payload.clone(), index))
    }

    fn entry(&self, kind: u8, origin: Name, policy: [u8; 32], payload: Vec<u8>, index: Vec<u8>) -> Entry {
        Entry {
            kind,
            signal: self.signal.clone(),
            origin,
            peer: self.me.clone(),
            policy,
            payload: payload.into(),
            index: index.into(),
        }
    }

    fn forget(&mut self) {
        let now = self.clock.uptime();
        while let Some(&(end, since)) = self.journalled.front() {
            if now.saturating_sub(since) < REMEMBER {
                break;
            }
            self.journal.advance(JOURNAL, end);
            self.journalled.pop_front();
        }
    }
}
