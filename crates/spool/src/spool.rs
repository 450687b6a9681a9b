//! The log as its owner sees it: open, append, close.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use tollgate_disk::Disk;
use tollgate_runtime::{ByteBudget, Clock};

use crate::config::SpoolConfig;
use crate::consumer::Consumer;
use crate::log::{AppendError, Job};
use crate::position::Position;
use crate::record::Entry;
use crate::recovery::{self, OpenError, Recovered};
use crate::state::Shared;
use crate::status::Status;
use crate::thread::{self, Inbox};

/// What a waiting job costs besides its bytes, so that small ones are bounded too.
const JOB: u64 = 256;

/// A log that is open; clones are the same one.
///
/// When the last clone goes without [`Spool::close`], the log's thread finishes what waits and ends by itself.
#[derive(Clone, Debug)]
pub struct Spool {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    /// Bytes that may wait to be written.
    waiting: ByteBudget,
    largest: u64,
    segment_bytes: u64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl Spool {
    /// Opens the log, as the last process left it, and starts its thread. Blocks while it reads.
    pub fn open(config: SpoolConfig, clock: Clock, disk: Disk) -> Result<(Self, Recovered), OpenError> {
        let (largest, segment_bytes) = (config.largest(), config.segment_bytes.0);
        let (log, recovered) = recovery::open(config, clock, disk)?;
        let (shared, inbox) = (Arc::clone(&log.shared), Arc::new(Inbox::default()));
        let run = {
            let inbox = Arc::clone(&inbox);
            move || thread::run(log, &inbox)
        };
        let thread = Mutex::new(Some(std::thread::Builder::new().name("spool".into()).spawn(run)?));
        let waiting = ByteBudget::new(segment_bytes + JOB);
        Ok((Self { handle: Arc::new(Handle { shared, inbox, waiting, largest, segment_bytes, thread }) }, recovered))
    }

    /// Appends a record. `Ok` is its position, and means that it is as durable as configured.
    ///
    /// A caller that goes away before that keeps its record once it was handed over; one that still waits for room to
    /// hand it over does not.
    pub async fn append(&self, entry: Entry) -> Result<Position, AppendError> {
        let footprint = entry.footprint();
        if !self.takes(&entry) {
            return Err(AppendError::TooLarge);
        }
        let permit = self.handle.waiting.take(footprint + JOB).await.ok_or(AppendError::TooLarge)?;
        let (answer, answered) = oneshot::channel();
        self.handle.inbox.append(Job { entry, answer, permit });
        answered.await.unwrap_or(Err(AppendError::Closed))
    }

    /// Whether an entry is small enough for a segment.
    pub fn takes(&self, entry: &Entry) -> bool {
        entry.footprint() <= self.handle.largest
    }

    /// The end of what is durable.
    pub fn durable_end(&self) -> Position {
        self.handle.shared.durable.borrow().end
    }

    /// The consumer of this name: once, and only if the configuration names it.
    pub fn consumer(&self, name: &str) -> Option<Consumer> {
        let mut state = self.handle.shared.state();
        let number = state.backlogs.iter().position(|backlog| backlog.name.as_str() == name)?;
        let backlog = state.backlogs.get_mut(number).filter(|backlog| !backlog.taken)?;
        backlog.taken = true;
        let (shared, inbox) = (Arc::clone(&self.handle.shared), Arc::clone(&self.handle.inbox));
        Some(Consumer::new(shared, inbox, number, backlog.name.clone()))
    }

    /// The log at this moment.
    pub fn status(&self) -> Status {
        let now = self.handle.shared.clock.now();
        self.handle.shared.state().status(now, self.handle.segment_bytes)
    }

    /// Writes what waits, says on the disk that all is durable, saves the cursors, and ends the thread.
    ///
    /// Returns when another process may open the directory. Appends after this say `Closed`; consumers can still read.
    pub async fn close(&self) {
        self.handle.inbox.close();
        let mut durable = self.handle.shared.durable.subscribe();
        // Cancel safe; the sender lives as long as `shared`.
        let _ = durable.wait_for(|durable| durable.closed).await;
        let thread = self.handle.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the log's thread panicked");
        }
    }
}
