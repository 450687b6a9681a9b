//! The plain thread that owns a log, and the box in which work waits for it.
//!
//! Group commit has no timer: a commit is what arrived while the one before it ran.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::log::{Job, Log};
use crate::state::Shared;

/// How often cursors are saved and limits enforced.
const TICK: Duration = Duration::from_millis(200);

/// Work that waits for the log's thread. Bounded in bytes by the permits that ride with the jobs.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    persists: Vec<oneshot::Sender<()>>,
    closing: bool,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.persists.is_empty() && !self.closing
    }
}

impl Inbox {
    /// Hands a job over; after closing it is dropped, and whoever waits for it learns that.
    pub(crate) fn append(&self, job: Job) {
        self.put(|waiting| waiting.jobs.push_back(job));
    }

    /// Asks for all progress to be made durable.
    pub(crate) fn persist(&self, answer: oneshot::Sender<()>) {
        self.put(|waiting| waiting.persists.push(answer));
    }

    /// Takes no more; what waits is still done.
    pub(crate) fn close(&self) {
        self.put(|waiting| waiting.closing = true);
    }

    fn put(&self, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.waiting();
        if !waiting.closing {
            change(&mut waiting);
            self.ready.notify_one();
        }
    }

    /// All that waits, at the latest after a tick.
    fn take(&self) -> Waiting {
        let waiting = self.waiting();
        let was_idle = waiting.is_empty();
        let timed = self.ready.wait_timeout_while(waiting, TICK, |waiting| waiting.is_empty());
        let (mut waiting, _) = timed.unwrap_or_else(PoisonError::into_inner);
        if was_idle && !waiting.jobs.is_empty() {
            // Whoever handed this over has more at hand: where we took its core from it, every record would be a commit.
            drop(waiting);
            std::thread::yield_now();
            waiting = self.waiting();
        }
        let closing = waiting.closing;
        std::mem::replace(&mut *waiting, Waiting { closing, ..Waiting::default() })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a log until its inbox is closed.
pub(crate) fn run(mut log: Log, inbox: &Inbox) {
    let ending = Ending { inbox, shared: Arc::clone(&log.shared) };
    let mut ticked = Duration::ZERO;
    loop {
        let work = inbox.take();
        let (idle, uptime) = (work.is_empty(), log.shared.clock.uptime());
        log.commit(work.jobs);
        if idle || uptime.saturating_sub(ticked) >= TICK {
            ticked = uptime;
            log.tick();
        }
        if !work.persists.is_empty() && log.persist() {
            for answer in work.persists {
                // Nobody may be waiting any more.
                let _ = answer.send(());
            }
        }
        if work.closing {
            break;
        }
    }
    log.close();
    drop(ending);
}

/// Tells everyone that the thread is gone, also when it panics.
struct Ending<'a> {
    inbox: &'a Inbox,
    shared: Arc<Shared>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.inbox.close();
        // Dropping the jobs of a thread that panicked answers them.
        drop(std::mem::take(&mut self.inbox.waiting().jobs));
        self.shared.durable.send_modify(|durable| durable.closed = true);
    }
}
