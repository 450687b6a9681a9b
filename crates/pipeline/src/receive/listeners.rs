//! The listeners of a node with their connections: they outlive the work behind them, so that a stopping node still answers.
//!
//! Promises:
//! 1. While the node drains, every request is answered: retryably refused, with a time to come back at.
//! 2. What was being answered when they close is answered.

use std::time::Duration;

use tollgate_runtime::{Shutdown, Stopper, TaskGroup};

/// How long open connections may take to end: by then nobody is told anything but "later".
const PATIENCE: Duration = Duration::from_secs(1);

/// What listens, and how it is told to close.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// Listeners and connections run in it.
    pub(crate) tasks: TaskGroup,
    /// Ends them.
    pub(crate) closing: Shutdown,
    stopper: Stopper,
}

impl Listeners {
    pub(crate) fn new() -> Self {
        let (stopper, closing) = Shutdown::new();
        Self { tasks: TaskGroup::new(), closing, stopper }
    }

    /// Accepts no more and lets open connections end.
    pub(crate) async fn close(&self) {
        self.stopper.stop();
        // Whoever is still there has its answer and keeps the connection for later: there is no later.
        let _ = self.tasks.wait(PATIENCE).await;
        self.tasks.abort();
    }
}
