//! The documents that a node runs on now. A reload swaps them as a whole; whoever works by them takes one edition and stays
//! with it until it looks again.
//!
//! Promises:
//! 1. There is always one edition, complete: nobody sees the policy of one set with the links of another.
//! 2. The few sets before it are known too, also after a restart: other regions may still work by the last one that said
//!    something else of a link.
//!
//! Not here: how an edition comes into force (`reload.rs`), all that ever were (`archive.rs`).

use std::sync::Arc;

use tokio::sync::watch;

use crate::documents::Documents;

/// One set of documents in force, and the few before it, the latest first.
#[derive(Debug)]
pub(crate) struct Edition {
    pub(crate) documents: Arc<Documents>,
    pub(crate) previous: Vec<Arc<Documents>>,
    pub(crate) borders: Borders,
}

/// Whether anything may go or come over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Borders {
    /// As far as the documents in force let it.
    Open,
    /// Nothing: the documents that are there were refused at the start, and those in force are the last that were kept.
    Closed,
}

/// Follows the editions. Clones each remember what they have seen.
#[derive(Clone, Debug)]
pub(crate) struct InForce(watch::Receiver<Arc<Edition>>);

/// Puts editions in force.
#[derive(Debug)]
pub(crate) struct Publisher(watch::Sender<Arc<Edition>>);

impl Publisher {
    pub(crate) fn new(first: Edition) -> Self {
        Self(watch::Sender::new(Arc::new(first)))
    }

    /// Everybody who looks from now on sees this one.
    pub(crate) fn publish(&self, next: Edition) {
        self.0.send_replace(Arc::new(next));
    }

    pub(crate) fn follow(&self) -> InForce {
        InForce(self.0.subscribe())
    }
}

impl InForce {
    /// The edition now.
    pub(crate) fn edition(&self) -> Arc<Edition> {
        Arc::clone(&self.0.borrow())
    }

    /// The edition now; [`InForce::changed`] waits for another from here on.
    pub(crate) fn take(&mut self) -> Arc<Edition> {
        Arc::clone(&self.0.borrow_and_update())
    }

    /// Waits until something may go over links. Cancel safe.
    pub(crate) async fn opened(&mut self) {
        while self.take().borders == Borders::Closed {
            self.changed().await;
        }
    }

    /// Waits for an edition that was not taken yet. Cancel safe.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Whoever publishes is gone: this edition stays.
            std::future::pending::<()>().await;
        }
        self.0.mark_changed();
    }
}
