//! Reads the documents again while the node runs: the new set comes into force as a whole, or the old one stays.
//!
//! Promises:
//! 1. What comes into force was valid, proved, and kept on the disk before; a set with a fault changes nothing.
//! 2. What a running node cannot change is refused by name, with everything else of that set.
//! 3. One reload at a time, in the order in which they were asked for; whoever asks during one gets another after it.

pub(crate) mod immovable;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use tollgate_config::Faults;
use tollgate_federation::NodeId;
use tollgate_runtime::{Clock, Requests, Shutdown, Timestamp};

use crate::documents::Documents;
use crate::node::archive::Archive;
use crate::node::counters::ReloadCounters;
use crate::node::in_force::{Borders, Edition, InForce, Publisher};
use immovable::{Immovable, immovable};

/// A set of documents did not come into force; the one before it still is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// It has faults, or breaks an invariant.
    #[error("{0}")]
    Invalid(Faults),
    /// It changes what a running node cannot.
    #[error("{}", Lines(.0))]
    NeedsRestart(Vec<Immovable>),
    /// It could not be kept on the disk, and what arrives under it could not be sealed later.
    #[error("the documents cannot be kept in the data folder: {0}")]
    Unkept(#[from] io::Error),
}

impl ReloadError {
    /// Its short name, a label of metrics.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::NeedsRestart(_) => "needs_restart",
            Self::Unkept(_) => "unkept",
        }
    }
}

struct Lines<'a>(&'a [Immovable]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Immovable::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// What a reload came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reloaded {
    /// Another set is in force.
    Adopted,
    /// The set in force is the one that is there.
    Unchanged,
    /// It is, and links are open again that were closed since the start.
    Opened,
}

impl Reloaded {
    /// The word that answers use.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Adopted => "adopted",
            Self::Unchanged => "unchanged",
            Self::Opened => "opened",
        }
    }
}

/// Why the documents that are there are not in force, and since when that is known.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) at: Timestamp,
    pub(crate) reason: &'static str,
    pub(crate) why: String,
}

/// Puts documents in force.
pub(crate) struct Reloader {
    me: NodeId,
    dir: PathBuf,
    archive: Arc<Archive>,
    publisher: Publisher,
    clock: Clock,
    counters: ReloadCounters,
    /// Held while a reload runs.
    running: Mutex<()>,
    refused: Mutex<Option<Refused>>,
}

impl Reloader {
    pub(crate) fn new(
        me: NodeId,
        archive: Arc<Archive>,
        first: Edition,
        clock: Clock,
        counters: ReloadCounters,
    ) -> Self {
        let dir = first.documents.dir.clone();
        let publisher = Publisher::new(first);
        Self { me, dir, archive, publisher, clock, counters, running: Mutex::default(), refused: Mutex::default() }
    }

    /// The documents in force, from now on.
    pub(crate) fn follow(&self) -> InForce {
        self.publisher.follow()
    }

    /// Takes in that the node was started on what was kept, and why.
    pub(crate) fn started_on_kept(&self, why: &str) {
        self.counters.started_on_kept();
        let refused = Refused { at: self.clock.now(), reason: "invalid", why: why.to_owned() };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
    }

    /// Why the last set was refused, if it was.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reloads whenever it is asked for, until the process stops.
    pub(crate) async fn run(self: Arc<Self>, mut requests: Requests, shutdown: Shutdown) {
        loop {
            tokio::select! {
                // Cancel safe: a request that was not taken is still there.
                biased;
                () = shutdown.started() => return,
                () = requests.next() => {}
            }
            let this = Arc::clone(&self);
            // It reads files and proves invariants; a stop does not wait for it, because nothing of it can be half done.
            let reloading = tokio::task::spawn_blocking(move || drop(this.reload()));
            tokio::select! {
                biased;
                () = shutdown.started() => return,
                _ = reloading => {}
            }
        }
    }

    /// Reads the documents and puts them in force, or says why not.
    pub(crate) fn reload(&self) -> Result<Reloaded, ReloadError> {
        let _one_at_a_time = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.attempt();
        let refused = match &outcome {
            Ok(Reloaded::Adopted) => {
                tracing::info!(documents = self.digest(), "other documents are in force");
                self.counters.adopted();
                None
            }
            Ok(Reloaded::Unchanged) => {
                tracing::info!(documents = self.digest(), "the documents are those in force");
                self.counters.unchanged();
                None
            }
            Ok(Reloaded::Opened) => {
                tracing::info!(documents = self.digest(), "the documents are those in force, and all links open again");
                self.counters.adopted();
                None
            }
            Err(error) => {
                let (reason, kept) = (error.reason(), self.digest());
                tracing::error!(reason, documents = kept, "documents refused; the old ones stay in force:\n{error}");
                self.counters.refused(reason);
                Some(Refused { at: self.clock.now(), reason, why: error.to_string() })
            }
        };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
        outcome
    }

    fn attempt(&self) -> Result<Reloaded, ReloadError> {
        let now = self.publisher.follow().edition();
        let new = Arc::new(Documents::load(&self.dir).map_err(ReloadError::Invalid)?);
        if new.federation.digest() == now.documents.federation.digest() {
            if now.borders == Borders::Open {
                return Ok(Reloaded::Unchanged);
            }
            self.publisher.publish(self.archive.adopt(&new)?);
            return Ok(Reloaded::Opened);
        }
        let immovable = immovable(&self.me, &now.documents, &new);
        if !immovable.is_empty() {
            return Err(ReloadError::NeedsRestart(immovable));
        }
        self.publisher.publish(self.archive.adopt(&new)?);
        Ok(Reloaded::Adopted)
    }

    pub(crate) fn digest(&self) -> String {
        HEXLOWER.encode(&self.publisher.follow().edition().documents.federation.digest())
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod under_load;
