//! One consumer of one log: sweeps the records in order, prepares what goes to each lane, and moves the cursors.
//!
//! Lanes that stand at the same position go as one convoy: one read, one preparation, one partition. A lane whose
//! window is full stays behind, later sweeps alone for what is its own, and rejoins where the convoy stands.
//!
//! Promises:
//! 1. A lane's cursor never passes what its destination has not acknowledged.
//! 2. Records route by the members that were in force at their position, also after a restart.
//! 3. Memory is bounded by lanes × window, whatever the backlog.
//! 4. What is no longer allowed to be sent as it was made is taken back and made anew.
//!
//! Not here: how a parcel gets through (`delivery.rs`), what is made of a record (`crate::step`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tollgate_federation::Listener;
use tollgate_otlp::Batch;
use tollgate_runtime::{Clock, Shutdown, Timestamp};
use tollgate_spool::{Chunk, Name, Plan, Position, ReadError, Record};

use crate::admit::attendance::PULSE;
use crate::load::Load;
use crate::node::counters::ConsumerCounters;
use crate::records;
use crate::seal::manifests::Leaving;
use crate::send::delivery::{Covers, Delivered, Parcel};
use crate::send::roster::Roster;
use crate::step::Step;

/// How much of the log one convoy reads at a time.
const STRETCH: usize = 1 << 20;
/// How long a stopping process waits for what it has sent.
const FLUSH: Duration = Duration::from_secs(10);
/// How long those whom it tells that it ends have to hear it.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long a log that cannot be read is left alone.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// When a parcel is full, or has waited long enough, to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gather {
    pub(crate) bytes: usize,
    pub(crate) items: u64,
    pub(crate) linger: Duration,
}

/// One consumer of one log.
pub(crate) struct Consumer<S: Step> {
    log: Arc<tollgate_spool::Consumer>,
    step: S,
    roster: Roster<S::Load>,
    gather: Gather,
    open: BTreeMap<Key, Open<S::Load>>,
    done: mpsc::Receiver<Delivered>,
    counters: Arc<ConsumerCounters>,
    /// For whom waits for those that lag: tells how far we are where nothing else goes, and that we end.
    clock: Option<Clock>,
    leaving: Option<Leaving>,
    /// Up to where records were read, and the arrival of the last of them.
    read: (Position, Timestamp),
}

/// What a parcel is of: its lane, the origin, and the listener where that is told.
type Key = (usize, Name, Option<Listener>);

/// A parcel that is still being filled.
struct Open<L> {
    parcel: Parcel<L>,
    since: Instant,
}

impl<S: Step> Consumer<S> {
    pub(crate) fn new(
        log: tollgate_spool::Consumer,
        step: S,
        roster: Roster<S::Load>,
        gather: Gather,
        done: mpsc::Receiver<Delivered>,
        counters: Arc<ConsumerCounters>,
    ) -> Self {
        let (open, read) = (BTreeMap::new(), (Position::ZERO, Timestamp::default()));
        Self { log: Arc::new(log), step, roster, gather, open, done, counters, clock: None, leaving: None, read }
    }

    /// The same, for a receiver that waits for who lags.
    pub(crate) fn pulsing(self, clock: Option<Clock>, leaving: Option<Leaving>) -> Self {
        Self { clock, leaving, ..self }
    }

    /// Runs until the process stops, then waits for what is under way.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        while !shutdown.is_started() {
            self.renew();
            self.roster.adopt_members(&self.log).await;
            let plan = self.plan();
            self.follow(plan, &shutdown).await;
        }
        self.drain().await;
    }

    fn renew(&mut self) {
        if self.step.renew() {
            let filling: u64 = self.open.values().map(|open| open.parcel.load.items()).sum();
            self.open.clear();
            let items = filling + self.roster.take_back();
            self.counters.taken_back(items);
            tracing::info!(consumer = self.counters.name(), items, "taken back, to be made anew");
        }
    }

    fn plan(&mut self) -> Option<Plan> {
        let mut filling: BTreeMap<usize, usize> = BTreeMap::new();
        for ((lane, ..), open) in &self.open {
            *filling.entry(*lane).or_default() += open.parcel.bytes;
        }
        self.roster.plan(|lane| filling.get(&lane).copied().unwrap_or_default())
    }

    /// Does what comes up until the plan's records are read, or there is a better plan.
    async fn follow(&mut self, plan: Option<Plan>, shutdown: &Shutdown) {
        let log = Arc::clone(&self.log);
        // Begun once: a read of the disk that every outcome started over would starve.
        let reading = read(&log, plan.as_ref());
        tokio::pin!(reading);
        let renewal = self.step.renews_in().map(|wait| Instant::now() + wait);
        let mut pulse = self.clock.as_ref().map(|_| Instant::now() + PULSE);
        loop {
            let flush_at = self.open.values().map(|open| open.since + self.gather.linger).min();
            tokio::select! {
                // Every arm is cancel safe: a receive, clocks, a watch, and a read that takes nothing until it is ready.
                biased;
                () = shutdown.started() => return,
                () = sleep_until(renewal) => return,
                () = self.step.outdated() => return,
                Some(done) = self.done.recv() => {
                    self.settle(done);
                    if self.plan() != plan {
                        return;
                    }
                }
                () = sleep_until(flush_at) => self.flush(|due| Instant::now() >= due),
                () = sleep_until(pulse) => {
                    let now = self.clock.as_ref().map(Clock::now);
                    now.into_iter().for_each(|now| self.pulse(now));
                    pulse = Some(Instant::now() + PULSE);
                }
                () = self.roster.members_changed() => return,
                read = &mut reading => {
                    if let Some(plan) = &plan {
                        self.take(plan, read, shutdown).await;
                    }
                    return;
                }
            }
        }
    }

    async fn take(&mut self, plan: &Plan, read: Result<Chunk, ReadError>, shutdown: &Shutdown) {
        match read {
            Ok(chunk) => {
                for record in &chunk.records {
                    self.prepare(plan, record);
                }
                self.read = chunk.records.last().map_or(self.read, |last| self.read.max((last.end, last.arrival)));
                self.roster.swept(plan, chunk.end);
            }
            Err(ReadError::Expired { resume, bytes }) => {
                self.counters.expired(bytes);
                self.roster.skip(resume);
            }
            // Only what lies between is lost: a lane further behind still has its records before that.
            Err(ReadError::Corrupt { resume, bytes }) => {
                self.counters.corrupt(bytes);
                self.roster.swept(plan, resume);
            }
            Err(ReadError::Closed) => shutdown.started().await,
            Err(error @ (ReadError::Io(_) | ReadError::NoRecordThere(_))) => {
                tracing::error!(consumer = self.counters.name(), %error, "cannot read the spool; trying again");
                shutdown.sleep(READ_AGAIN).await;
                return;
            }
        }
        self.move_cursors();
    }

    fn prepare(&mut self, plan: &Plan, record: &Record) {
        let Some(share) = self.roster.share(plan, record.position) else { return };
        let index = match records::payload_index(record) {
            Ok(Some(index)) => index,
            Ok(None) => return,
            Err(_) => return self.counters.corrupt(record.end.since(record.position)),
        };
        let loads = self.step.run(record, Batch::new(&record.payload, &index), &share);
        let listener = self.step.listener(record);
        for (lane, load) in plan.members.iter().zip(loads) {
            if let Some(load) = load {
                self.put((*lane, record.origin.clone(), listener), record, load);
            }
        }
    }

    /// Adds to the open parcel of this lane, origin and listener, and sends it when it is full.
    fn put(&mut self, key: Key, record: &Record, load: S::Load) {
        let (lane, listener) = (key.0, key.2);
        let bytes = load.bytes();
        let rest = match self.open.get_mut(&key) {
            Some(open) if open.parcel.bytes + bytes <= self.gather.bytes => {
                let rest = open.parcel.load.join(load).err();
                if rest.is_none() {
                    open.parcel.bytes += bytes;
                    open.parcel.covers.extend(record);
                }
                rest
            }
            _ => Some(load),
        };
        if let Some(load) = rest {
            self.send(&key);
            let parcel = self.roster.begin(lane, Covers::of(record, listener), load);
            self.open.extend(parcel.map(|parcel| (key.clone(), Open { parcel, since: Instant::now() })));
        }
        let full = |open: &Open<S::Load>| {
            open.parcel.bytes >= self.gather.bytes || open.parcel.load.items() >= self.gather.items
        };
        if self.open.get(&key).is_some_and(full) {
            self.send(&key);
        }
    }

    /// Says of each lane that has nothing to send up to when that is so. `now` was read before: what arrives meanwhile lies behind
    /// the end.
    fn pulse(&mut self, now: Timestamp) {
        let end = self.log.durable_end();
        for (lane, at) in self.roster.idle(|lane| self.open.keys().any(|(filling, ..)| *filling == lane)) {
            let nothing_before = match self.read {
                _ if at >= end => now,
                (until, last) if at >= until => last,
                _ => continue,
            };
            if let Some(pulse) = self.step.pulse() {
                self.roster.pulse(lane, at, nothing_before, pulse);
            }
        }
    }

    fn flush(&mut self, is_due: impl Fn(Instant) -> bool) {
        let linger = self.gather.linger;
        let due: Vec<_> =
            self.open.iter().filter(|(_, open)| is_due(open.since + linger)).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.send(&key);
        }
    }

    fn send(&mut self, key: &Key) {
        if let Some(open) = self.open.remove(key) {
            self.roster.send(open.parcel);
        }
    }

    fn settle(&mut self, done: Delivered) {
        self.roster.settle(done);
        self.move_cursors();
    }

    fn move_cursors(&mut self) {
        self.roster.move_cursors(&self.log);
    }

    /// What is under way gets its time; the rest stays in the log.
    async fn drain(&mut self) {
        self.flush(|_| true);
        let deadline = Instant::now() + FLUSH;
        while self.roster.is_busy() {
            match tokio::time::timeout_at(deadline, self.done.recv()).await {
                Ok(Some(done)) => self.settle(done),
                Ok(None) | Err(_) => break,
            }
        }
        if !self.roster.is_busy() {
            self.take_leave().await;
        }
        self.roster.close();
    }

    /// Tells those who wait for us that they have everything and nothing more will come.
    async fn take_leave(&mut self) {
        let (Some(clock), Some(leaving)) = (self.clock.clone(), self.leaving.clone()) else { return };
        self.until_answered().await;
        let (now, end) = (clock.now(), self.log.durable_end());
        leaving.begin(now);
        self.pulse(now);
        self.until_answered().await;
        if self.log.durable_end() > end {
            // What was still being received when it was told.
            leaving.stay();
            self.pulse(clock.now());
            self.until_answered().await;
        }
    }

    async fn until_answered(&mut self) {
        let deadline = Instant::now() + FAREWELL;
        while self.roster.is_waiting() {
            match tokio::time::timeout_at(deadline, self.done.recv()).await {
                Ok(Some(done)) => self.settle(done),
                Ok(None) | Err(_) => break,
            }
        }
    }
}

async fn read(log: &tollgate_spool::Consumer, plan: Option<&Plan>) -> Result<Chunk, ReadError> {
    match plan {
        Some(plan) => log.read(plan.from, STRETCH, plan.until).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
