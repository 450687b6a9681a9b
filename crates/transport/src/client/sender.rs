//! The two doors that data leaves by: over a link only sealed, inside the region only to a place that is proved local.
//!
//! Promises:
//! 1. What was not sealed cannot be given to a [`LinkSender`]: it does not compile. What was sealed for another link, or
//!    goes under a manifest that says otherwise, is not sent.
//! 2. What goes through a [`LocalSender`] carries the proof that its place lies inside our region and regime, and goes to that
//!    place only.

use std::fmt;

use bytes::Bytes;
use tollgate_federation::{LinkId, LocalPlace, Manifest, Signal};
use tollgate_redaction::Sealed;

use super::exporter::{Exporter, Outgoing};
use super::outcome::SendError;
use crate::answer::Receipt;

/// Sends over a link: to a tier of another region, or to a backend under another regime.
///
/// ```compile_fail,E0308
/// async fn smuggle(door: &tollgate_transport::LinkSender, local: tollgate_transport::Local, manifest: tollgate_federation::Manifest) {
///     let _ = door.send(&local, &manifest).await;
/// }
/// ```
#[derive(Clone, Debug)]
pub struct LinkSender {
    exporter: Exporter,
    link: LinkId,
}

impl LinkSender {
    /// Puts the destination of a link behind the door.
    pub const fn new(exporter: Exporter, link: LinkId) -> Self {
        Self { exporter, link }
    }

    /// Sends one sealed batch and waits for the answer.
    ///
    /// # Errors
    /// Says what to do with the parcel.
    pub async fn send(&self, sealed: &Sealed, manifest: &Manifest) -> Result<Receipt, SendError> {
        let declared = manifest.origin == *sealed.origin() && manifest.policy == sealed.digest();
        if sealed.link() != self.link || !declared {
            return Err(SendError::Misdirected);
        }
        let outgoing = Outgoing { signal: manifest.signal, chunks: sealed.chunks(), manifest: Some(manifest) };
        self.exporter.export(outgoing).await
    }
}

/// A request for a place inside the region, as full as it was received.
#[derive(Clone)]
pub struct Local {
    /// The encoded request: requests are merged by concatenation, so it may lie in chunks.
    pub chunks: Vec<Bytes>,
    /// How many items it holds.
    pub items: usize,
    /// The proof that it may go there unsealed.
    pub place: LocalPlace,
}

/// Shows no payload, so that none reaches a log by accident.
impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} items for {}", self.items, self.place.to())
    }
}

/// Sends inside the region: to its own gateway or one of its own backends.
#[derive(Clone, Debug)]
pub struct LocalSender {
    exporter: Exporter,
    place: LocalPlace,
}

impl LocalSender {
    /// Puts a destination behind the door.
    pub const fn new(exporter: Exporter, place: LocalPlace) -> Self {
        Self { exporter, place }
    }

    /// Sends one batch and waits for the answer; a tier wants a manifest with it.
    ///
    /// # Errors
    /// Says what to do with the parcel.
    pub async fn send(&self, signal: Signal, local: &Local, manifest: Option<&Manifest>) -> Result<Receipt, SendError> {
        if local.place != self.place {
            return Err(SendError::Misdirected);
        }
        self.exporter.export(Outgoing { signal, chunks: &local.chunks, manifest }).await
    }
}
