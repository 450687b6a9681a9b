//! The log's one writer: commits, segments, what happens when the disk does not obey.
//!
//! Promises:
//! 1. A job is answered `Ok` only when its record is as durable as configured.
//! 2. After a failed write or sync the file is never written again: the log moves to a new segment and appends there
//!    what was not durable.
//! 3. Segments never take more than the ingest budget.
//!
//! Not here: when a segment is let go (`release.rs`), the thread (`thread.rs`).

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tollgate_disk::{DirLock, Disk};
use tollgate_runtime::Permit;

use crate::behind::Syncing;
use crate::commit::{Commit, NameTable, Place, pieces};
use crate::config::{Durability, SpoolConfig};
use crate::cursors::CursorFiles;
use crate::frame::{self, COMMIT};
use crate::marks::Marks;
use crate::position::Position;
use crate::record::Entry;
use crate::segment::{HEADER, Header, Segment, live_name, spare_name};
use crate::spares::Spares;
use crate::state::{Live, Reuse, Shared};

/// So many pieces one gathered write takes, less a few for what lies between.
const MOST_PIECES: usize = 1000;
/// When to come back after a refusal: consumers may have caught up by then.
const RETRY_BUDGET: Duration = Duration::from_secs(1);
/// When to come back if the file system is full: that takes a person.
const RETRY_FULL: Duration = Duration::from_secs(5);

/// Why a record was not appended.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AppendError {
    /// A budget or the disk is spent.
    #[error("the log is full, retry after {} ms", retry_after.as_millis())]
    Full {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The record does not fit into a segment.
    #[error("the record is larger than a segment of the log")]
    TooLarge,
    /// The disk failed twice. The record may still be found after a restart.
    #[error("the log cannot be written")]
    Failed,
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

/// An entry and whoever waits for it; if nobody does, it is appended all the same.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) entry: Entry,
    pub(crate) answer: oneshot::Sender<Result<Position, AppendError>>,
    /// Its place among the bytes that wait to be written.
    pub(crate) permit: Permit,
}

impl Job {
    fn refuse(self, error: AppendError) {
        // Nobody may be waiting any more.
        let _ = self.answer.send(Err(error));
    }
}

/// Owned by the log's thread.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) config: SpoolConfig,
    pub(crate) disk: Disk,
    pub(crate) shared: Arc<Shared>,
    pub(crate) cursors: CursorFiles,
    pub(crate) spares: Spares,
    pub(crate) active: Option<Active>,
    pub(crate) id: [u8; 16],
    pub(crate) next_number: u64,
    /// Up to here a power loss takes nothing.
    pub(crate) synced: Position,
    pub(crate) syncing: Option<Syncing>,
    /// Why no new segment could be made last time; said once, not with every append.
    pub(crate) trouble: Option<io::ErrorKind>,
    /// Why cursors could not be saved last time; the same.
    pub(crate) unsaved: Option<io::ErrorKind>,
    /// Until this is dropped, no other process opens the directory.
    pub(crate) lock: DirLock,
}

/// The segment that grows.
#[derive(Debug)]
pub(crate) struct Active {
    segment: Arc<Segment>,
    offset: u64,
    /// Up to here it was given to a sync behind the log's back.
    handed_over: u64,
    names: NameTable,
}

impl Active {
    pub(crate) fn number(&self) -> u64 {
        self.segment.header.number
    }

    /// Bytes that no sync was begun for.
    pub(crate) fn unsynced(&self) -> u64 {
        self.offset - self.handed_over
    }

    /// The segment, for a sync of all that is in it.
    pub(crate) fn hand_over(&mut self) -> Arc<Segment> {
        self.handed_over = self.offset;
        Arc::clone(&self.segment)
    }

    fn has_room(&self, footprint: u64) -> bool {
        // After the last commit there must be room for the closing one.
        self.offset + footprint + 2 * COMMIT as u64 <= self.segment.capacity
    }
}

impl Log {
    /// Appends what arrived while the last commit ran: as few commits as the segments and the gathered write allow.
    pub(crate) fn commit(&mut self, jobs: VecDeque<Job>) {
        let mut jobs = self.admit(jobs);
        while let Some(first) = jobs.front() {
            if let Err(error) = self.make_room(first.entry.footprint()) {
                return jobs.into_iter().for_each(|job| job.refuse(error));
            }
            let batch = self.batch(&mut jobs);
            self.keep_up(batch.iter().map(|job| job.entry.footprint()).sum());
            self.write(batch);
            self.sync_behind();
        }
    }

    /// Refuses what a consumer that rather stops intake has no share for.
    fn admit(&self, jobs: VecDeque<Job>) -> VecDeque<Job> {
        let now = self.shared.clock.now();
        let mut state = self.shared.state();
        let mut bytes = 0;
        let mut admitted = VecDeque::with_capacity(jobs.len());
        for job in jobs {
            let footprint = job.entry.footprint();
            if state.refuses(now, bytes + footprint) {
                state.counts.refused += 1;
                job.refuse(AppendError::Full { retry_after: RETRY_BUDGET });
            } else {
                bytes += footprint;
                admitted.push_back(job);
            }
        }
        admitted
    }

    fn make_room(&mut self, footprint: u64) -> Result<(), AppendError> {
        match &self.active {
            Some(active) if active.has_room(footprint) => Ok(()),
            _ => self.roll(),
        }
    }

    fn batch(&self, jobs: &mut VecDeque<Job>) -> Vec<Job> {
        let (mut footprint, mut gathered) = (0, 0);
        let mut batch = Vec::new();
        while let Some(job) = jobs.front() {
            footprint += job.entry.footprint();
            gathered += pieces(&job.entry);
            if gathered > MOST_PIECES || !self.active.as_ref().is_some_and(|active| active.has_room(footprint)) {
                break;
            }
            batch.extend(jobs.pop_front());
        }
        batch
    }

    fn write(&mut self, batch: Vec<Job>) {
        for _attempt in 0..2 {
            match self.write_once(&batch) {
                Ok(Some(commit)) => return self.publish(commit, batch),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "writing the log failed, it moves to a new segment");
                    self.abandon();
                }
            }
            if let Err(error) = self.roll() {
                return batch.into_iter().for_each(|job| job.refuse(error));
            }
        }
        batch.into_iter().for_each(|job| job.refuse(AppendError::Failed));
    }

    fn write_once(&mut self, batch: &[Job]) -> io::Result<Option<Commit>> {
        let Some(active) = &mut self.active else { return Ok(None) };
        let (position, arrival) = {
            let state = self.shared.state();
            (state.end, self.shared.clock.now().max(state.stamp))
        };
        let header = &active.segment.header;
        let place = Place { header, offset: active.offset, position, durable: self.synced, arrival };
        let commit = Commit::lay_out(batch.iter().map(|job| &job.entry), &mut active.names, &place);
        commit.write(&active.segment.file)?;
        if self.config.durability == Durability::Fsync {
            active.segment.file.sync()?;
            self.synced = header.position(commit.end);
        }
        active.offset = commit.end;
        Ok(Some(commit))
    }

    /// Shows the commit to the consumers, then answers.
    fn publish(&self, commit: Commit, batch: Vec<Job>) {
        let spacing = self.config.spacing();
        let positions: Vec<Position> = commit.records.iter().map(|record| record.position).collect();
        let end = {
            let mut state = self.shared.state();
            state.counts.commits += 1;
            state.counts.appended += commit.records.len() as u64;
            if let Some(live) = state.segments.back_mut() {
                if !commit.new_names.is_empty() {
                    Arc::make_mut(&mut live.names).extend(commit.new_names);
                }
                for record in &commit.records {
                    live.marks.note(record.position, record.arrival, spacing);
                    live.end = record.end;
                }
            }
            for record in commit.records {
                (state.end, state.stamp) = (record.end, record.arrival);
                state.recent.push(record);
            }
            state.end
        };
        self.shared.durable.send_modify(|durable| durable.end = end);
        for (job, position) in batch.into_iter().zip(positions) {
            let _ = job.answer.send(Ok(position));
            drop(job.permit);
        }
    }

    /// Never writes the active file again. What is durable in it stays readable.
    fn abandon(&mut self) {
        if self.config.durability == Durability::Os {
            self.begin_sync(); // of what was written before
        }
        let Some(active) = self.active.take() else { return };
        let mut state = self.shared.state();
        state.counts.failed_writes += 1;
        let Some(live) = state.segments.back_mut() else { return };
        live.reuse = Reuse::Delete;
        if live.end == live.segment.header.base {
            state.segments.pop_back();
            if let Err(error) = self.disk.remove(&active.segment.path) {
                tracing::warn!(%error, "a failed segment cannot be removed");
            }
        }
    }

    /// Ends the active segment and begins the next.
    fn roll(&mut self) -> Result<(), AppendError> {
        self.end_active();
        {
            let mut state = self.shared.state();
            let closing = state.segments.back().map_or(0, |live| live.segment.capacity - live.used());
            state.expire(self.shared.clock.now(), closing);
        }
        self.release();
        match self.begin_segment() {
            // Once may be chance, and the next attempt is with another file.
            Err(AppendError::Failed) => self.begin_segment(),
            begun => begun,
        }
    }

    fn begin_segment(&mut self) -> Result<(), AppendError> {
        let Some(spare) = self.spare() else {
            self.shared.state().counts.refused += 1;
            return Err(AppendError::Full { retry_after: RETRY_BUDGET });
        };
        let made = self.make_segment(spare);
        if let Err(error) = &made
            && self.trouble != Some(error.kind())
        {
            tracing::error!(%error, "no new segment can be made");
        }
        self.trouble = made.as_ref().err().map(io::Error::kind);
        made.map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::Full { retry_after: RETRY_FULL },
            _ => AppendError::Failed,
        })
    }

    fn end_active(&mut self) {
        if self.config.durability == Durability::Os && self.active.as_ref().is_some_and(|active| active.unsynced() > 0)
        {
            self.begin_sync();
        }
        self.active = None;
    }

    /// A file to use next: one that was used before, or a new one if the budget has room.
    fn spare(&mut self) -> Option<PathBuf> {
        if let Some(spare) = self.spares.take() {
            return Some(spare);
        }
        let state = self.shared.state();
        let taken: u64 = state.segments.iter().map(|live| live.segment.capacity).sum();
        let room = taken + self.config.segment_bytes.0 <= self.config.disk.0;
        room.then(|| self.config.dir.join(spare_name(self.next_number)))
    }

    fn make_segment(&mut self, spare: PathBuf) -> io::Result<()> {
        let header = {
            let mut state = self.shared.state();
            state.spares = self.spares.len();
            let previous_end = state.segments.back().map_or(state.end, |live| live.end);
            Header { log: self.id, number: self.next_number, base: state.end, previous_end, stamp: state.stamp }
        };
        let segment = Segment::begin(&self.disk, &spare, header, self.config.segment_bytes.0);
        // Also after a failure: nothing says how far it came.
        self.next_number += 1;
        let segment = segment.inspect_err(|_| {
            drop(self.disk.remove(&spare));
            drop(self.disk.remove(&spare.with_file_name(live_name(header.number))));
        });
        let segment = Arc::new(segment?);
        self.shared.state().segments.push_back(Live {
            segment: Arc::clone(&segment),
            end: header.base,
            names: Arc::default(),
            marks: Marks::default(),
            damage: None,
            reuse: Reuse::Recycle,
        });
        self.active = Some(Active { segment, offset: HEADER, handed_over: HEADER, names: NameTable::new() });
        Ok(())
    }

    /// Says at the end of the log that all of it is durable, so that damage in its last commit is known for damage.
    pub(crate) fn close(mut self) {
        self.settle();
        if let Some(active) = self.active.take()
            && let Err(error) = self.write_closing(&active)
        {
            tracing::warn!(%error, "the log could not be closed cleanly");
        }
        self.persist();
        drop(self.lock);
    }

    fn write_closing(&self, active: &Active) -> io::Result<()> {
        let file = &active.segment.file;
        if self.config.durability == Durability::Os {
            file.sync()?;
        }
        let mut bytes = Vec::with_capacity(COMMIT);
        let durable = self.shared.state().end;
        frame::write_commit(&mut bytes, active.segment.header.seed(), active.offset, durable, COMMIT as u64);
        file.write_all_at(&bytes, active.offset)?;
        file.sync()?;
        // Whoever opens it next has nothing to look for behind this.
        file.cut(active.offset + COMMIT as u64)
    }
}
