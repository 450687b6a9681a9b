//! Central's log of kept spans: verdicts, and the spans they let through, in one order.
//!
//! Promises:
//! 1. Verdicts become durable before the spans that follow them.
//! 2. Each kept record names the position up to which its source was swept: recovery resumes exactly there.
//! 3. What is larger than the log takes is written in parts, and nothing is tried again for ever.
//! 4. Verdicts stay on the disk as long as late spans may follow them, also when all spans are delivered: longer than any
//!    link is waited for, and for a while as long as one lags.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use tollgate_otlp::{Batch, Limits, Walked, select, walk_traces};
use tollgate_runtime::Clock;
use tollgate_sampling::Sampler;
use tollgate_sampling::tracestate::Kept;
use tollgate_spool::{AppendError, Consumer, Entry, Name, Position, ReadError, Record, Spool};

use crate::hold::history::History;
use crate::hold::{naming, thresholds};
use crate::records::{self, KEPT, VERDICTS};

/// How much is gathered into one kept record, and read at a time in recovery.
const STRETCH: usize = 1 << 20;
/// Each policy's spans stand below their resource once more: where a request would leave by more than this larger than it
/// came, so that a sender could make us write many times what it sends, no policy is named.
pub(super) const NAMED: usize = 4 << 20;
/// How long a verdict stays in the journal at least.
pub(crate) const REMEMBER: Duration = Duration::from_secs(600);
/// While somebody lags, verdicts stay for as much longer, but not for more than this.
const LONGEST_LAG: Duration = Duration::from_secs(3600);
/// The consumer that holds the journal on the disk, and its lane.
pub(crate) const JOURNAL: &str = "verdicts";

/// The log of kept spans, as the sampler writes it.
pub(crate) struct KeptLog {
    log: Spool,
    journal: Consumer,
    clock: Clock,
    me: Name,
    signal: Name,
    /// Kept spans since the last flush, by origin and policy: what comes from two regions is never one request.
    open: BTreeMap<(Name, [u8; 32]), Vec<u8>>,
    /// Room for kept spans, used again: as long as it grows, every byte in it is copied several times.
    scratch: Vec<u8>,
    /// Verdicts, then spans, that are not durable yet, in the order of the log.
    ready: VecDeque<Entry>,
    /// Bytes of kept spans that no log takes.
    lost: u64,
    /// Up to where the source is swept, with what is not durable yet.
    swept: Position,
    /// Up to where the source was swept when the last flush ended.
    durable: Position,
    /// Where verdicts lie, and since when.
    journalled: VecDeque<(Position, Duration)>,
    /// How long a verdict stays in the journal, with nobody behind and now.
    remember: (Duration, Duration),
}

/// Which items of a record are kept, and by which probability where they say it.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<'a> {
    pub(crate) keep: &'a [bool],
    /// One for each item.
    pub(crate) thresholds: Option<&'a [Kept]>,
}

impl Chosen<'_> {
    fn select(&self, batch: Batch<'_>, out: &mut Vec<u8>) {
        let keep = |item: usize| self.keep.get(item) == Some(&true);
        match self.thresholds {
            None => {
                select(batch, keep, out);
            }
            Some(kept) => thresholds::select(batch, keep, kept, out),
        }
    }
}

impl KeptLog {
    /// `longest_wait` is how long a link that lags is waited for: as long again a span may follow its trace's verdict, and as
    /// long again the tail waits behind that.
    pub(crate) fn new(log: Spool, journal: Consumer, clock: Clock, me: &str, longest_wait: Duration) -> Self {
        let (me, signal) = (Name::from(me), Name::from("traces"));
        let (open, scratch, ready, journalled) = (BTreeMap::new(), Vec::new(), VecDeque::new(), VecDeque::new());
        let (swept, durable) = (Position::ZERO, Position::ZERO);
        let remember = longest_wait.saturating_mul(3).max(REMEMBER);
        let (remember, lost) = ((remember, remember), 0);
        Self { log, journal, clock, me, signal, open, scratch, ready, lost, swept, durable, journalled, remember }
    }

    /// A link that lags is waited for so long now. What was promised before stays: its verdicts were given under it.
    pub(crate) fn wait_for(&mut self, longest_wait: Duration) {
        self.remember.0 = self.remember.0.max(longest_wait.saturating_mul(3));
    }

    /// Somebody lags by so much.
    pub(crate) fn outlive(&mut self, lag: Duration) {
        self.remember.1 = self.remember.0.saturating_add(lag.min(LONGEST_LAG));
    }

    /// Gives the sampler its verdicts back; returns up to where the source was swept.
    pub(crate) async fn recover(
        &mut self,
        sampler: &mut Sampler,
        history: Option<&History>,
        now: Duration,
    ) -> Result<Position, ReadError> {
        let mut at = self.journal.cursors().get(JOURNAL).copied().unwrap_or_else(|| self.journal.floor());
        let end = self.log.durable_end();
        let mut swept = Position::ZERO;
        while at < end {
            at = match self.journal.read(at, STRETCH, Some(end)).await {
                Ok(chunk) => {
                    for record in &chunk.records {
                        swept = swept.max(self.recover_record(record, sampler, history, now));
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

    fn recover_record(
        &mut self,
        record: &Record,
        sampler: &mut Sampler,
        history: Option<&History>,
        now: Duration,
    ) -> Position {
        if record.kind == VERDICTS {
            self.journalled.push_back((record.position, now));
            history.iter().for_each(|history| history.recovered(&record.payload, record.arrival));
            if let Err(error) = sampler.recover(&record.payload, now) {
                tracing::error!(%error, "journalled verdicts cannot be read: their traces are judged again");
            }
        }
        records::swept_to(record).unwrap_or_default()
    }

    /// Takes verdicts for the journal.
    pub(crate) fn journal(&mut self, verdicts: Vec<u8>) {
        let entry = self.entry(VERDICTS, Name::from(""), [0; 32], verdicts.into(), Vec::new());
        self.ready.push_back(entry);
    }

    /// Begins where the source is swept up to.
    pub(crate) fn resume(&mut self, swept: Position) {
        (self.swept, self.durable) = (swept, swept);
    }

    /// Whether the kept part of the record can be added before the next flush: a record of spans taken together stays
    /// small, and one taken alone is no larger than where it came from.
    pub(crate) fn has_room(&self, record: &Record) -> bool {
        let waiting: usize = self.open.values().map(Vec::len).sum();
        waiting == 0 || waiting + record.payload.len() <= STRETCH
    }

    /// Takes the kept items of one record.
    pub(crate) fn add(&mut self, record: &Record, batch: Batch<'_>, chosen: Chosen<'_>) {
        if chosen.keep.contains(&true) {
            chosen.select(batch, self.room(record));
        }
    }

    /// The same, with the name of the policy that kept them in their scopes; `parts` are the items of each policy, or of none.
    pub(crate) fn add_named<'p>(
        &mut self,
        record: &Record,
        batch: Batch<'_>,
        chosen: Chosen<'_>,
        parts: impl Iterator<Item = (Option<&'p str>, Vec<bool>)>,
    ) {
        let most = record.payload.len() + NAMED;
        let (mut named, mut selected) = (Vec::new(), Vec::new());
        for (policy, keep) in parts {
            selected.clear();
            Chosen { keep: &keep, ..chosen }.select(batch, &mut selected);
            match policy {
                None => named.extend_from_slice(&selected),
                Some(policy) => naming::name(&selected, policy, &mut named),
            }
            if named.len() > most {
                return self.add(record, batch, chosen);
            }
        }
        if !named.is_empty() {
            self.room(record).extend_from_slice(&named);
        }
    }

    /// Where the kept spans of a record are gathered.
    fn room(&mut self, record: &Record) -> &mut Vec<u8> {
        let key = (record.origin.clone(), record.policy);
        self.open.entry(key).or_insert_with(|| std::mem::take(&mut self.scratch))
    }

    /// Everything of the source before this was added, or dropped.
    pub(crate) fn pass(&mut self, swept: Position) {
        self.swept = swept;
    }

    /// Makes everything durable that was given. After an error the next call goes on where this one stopped.
    pub(crate) async fn flush(&mut self) -> Result<(), AppendError> {
        self.make_ready();
        while let Some(entry) = self.ready.front() {
            let position = self.log.append(entry.clone()).await?;
            if entry.kind == VERDICTS {
                self.journalled.push_back((position, self.clock.uptime()));
            }
            self.ready.pop_front();
        }
        self.durable = self.swept;
        self.forget();
        Ok(())
    }

    fn make_ready(&mut self) {
        while let Some(((origin, policy), mut payload)) = self.open.pop_first() {
            let mut parts = vec![Bytes::copy_from_slice(&payload)];
            while let Some(part) = parts.pop() {
                // The last of several says that all is there: a crash between them sweeps the stretch again.
                let swept = if parts.is_empty() && self.open.is_empty() { self.swept } else { self.durable };
                self.make_part_ready(swept, (&origin, policy), part, &mut parts);
            }
            if payload.capacity() <= 2 * STRETCH {
                payload.clear();
                self.scratch = payload;
            }
        }
    }

    /// Makes a record of kept spans, or leaves their two halves to do if they are too large for one.
    fn make_part_ready(
        &mut self,
        swept: Position,
        (origin, policy): (&Name, [u8; 32]),
        part: Bytes,
        left: &mut Vec<Bytes>,
    ) {
        // Ranges of a walked request walk clean.
        let Ok(Walked { index, .. }) = walk_traces(&part, &Limits::JOINED) else {
            return self.lose(&part);
        };
        let items = index.items();
        let entry = self.entry(KEPT, origin.clone(), policy, part.clone(), records::kept_index(swept, &index));
        if self.log.takes(&entry) {
            return self.ready.push_back(entry);
        }
        if items < 2 {
            return self.lose(&part);
        }
        let of = |wanted: Range<usize>| {
            let mut half = Vec::new();
            select(Batch::new(&part, &index), |item| wanted.contains(&item), &mut half);
            Bytes::from(half)
        };
        left.extend([of(items / 2..items), of(0..items / 2)]);
    }

    fn lose(&mut self, part: &[u8]) {
        self.lost += part.len() as u64;
    }

    /// Bytes of kept spans that could not be written since this was asked last.
    pub(crate) fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    fn entry(&self, kind: u8, origin: Name, policy: [u8; 32], payload: Bytes, index: Vec<u8>) -> Entry {
        Entry { kind, signal: self.signal.clone(), origin, peer: self.me.clone(), policy, payload, index: index.into() }
    }

    fn forget(&mut self) {
        let now = self.clock.uptime();
        while let Some(&(at, since)) = self.journalled.front() {
            if now.saturating_sub(since) < self.remember.1 {
                break;
            }
            self.journal.advance(JOURNAL, at);
            self.journalled.pop_front();
        }
    }
}

#[cfg(test)]
impl KeptLog {
    /// Bytes that are not durable yet.
    pub(super) fn waiting(&self) -> usize {
        self.ready.iter().map(|entry| entry.payload.len()).sum()
    }

    /// How many rounds of verdicts are in the journal.
    pub(super) fn journalled(&self) -> usize {
        self.journalled.len()
    }
}
