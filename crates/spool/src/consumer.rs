//! One reader of the log: its records and its cursors.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::name::Name;
use crate::position::Position;
use crate::quarantine::Quarantined;
use crate::reading::{self, ReadFailure};
use crate::recent::Chunk;
use crate::state::{Damage, Found, OnDisk, Reuse, Shared};
use crate::thread::Inbox;

/// A consumer's end of the log. Cursors move in memory at once, and reach the disk with the next tick.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    number: usize,
    name: Name,
}

/// Why a read gave no records.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The records from the position asked for were let go, past share or age.
    #[error("{bytes} bytes of backlog have expired")]
    Expired {
        /// Where to go on.
        resume: Position,
        /// Bytes of log between.
        bytes: u64,
    },
    /// The records from the position asked for are damaged or gone.
    #[error("{bytes} bytes of the log are damaged")]
    Corrupt {
        /// Where to go on.
        resume: Position,
        /// Bytes of log between.
        bytes: u64,
    },
    /// No record begins at the position asked for: it did not come from this log.
    #[error("no record begins at position {0}")]
    NoRecordThere(Position),
    /// The disk does not let us; trying again may help.
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The log is closed and has nothing more.
    #[error("the log is closed")]
    Closed,
}

/// The log ended before the cursors were made durable.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the cursors could not be made durable")]
pub struct NotPersisted;

impl Consumer {
    pub(crate) fn new(shared: Arc<Shared>, inbox: Arc<Inbox>, number: usize, name: Name) -> Self {
        Self { shared, inbox, number, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Reads the records from `from` on: at least one, and no more once they have `max_bytes` bytes.
    ///
    /// Waits until something durable is there. With `until`, no record at or after it; nothing if `from` stands there.
    /// Cancel safe.
    pub async fn read(&self, from: Position, max_bytes: usize, until: Option<Position>) -> Result<Chunk, ReadError> {
        let mut durable = self.shared.durable.subscribe();
        let max_bytes = (max_bytes as u64).max(1);
        loop {
            let found = {
                let state = self.shared.state();
                let floor = state.backlogs.get(self.number).map_or(from, |backlog| backlog.progress.floor);
                if from < floor {
                    return Err(ReadError::Expired { resume: floor, bytes: floor.since(from) });
                }
                state.find(from, max_bytes, until)
            };
            match found {
                Found::Memory(chunk) => return Ok(chunk),
                Found::Lost(resume) => return Err(ReadError::Corrupt { resume, bytes: resume.since(from) }),
                Found::Disk(part) => {
                    if let Some(chunk) = self.read_disk(part, max_bytes, until).await? {
                        return Ok(chunk);
                    }
                }
                Found::NotYet if durable.borrow_and_update().closed => return Err(ReadError::Closed),
                Found::NotYet => durable.changed().await.map_err(|_| ReadError::Closed)?,
            }
        }
    }

    /// The lanes as restored, and as moved since.
    pub fn cursors(&self) -> BTreeMap<String, Position> {
        self.with_lanes(|progress| progress.lanes.iter().map(|(lane, at)| (lane.to_string(), *at)).collect())
    }

    /// Where a new lane begins: nothing before this is kept for this consumer.
    pub fn floor(&self) -> Position {
        self.with_lanes(|progress| progress.floor)
    }

    /// The disk that is held for this consumer, and the most that it may hold, in bytes.
    pub fn held(&self) -> (u64, u64) {
        let state = self.shared.state();
        let backlog = state.backlogs.get(self.number);
        backlog.map_or((0, u64::MAX), |backlog| (state.held(backlog.progress.floor), backlog.share))
    }

    /// The end of what is durable.
    pub fn durable_end(&self) -> Position {
        self.shared.durable.borrow().end
    }

    /// Moves a lane forward, never back; a lane that is not there joins, not before the floor.
    pub fn advance(&self, lane: &str, to: Position) {
        self.change(|progress| progress.advance(lane, to));
    }

    /// Forgets a lane; the log is no longer kept for it.
    pub fn remove_lane(&self, lane: &str) {
        self.change(|progress| progress.remove(lane));
    }

    /// What was last set with [`Consumer::set_journal`].
    pub fn journal(&self) -> Bytes {
        self.with_lanes(|progress| progress.journal.clone())
    }

    /// Keeps a few bytes with the cursors, replaced together with them.
    pub fn set_journal(&self, journal: Bytes) {
        self.change(|progress| progress.journal = journal);
    }

    /// Returns when cursors and journal survive a power loss.
    pub async fn persist(&self) -> Result<(), NotPersisted> {
        let (answer, done) = oneshot::channel();
        self.inbox.persist(answer);
        done.await.map_err(|_| NotPersisted)
    }

    async fn read_disk(&self, part: OnDisk, max: u64, until: Option<Position>) -> Result<Option<Chunk>, ReadError> {
        // A backlog in memory could be read for seconds without ever waiting: others on this thread, and its timers, come
        // first.
        tokio::task::yield_now().await;
        // What is in memory costs less to copy here than to have copied by another thread.
        if let Some(chunk) = reading::read_cached(&part, max, until, &self.shared.buffers) {
            return Ok(Some(chunk));
        }
        let asked = part.clone();
        let reading = tokio::task::spawn_blocking(move || reading::read(&part, max, until));
        match reading.await.map_err(io::Error::other)? {
            Ok(chunk) => Ok(Some(chunk)),
            Err(ReadFailure::Io(error)) => Err(error.into()),
            Err(ReadFailure::NoRecordThere) => Err(ReadError::NoRecordThere(asked.from)),
            Err(ReadFailure::Damaged(at)) => {
                self.quarantine(&asked, at);
                Ok(None)
            }
        }
    }

    /// Takes the rest of a segment out of reading, once.
    fn quarantine(&self, part: &OnDisk, at: Position) {
        let number = part.segment.header.number;
        let lost = {
            let mut state = self.shared.state();
            let Some(live) = state.segments.iter_mut().find(|live| live.segment.header.number == number) else {
                return;
            };
            if live.damage.is_some_and(|damage| damage.from <= at) {
                return;
            }
            let lost = Quarantined { segment: number, from: at, bytes: live.end.since(at) };
            live.damage = Some(Damage { from: at, resume: live.end });
            live.reuse = Reuse::Delete;
            state.counts.quarantined += 1;
            state.counts.damaged_bytes += lost.bytes;
            lost
        };
        self.shared.quarantine.admit(&part.segment.path, lost);
    }

    fn with_lanes<T>(&self, look: impl FnOnce(&crate::backlog::Progress) -> T) -> T
    where
        T: Default,
    {
        self.shared.state().backlogs.get(self.number).map(|backlog| look(&backlog.progress)).unwrap_or_default()
    }

    fn change(&self, change: impl FnOnce(&mut crate::backlog::Progress)) {
        let mut state = self.shared.state();
        state.dirty = true;
        if let Some(backlog) = state.backlogs.get_mut(self.number) {
            change(&mut backlog.progress);
        }
    }
}
