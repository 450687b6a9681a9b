//! With `Durability::Os`, what was written becomes durable behind the log's back, while it goes on.
//!
//! Promises:
//! 1. A power loss takes at most a segment's worth of bytes: the log waits when the disk falls further behind.
//! 2. A file that could not be synced is not written again.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::config::Durability;
use crate::log::Log;
use crate::position::Position;
use crate::segment::Segment;
use crate::state::Reuse;

/// How many parts of a segment are synced one after another.
const PARTS: u64 = 4;

/// A sync under way.
#[derive(Debug)]
pub(crate) struct Syncing {
    thread: JoinHandle<io::Result<()>>,
    /// Of this segment.
    pub(crate) number: u64,
    /// All before this is durable when it has worked.
    end: Position,
}

impl Log {
    /// Waits for the disk if with `bytes` more a power loss could take more than a segment's worth.
    pub(crate) fn keep_up(&mut self, bytes: u64) {
        let behind = self.shared.state().end.since(self.synced);
        if self.config.durability == Durability::Os && behind + bytes > self.config.segment_bytes.0 {
            self.settle();
        }
    }

    /// Begins to sync the active segment once a part of it is new, unless the last part is still under way.
    pub(crate) fn sync_behind(&mut self) {
        let part = self.config.segment_bytes.0 / PARTS;
        if self.config.durability == Durability::Os
            && self.active.as_ref().is_some_and(|active| active.unsynced() >= part)
        {
            self.settle_if_done();
            if self.syncing.is_none() {
                self.begin_sync();
            }
        }
    }

    /// Begins to sync what of the active segment is new.
    pub(crate) fn begin_sync(&mut self) {
        self.settle();
        let end = self.shared.state().end;
        let Some(active) = &mut self.active else { return };
        let segment = active.hand_over();
        let number = segment.header.number;
        match sync(segment) {
            Ok(thread) => self.syncing = Some(Syncing { thread, number, end }),
            Err(result) => self.settled(number, end, result),
        }
    }

    /// Waits for the sync under way.
    pub(crate) fn settle(&mut self) {
        if let Some(Syncing { thread, number, end }) = self.syncing.take() {
            let result = thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")));
            self.settled(number, end, result);
        }
    }

    /// The same, if it need not wait.
    pub(crate) fn settle_if_done(&mut self) {
        if self.syncing.as_ref().is_some_and(|syncing| syncing.thread.is_finished()) {
            self.settle();
        }
    }

    fn settled(&mut self, number: u64, end: Position, result: io::Result<()>) {
        match result {
            Ok(()) => self.synced = self.synced.max(end),
            Err(error) => {
                tracing::error!(%error, segment = number, "a segment cannot be synced, the log moves to a new one");
                self.active.take_if(|active| active.number() == number);
                let mut state = self.shared.state();
                state.counts.failed_writes += 1;
                if let Some(live) = state.segments.iter_mut().find(|live| live.segment.header.number == number) {
                    live.reuse = Reuse::Delete;
                }
            }
        }
    }
}

/// Syncs on a thread of its own; without one, here.
fn sync(segment: Arc<Segment>) -> Result<JoinHandle<io::Result<()>>, io::Result<()>> {
    let there = Arc::clone(&segment);
    let thread = std::thread::Builder::new().name("spool-sync".into()).spawn(move || there.file.sync());
    thread.map_err(|_| segment.file.sync())
}
