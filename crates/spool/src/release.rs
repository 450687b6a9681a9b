//! Keeps the cursor files up to date and lets segments go that nobody needs.
//!
//! Promises:
//! 1. A segment is recycled only when every lane of every consumer has passed it, and the synced cursor file says so.
//! 2. A file that somebody still reads is never written again.

use std::io;
use std::sync::Arc;

use crate::cursors::AllProgress;
use crate::log::Log;
use crate::segment::spare_name;
use crate::state::{Live, Reuse, State};

impl Log {
    /// What is due every now and then.
    pub(crate) fn tick(&mut self) {
        let (progress, dirty) = {
            let mut state = self.shared.state();
            state.expire(self.shared.clock.now(), 0);
            (state.progress(), std::mem::take(&mut state.dirty))
        };
        if dirty && let Err(error) = self.cursors.save(&progress) {
            self.unsaved(&error);
            self.shared.state().dirty = true;
        }
        self.release();
        self.give_back();
        self.cursors.keep_room(&progress);
    }

    /// A file a tick: to remove all that a burst left behind at once would hold up the log.
    fn give_back(&mut self) {
        let Some(spare) = self.spares.surplus(self.shared.clock.uptime()) else { return };
        if let Err(error) = self.disk.remove(&spare) {
            tracing::warn!(%error, "a spare segment cannot be removed");
        }
        self.shared.state().spares = self.spares.len();
    }

    /// Makes all progress survive a power loss; says whether it does.
    pub(crate) fn persist(&mut self) -> bool {
        let progress = self.shared.state().progress();
        self.save_synced(&progress)
    }

    /// Lets go of the segments that everyone has passed.
    pub(crate) fn release(&mut self) {
        self.settle_if_done();
        let (passed, progress) = {
            let state = self.shared.state();
            // A file under sync would not be used again, but removed: it waits.
            let settled = self.syncing.as_ref().map_or(usize::MAX, |syncing| state.before(syncing.number));
            (state.passed().min(settled), state.progress())
        };
        if passed == 0 || !self.save_synced(&progress) {
            return;
        }
        let released: Vec<Live> = self.shared.state().segments.drain(..passed).collect();
        for live in released {
            self.reuse(live);
            self.cursors.keep_room(&progress);
        }
        self.shared.state().spares = self.spares.len();
    }

    fn reuse(&mut self, live: Live) {
        let (number, reuse) = (live.segment.header.number, live.reuse);
        let path = live.segment.path.clone();
        // Whoever still reads it keeps its file open, and another name for it would end up being written.
        let unread = Arc::try_unwrap(live.segment).is_ok();
        // Without room for the cursors the disk is full, and this file's is the only room that will come.
        let result = if unread && self.cursors.has_room() && reuse == Reuse::Recycle {
            let spare = self.config.dir.join(spare_name(number));
            self.disk.rename(&path, &spare).map(|()| self.spares.put(spare))
        } else {
            self.disk.remove(&path)
        };
        if let Err(error) = result {
            tracing::warn!(%error, segment = number, "a segment cannot be let go");
        }
    }

    fn save_synced(&mut self, progress: &AllProgress) -> bool {
        let mut result = self.cursors.save_synced(progress);
        while let Err(error) = &result
            && error.kind() == io::ErrorKind::StorageFull
            && self.make_way()
        {
            result = self.cursors.save_synced(progress);
        }
        match &result {
            Ok(()) => self.unsaved = None,
            Err(error) => self.unsaved(error),
        }
        result.is_ok()
    }

    /// Gives a little of the disk back; says whether there was any. Rather one spare file less than a log that cannot let
    /// go of anything because the disk is full.
    fn make_way(&mut self) -> bool {
        self.cursors.give_room() || self.spares.take().is_some_and(|spare| self.disk.remove(&spare).is_ok())
    }

    /// Says why cursors cannot be saved: once, it is tried again with every tick.
    fn unsaved(&mut self, error: &io::Error) {
        if self.unsaved.replace(error.kind()) != Some(error.kind()) {
            tracing::error!(%error, "cursors cannot be saved, until they can be no segment is let go");
        }
    }
}

impl State {
    pub(crate) fn progress(&self) -> AllProgress {
        self.backlogs.iter().map(|backlog| (backlog.name.clone(), backlog.progress.clone())).collect()
    }

    /// How many segments come before this one.
    fn before(&self, number: u64) -> usize {
        self.segments.partition_point(|live| live.segment.header.number < number)
    }

    /// How many segments everyone has passed. The newest stays: it says where the log ended.
    fn passed(&self) -> usize {
        let floor = self.floor();
        self.segments.partition_point(|live| live.end <= floor).min(self.segments.len().saturating_sub(1))
    }
}
